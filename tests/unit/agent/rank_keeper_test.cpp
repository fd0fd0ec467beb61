// SPDX-License-Identifier: Apache-2.0
// The process between the agent and a rank, as a process: nothing that a rank started outlives it.
#include "agent/process/child_process.hpp"
#include "base/unique_fd.hpp"
#include "tests/catch.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace agent = sdfleet::agent;
namespace base = sdfleet::base;
using namespace std::chrono_literals;

namespace {

constexpr auto patience = 60s;

struct Pipe {
    base::UniqueFd read_end;
    base::UniqueFd write_end;

    Pipe()
    {
        std::array<int, 2> ends{};
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
        read_end = base::UniqueFd(ends[0]);
        write_end = base::UniqueFd(ends[1]);
    }

    /// Waits for it.
    std::string read_line() const
    {
        std::string line;
        for (char c = 0; ::read(read_end.get(), &c, 1) == 1 && c != '\n';) {
            line += c;
        }
        return line;
    }

    /// Waits until nobody can write any more: until every process that has the pipe is gone.
    std::string read_all() const
    {
        std::string text;
        for (char c = 0; ::read(read_end.get(), &c, 1) == 1;) {
            text += c;
        }
        return text;
    }
};

/// A program of ours with its output in pipes.
struct Running {
    Pipe out;
    Pipe err;
    boost::asio::io_context io;
    std::optional<agent::ChildProcess> process;

    Running(std::string program, std::vector<std::string> arguments)
    {
        agent::Command command;
        command.program = std::move(program);
        command.arguments = std::move(arguments);
        command.stdout_fd = out.write_end.get();
        command.stderr_fd = err.write_end.get();
        auto spawned = agent::ChildProcess::spawn(io, command);
        REQUIRE(spawned);
        process.emplace(std::move(*spawned));
        out.write_end = base::UniqueFd();
        err.write_end = base::UniqueFd();
    }

    agent::ExitStatus wait()
    {
        std::optional<agent::ExitStatus> status;
        process->on_exit([&](agent::ExitStatus s) { status = s; });
        const auto deadline = std::chrono::steady_clock::now() + patience;
        while (!status && std::chrono::steady_clock::now() < deadline) {
            io.restart();
            io.run_one_until(deadline);
        }
        REQUIRE(status);
        return *status;
    }
};

struct Keeper : Running {
    explicit Keeper(std::vector<std::string> command, const std::string& directory = "")
        : Running(SDFLEET_AGENT, arguments(std::move(command), directory))
    {
    }

    static std::vector<std::string> arguments(std::vector<std::string> command, const std::string& directory)
    {
        command.insert(command.begin(), {"keep-rank", directory});
        return command;
    }
};

Keeper shell(const std::string& script)
{
    return Keeper({"sh", "-c", script});
}

bool exists(const std::string& pid)
{
    return ::kill(std::stoi(pid), 0) == 0 || errno != ESRCH;
}

} // namespace

TEST_CASE("a keeper ends as its rank did: with its exit code, or by its signal")
{
    REQUIRE(shell("exit 0").wait() == agent::ExitStatus(agent::ExitedWith{0}));
    REQUIRE(shell("exit 7").wait() == agent::ExitStatus(agent::ExitedWith{7}));
    REQUIRE(shell("kill -SEGV $$").wait() == agent::ExitStatus(agent::KilledBy{SIGSEGV}));
    REQUIRE(shell("kill -KILL $$").wait() == agent::ExitStatus(agent::KilledBy{SIGKILL}));
}

TEST_CASE("a command that does not exist is 127, one that cannot be run 126, each with a line that says so")
{
    Keeper missing({"no-such-command-here"});
    REQUIRE(missing.wait() == agent::ExitStatus(agent::ExitedWith{127}));
    REQUIRE(missing.err.read_all() == "cannot run no-such-command-here: No such file or directory\n");

    Keeper folder({"/"});
    REQUIRE(folder.wait() == agent::ExitStatus(agent::ExitedWith{126}));
    REQUIRE(folder.err.read_all() == "cannot run /: Permission denied\n");

    Keeper nowhere({"true"}, "/no/such/folder");
    REQUIRE(nowhere.wait() == agent::ExitStatus(agent::ExitedWith{126}));
    REQUIRE(nowhere.err.read_all() == "cannot work in /no/such/folder: No such file or directory\n");
}

