// SPDX-License-Identifier: Apache-2.0
#include "proto/version.hpp"

#include "tests/catch.hpp"

namespace proto = sdfleet::proto;

TEST_CASE("two sides speak the highest version that both know")
{
    REQUIRE(proto::negotiate({1, 3}, {2, 5}) == 3);
    REQUIRE(proto::negotiate({2, 5}, {1, 3}) == 3);
    REQUIRE(proto::negotiate({1, 1}, {1, 1}) == 1);
}

TEST_CASE("sides without a common version are refused with both ranges named")
{
    REQUIRE(proto::negotiate({1, 2}, {3, 4}) == std::nullopt);
    REQUIRE(proto::negotiate({3, 4}, {1, 2}) == std::nullopt);

    const auto refusal = proto::refuse_version({1, 2}, {3, 4});

    REQUIRE(refusal.reason == proto::RefusalReason::protocol_version);
    REQUIRE(refusal.message.find("1 to 2") != std::string::npos);
    REQUIRE(refusal.message.find("3 to 4") != std::string::npos);
    REQUIRE(refusal.protocol_max == 2);
}
