// SPDX-License-Identifier: Apache-2.0
#include "collective/nccl_invitation.hpp"

#include "tests/catch.hpp"

#include <numeric>

using namespace sdfleet::collective;

TEST_CASE("an invitation arrives as it was sent, and what is cut, longer or of another kind is none")
{
    NcclInvitation invitation{22809, {}};
    std::iota(invitation.unique_id.begin(), invitation.unique_id.end(), std::uint8_t{100});
    const auto bytes = encode(invitation);

    REQUIRE(decode_nccl_invitation(bytes) == invitation);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        REQUIRE(decode_nccl_invitation(std::span(bytes).first(length)) == std::nullopt);
    }
    auto longer = bytes;
    longer.push_back(std::byte{0});
    REQUIRE(decode_nccl_invitation(longer) == std::nullopt);
    auto other = bytes;
    other[3] = std::byte{'2'};
    REQUIRE(decode_nccl_invitation(other) == std::nullopt);
}
