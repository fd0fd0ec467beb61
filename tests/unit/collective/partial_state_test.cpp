// SPDX-License-Identifier: Apache-2.0
// Real processes, connected over ZeroMQ: partial_state_program and its ranks.
#include "collective/partial_state.hpp"

#include "tests/unit/collective/child_program.hpp"

#include <string>
#include <vector>

using namespace sdfleet::collective;

namespace {

std::vector<const char*> rank_variables()
{
    return {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "SDFLEET_AGENT"};
}

Outcome run(const std::string& mode, int nprocs)
{
    for (const char* name : rank_variables()) {
        ::unsetenv(name);
    }
    ::setenv("ACCELERATE_USE_CPU", "true", 1);
    return run_program(SDFLEET_PARTIAL_STATE_PROGRAM, {mode, std::to_string(nprocs)});
}

} // namespace

TEST_CASE("a program that was started by itself is the only process, the first and the last")
{
    REQUIRE(run("identity", 0).has("process 0/1 local 0 on cpu main last local-main"));
}

TEST_CASE("every process knows its place")
{
    const auto outcome = run("identity", 3);
    INFO(all(outcome));
    REQUIRE(outcome.lines.size() == 3);
    REQUIRE(outcome.has("process 0/3 local 0 on cpu main local-main"));
    REQUIRE(outcome.has("process 1/3 local 1 on cpu"));
    REQUIRE(outcome.has("process 2/3 local 2 on cpu last"));
}

TEST_CASE("prompts are split between the processes")
{
    const auto outcome = run("split", 3);
    INFO(all(outcome));
    REQUIRE(outcome.has("0: <a><b> <a><b>"));
    REQUIRE(outcome.has("1: <c><d> <c><d>"));
    REQUIRE(outcome.has("2: <e> <e><e>"));
    REQUIRE(run("split", 0).has("0: <a><b><c><d><e> <a><b><c><d><e>"));
}

TEST_CASE("what is for one process is done by that one alone")
{
    const auto outcome = run("print", 3);
    INFO(all(outcome));
    REQUIRE(outcome.lines.size() == 6);
    for (const char* line :
         {"of 3 processes", "main 0", "last 2 42", "answer of 0 -1", "answer of 1 7", "answer of 2 -1"}) {
        REQUIRE(outcome.has(line));
    }
    // A process that is alone is the first, the last and any other.
    REQUIRE(run("print", 0).lines ==
            std::vector<std::string>{"of 3 processes", "main 0", "last 0 42", "answer of 0 7"});
}

TEST_CASE("nobody goes on before everybody has come")
{
    const auto outcome = run("wait", 3);
    INFO(all(outcome));
    REQUIRE(outcome.exit_code == 0);
    REQUIRE(outcome.count("first") == 3);
    REQUIRE(outcome.count("second") == 3);
    // One says "second" only when all three have waited twice, so each had said "first" by then.
    REQUIRE(outcome.lines[0] == "first");
    REQUIRE(outcome.lines[1] == "first");
    REQUIRE(outcome.lines[2] == "first");
    REQUIRE(run("wait", 0).lines == std::vector<std::string>{"first", "second"});
}

TEST_CASE("objects of unequal number come together in the processes' order, on all of them")
{
    const auto outcome = run("objects", 3);
    INFO(all(outcome));
    REQUIRE(outcome.exit_code == 0);
    for (const std::string process : {"0", "1", "2"}) {
        REQUIRE(outcome.has(process + ": <text 1.0><text 2.0><text 2.1>"));
        REQUIRE(outcome.has(process + ": <0><100><200>"));
    }
}

TEST_CASE("a process that gathers objects of another type is named")
{
    const auto outcome = run("types", 3);
    INFO(all(outcome));
    REQUIRE(outcome.has(
        "0: error gather_object: rank 2 gathers objects of another type than this one, which gathers string"));
    REQUIRE(
        outcome.has("2: error gather_object: rank 0 gathers objects of another type than this one, which gathers i32"));
}
