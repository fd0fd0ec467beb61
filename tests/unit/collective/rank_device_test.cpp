// SPDX-License-Identifier: Apache-2.0
#include "collective/core/rank_device.hpp"

#include "tests/catch.hpp"

using namespace sdfleet::collective;

TEST_CASE("each rank of a machine has a GPU of its own while there are enough")
{
    const DeviceFacts facts{true, 2, std::nullopt, ""};
    REQUIRE(rank_device(facts, 0) == "cuda:0");
    REQUIRE(rank_device(facts, 1) == "cuda:1");
    REQUIRE(rank_device(facts, 2) == "cuda:0");
}

TEST_CASE("without GPUs, without the plug-in, or told so, a rank is on the CPU")
{
    REQUIRE(rank_device({true, 0, std::nullopt, ""}, 1) == "cpu");
    REQUIRE(rank_device({false, 8, std::nullopt, ""}, 1) == "cpu");
    for (const char* yes : {"true", "True", "1", "yes"}) {
        REQUIRE(rank_device({true, 8, std::nullopt, yes}, 1) == "cpu");
    }
    REQUIRE(rank_device({true, 8, std::nullopt, "false"}, 1) == "cuda:1");
}

TEST_CASE("CUDA_VISIBLE_DEVICES says which GPUs there are, as CUDA reads it")
{
    const auto second_of = [](const char* visible) { return rank_device({true, 4, visible, ""}, 1); };
    REQUIRE(second_of("2,3") == "cuda:1");
    REQUIRE(second_of("3") == "cuda:0");
    REQUIRE(second_of("2,-1,3") == "cuda:0");
    REQUIRE(second_of("GPU-5d0e,GPU-77af") == "cuda:1");
    REQUIRE(second_of("") == "cpu");
    REQUIRE(second_of("-1") == "cpu");
    REQUIRE(rank_device({true, 1, "0,1,2", ""}, 1) == "cuda:0"); // no more than there are
}
