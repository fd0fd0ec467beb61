// SPDX-License-Identifier: Apache-2.0
#include "collective/core/spawn_path.hpp"

#include "tests/catch.hpp"

using namespace sdfleet::collective;

TEST_CASE("the program that a person started starts the ranks of every call")
{
    SpawnProgress progress({});
    REQUIRE(progress.next_call() == SpawnPart::start_ranks);
    REQUIRE(to_text(progress.path_of_rank(0)) == "1:0");
    REQUIRE(progress.next_call() == SpawnPart::start_ranks);
    REQUIRE(to_text(progress.path_of_rank(3)) == "2:3");
}

TEST_CASE("a rank of the second call passes the first one by")
{
    SpawnProgress progress(*parse_spawn_path("2:1"));
    REQUIRE(progress.next_call() == SpawnPart::pass_by);
    REQUIRE(progress.next_call() == SpawnPart::enter);
    REQUIRE(progress.entered().rank == 1);
    REQUIRE(progress.has_arrived());
}

TEST_CASE("a rank that calls spawn itself has ranks of its own, who find their way through both functions")
{
    SpawnProgress outer(*parse_spawn_path("2:1"));
    outer.next_call();
    outer.next_call();
    REQUIRE(outer.next_call() == SpawnPart::start_ranks);
    REQUIRE(to_text(outer.path_of_rank(5)) == "2:1/1:5");

    SpawnProgress inner(outer.path_of_rank(5));
    REQUIRE(inner.next_call() == SpawnPart::pass_by);
    REQUIRE(inner.next_call() == SpawnPart::enter);
    REQUIRE(inner.entered().rank == 1);
    REQUIRE_FALSE(inner.has_arrived());
    REQUIRE(inner.next_call() == SpawnPart::enter);
    REQUIRE(inner.entered().rank == 5);
    REQUIRE(inner.has_arrived());
}

TEST_CASE("what is written is read back, and nothing else is read")
{
    const SpawnPath path{{1, 0}, {12, 4095}, {1, 7}};
    REQUIRE(parse_spawn_path(to_text(path)) == path);
    for (const char* text : {"", "1", "1:", ":1", "0:1", "1:2/", "/1:2", "1:2//1:2", "1:2:3", "-1:2", "1:x", " 1:2",
                             "99999999999:1", "1:99999999999"}) {
        INFO(text);
        REQUIRE_FALSE(parse_spawn_path(text));
    }
    std::string deep = "1:1";
    for (int i = 0; i < 100; ++i) {
        deep += "/1:1";
    }
    REQUIRE_FALSE(parse_spawn_path(deep));
}