TEST_CASE("a keeper without a command says how it is used")
{
    Keeper keeper({});

    REQUIRE(keeper.wait() == agent::ExitStatus(agent::ExitedWith{2}));
    REQUIRE(keeper.err.read_all().find("usage: ") == 0);
}

TEST_CASE("a rank starts in its folder, with its arguments as they are and no signal blocked")
{
    Keeper keeper({"sh", "-c", "pwd; echo \"$1\"; grep SigBlk /proc/self/status", "sh", "two  words $HOME"}, "/usr");

    REQUIRE(keeper.out.read_line() == "/usr");
    REQUIRE(keeper.out.read_line() == "two  words $HOME");
    REQUIRE(keeper.out.read_line() == "SigBlk:\t0000000000000000");
    keeper.wait();
}

TEST_CASE("SIGTERM goes to the rank and what is in its process group; the rank decides how it ends")
{
    auto keeper = shell("trap 'wait; exit 3' TERM; "
                        "sh -c 'trap \"echo child heard; exit\" TERM; echo ready; while :; do sleep 0.02; done' & "
                        "while :; do sleep 0.02; done");
    REQUIRE(keeper.out.read_line() == "ready");

    keeper.process->signal(SIGTERM);

    REQUIRE(keeper.out.read_line() == "child heard");
    REQUIRE(keeper.wait() == agent::ExitStatus(agent::ExitedWith{3}));
}

TEST_CASE("a SIGTERM that comes while the rank is just being started is not lost")
{
    for (int i = 0; i < 50; ++i) {
        Keeper keeper({"sleep", "1000"});
        ::usleep(static_cast<useconds_t>(i) * 100); // anywhere in the first milliseconds
        keeper.process->signal(SIGTERM);
        REQUIRE(keeper.wait() == agent::ExitStatus(agent::KilledBy{SIGTERM}));
    }
}

TEST_CASE("what a rank left behind ends with it, in a session of its own too, and deaf to SIGTERM")
{
    auto keeper = shell("trap 'exit 4' USR1; echo $$; "
                        "setsid sh -c 'trap \"\" TERM HUP; echo $$; while :; do sleep 1; done' & "
                        "while :; do sleep 0.02; done");
    const auto rank = keeper.out.read_line();
    const auto left_behind = keeper.out.read_line();
    REQUIRE(exists(left_behind));

    ::kill(std::stoi(rank), SIGUSR1);

    REQUIRE(keeper.wait() == agent::ExitStatus(agent::ExitedWith{4}));
    REQUIRE_FALSE(exists(left_behind));
    REQUIRE(keeper.out.read_all().empty()); // nobody has the pipe any more
}

TEST_CASE("SIGHUP kills all, whatever it does about signals and wherever it went")
{
    auto keeper = shell("trap '' TERM HUP; setsid sh -c 'echo $$; while :; do sleep 1; done' & "
                        "while :; do sleep 1; done");
    const auto grandchild = keeper.out.read_line();
    REQUIRE(exists(grandchild));

    keeper.process->signal(SIGHUP);

    REQUIRE(keeper.wait() == agent::ExitStatus(agent::KilledBy{SIGKILL}));
    REQUIRE_FALSE(exists(grandchild));
    REQUIRE(keeper.out.read_all().empty());
}

TEST_CASE("when the agent dies its ranks do, with all that they started")
{
    // The shell stands for an agent that is killed.
    Running parent("/bin/sh",
                   {"-c",
                    "unset SDFLEET_PARENT_PID; \"$0\" keep-rank '' sh -c "
                    "'setsid sh -c \"trap \\\"\\\" TERM HUP; echo ready; while :; do sleep 1; done\" & wait' & wait",
                    SDFLEET_AGENT});
    REQUIRE(parent.out.read_line() == "ready");

    parent.process->signal(SIGKILL);

    REQUIRE(parent.out.read_all().empty()); // returns when the last of them is gone
    parent.wait();
}
