// SPDX-License-Identifier: Apache-2.0
// Real processes: spawn_program, which calls spawn, and its ranks.
#include "collective/spawn.hpp"

#include "base/pidfd.hpp"
#include "base/unique_fd.hpp"
#include "tests/unit/collective/child_program.hpp"

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <poll.h>
#include <sys/stat.h>

using namespace sdfleet;
using namespace sdfleet::collective;

namespace {

Outcome run(std::vector<std::string> arguments)
{
    return run_program(SDFLEET_SPAWN_PROGRAM, std::move(arguments));
}

bool has_ended_within_a_minute(pid_t pid)
{
    const base::UniqueFd descriptor(base::open_pidfd(pid));
    if (!descriptor) {
        return true;
    }
    pollfd entry{descriptor.get(), POLLIN, 0};
    return ::poll(&entry, 1, 60'000) == 1;
}

std::vector<pid_t> read_pids(Program& program, std::size_t count)
{
    std::vector<pid_t> pids;
    while (pids.size() < count) {
        const std::string line = program.next_line();
        REQUIRE_THAT(line, StartsWith("pid "));
        pids.push_back(std::stoi(line.substr(4)));
    }
    return pids;
}

} // namespace

TEST_CASE("every rank is told who it is in torchrun's words, and where the ranks meet")
{
    ::setenv("MINE", "kept", 1);
    ::setenv("SDFLEET_AGENT", "ipc:///of/another/program", 1);
    ::setenv("RANK", "17", 1);
    const auto outcome = run({"environment"});
    ::unsetenv("SDFLEET_AGENT");
    ::unsetenv("RANK");
    INFO(all(outcome));
    REQUIRE(outcome.exit_code == 0);
    for (const std::string rank : {"0", "1"}) {
        REQUIRE(outcome.has("rank " + rank + " RANK=" + rank + " WORLD_SIZE=2 LOCAL_RANK=" + rank +
                            " LOCAL_WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 SDFLEET_AGENT=- SDFLEET_SPAWN=- MINE=kept"));
    }
    std::set<std::string> shared;
    for (const auto& line : outcome.lines) {
        if (line.starts_with("port ") || line.starts_with("secret ")) {
            shared.insert(line);
        }
    }
    REQUIRE(shared.size() == 2); // the same port and the same secret in both
    REQUIRE(shared.contains("port 0") == false);
    REQUIRE(shared.rbegin()->size() == std::string("secret ").size() + 64);
    REQUIRE(outcome.has("ok"));
}

TEST_CASE("the first rank that fails is named with how it ended, and the others are ended")
{
    const auto failed = [](const char* how) { return run({"fail", how}); };
    const auto by_code = failed("code");
    INFO(all(by_code));
    REQUIRE(by_code.has("error spawn: rank 1 exited with code 7; the other ranks were ended"));
    REQUIRE(failed("signal").has("error spawn: rank 1 was killed by SIGKILL; the other ranks were ended"));
    REQUIRE(failed("large").has("error spawn: rank 1 exited with code 1; the other ranks were ended"));

    const auto thrown = failed("throw");
    REQUIRE(thrown.has("rank 1: no such prompt"));
    REQUIRE(thrown.has("error spawn: rank 1 exited with code 1; the other ranks were ended"));
}

TEST_CASE("a rank that does not listen to SIGTERM is killed after the grace")
{
    const auto pipe = std::filesystem::temp_directory_path() / ("spawn_test." + std::to_string(::getpid()));
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    const auto outcome = run({"stubborn", pipe}); // comes back only if nobody is left
    std::filesystem::remove(pipe);
    INFO(all(outcome));
    REQUIRE(outcome.has("error spawn: rank 1 exited with code 7; the other ranks were ended"));
}

TEST_CASE("a program may spawn more than once: each call runs its own ranks, once each")
{
    const auto outcome = run({"twice"});
    INFO(all(outcome));
    REQUIRE(outcome.lines.size() == 5);
    for (const char* line : {"first 0", "first 1", "second 0", "second 1", "ok"}) {
        REQUIRE(outcome.has(line));
    }
    REQUIRE(outcome.lines[2].starts_with("second")); // the first call was over before the second began
}

TEST_CASE("a rank may spawn ranks of its own")
{
    const auto outcome = run({"nested"});
    INFO(all(outcome));
    REQUIRE(outcome.lines.size() == 7);
    REQUIRE(std::ranges::count(outcome.lines, "inner 0") == 2);
    for (const char* line :
         {"inner 0 of 0 world 2", "inner 1 of 0 world 2", "inner 0 of 1 world 2", "inner 1 of 1 world 2", "ok"}) {
        REQUIRE(outcome.has(line));
    }
}

TEST_CASE("a rank that takes another way than its parent and never comes to the call has failed")
{
    const auto outcome = run({"lost"});
    INFO(all(outcome));
    REQUIRE(outcome.count("error spawn: rank 1 exited with code 1") == 1);
    REQUIRE(outcome.count("spawn: the program ended before it came to the call") == 1);
}

TEST_CASE("numbers of ranks that cannot be are refused")
{
    REQUIRE(run({"0"}).has("error spawn: nprocs is 0; it must be from 1 to 4096"));
    REQUIRE(run({"4097"}).has("error spawn: nprocs is 4097; it must be from 1 to 4096"));
}

TEST_CASE("Ctrl-C ends every rank, and then the program")
{
    Program program(SDFLEET_SPAWN_PROGRAM, {"wait"});
    const auto ranks = read_pids(program, 2);
    ::kill(program.pid(), SIGINT);
    const int status = program.wait();
    REQUIRE(WIFSIGNALED(status));
    REQUIRE(WTERMSIG(status) == SIGINT);
    for (const pid_t rank : ranks) {
        REQUIRE(::kill(rank, 0) != 0); // reaped by the program before it went
    }
}

TEST_CASE("ranks die with a program that is killed")
{
    Program program(SDFLEET_SPAWN_PROGRAM, {"wait"});
    const auto ranks = read_pids(program, 2);
    ::kill(program.pid(), SIGKILL);
    program.wait();
    for (const pid_t rank : ranks) {
        REQUIRE(has_ended_within_a_minute(rank));
    }
    REQUIRE(program.lines().empty()); // nobody is left who could write
}
