// SPDX-License-Identifier: Apache-2.0
#include "agent/process/child_process.hpp"

#include "base/pidfd.hpp"
#include "base/unique_fd.hpp"
#include "tests/catch.hpp"

#include <chrono>
#include <csignal>
#include <fstream>
#include <iostream>
#include <optional>

#include <poll.h>
#include <sys/stat.h>

namespace agent = sdfleet::agent;
namespace base = sdfleet::base;
using namespace std::chrono_literals;

namespace {

std::filesystem::path make_folder()
{
    std::string name = std::filesystem::temp_directory_path() / "sdfleet-process-test-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    return name;
}

/// A named pipe through which a child says that it is ready, and who it is.
struct Fifo {
    std::filesystem::path folder = make_folder();
    std::string path = folder / "ready";

    Fifo() { REQUIRE(::mkfifo(path.c_str(), 0600) == 0); }
    ~Fifo() { std::filesystem::remove_all(folder); }

    /// Blocks until a child wrote its process id.
    pid_t read_pid() const
    {
        pid_t pid = 0;
        std::ifstream(path) >> pid;
        REQUIRE(pid > 0);
        return pid;
    }
};

agent::ChildProcess start(boost::asio::io_context& io, std::vector<std::string> arguments)
{
    auto child = agent::ChildProcess::spawn(io, {SDFLEET_PROCESS_HELPER, std::move(arguments)});
    REQUIRE(child);
    return std::move(*child);
}

/// Waits on the io_context until the child's exit is reported.
agent::ExitStatus exit_of(boost::asio::io_context& io, agent::ChildProcess& child)
{
    std::optional<agent::ExitStatus> status;
    child.on_exit([&](agent::ExitStatus s) { status = s; });
    io.restart();
    io.run_for(30s);
    REQUIRE(status);
    return *status;
}

} // namespace

TEST_CASE("a child's exit code is reported")
{
    boost::asio::io_context io;
    auto child = start(io, {"exit", "5"});

    REQUIRE(exit_of(io, child) == agent::ExitStatus(agent::ExitedWith{5}));
}

TEST_CASE("a killed child is noticed at once, and the signal is named")
{
    boost::asio::io_context io;
    const Fifo fifo;
    auto child = start(io, {"wait", fifo.path});
    REQUIRE(fifo.read_pid() == child.pid());

    const auto killed_at = std::chrono::steady_clock::now();
    ::kill(child.pid(), SIGKILL);
    const auto status = exit_of(io, child);
    const auto noticed_after = std::chrono::steady_clock::now() - killed_at;

    REQUIRE(status == agent::ExitStatus(agent::KilledBy{SIGKILL}));
    REQUIRE(agent::describe(status) == "was killed by SIGKILL");
    REQUIRE(noticed_after < 1s);
    std::cout << "death noticed after " << std::chrono::duration_cast<std::chrono::microseconds>(noticed_after).count()
              << " us\n";
}

TEST_CASE("a program that is not there is an error that names it")
{
    boost::asio::io_context io;

    const auto child = agent::ChildProcess::spawn(io, {"/nowhere/actor"});

    REQUIRE_FALSE(child);
    REQUIRE(child.error().message == "cannot start /nowhere/actor: No such file or directory");
}

TEST_CASE("terminate asks first")
{
    boost::asio::io_context io;
    const Fifo fifo;
    auto child = start(io, {"wait", fifo.path});
    fifo.read_pid();

    REQUIRE(child.terminate(30s) == agent::ExitStatus(agent::KilledBy{SIGTERM}));
    REQUIRE(child.terminate(30s) == agent::ExitStatus(agent::KilledBy{SIGTERM}));
}

TEST_CASE("terminate kills what does not listen")
{
    boost::asio::io_context io;
    const Fifo fifo;
    auto child = start(io, {"stubborn", fifo.path});
    fifo.read_pid();

    REQUIRE(child.terminate(50ms) == agent::ExitStatus(agent::KilledBy{SIGKILL}));
}

TEST_CASE("a child ends with the object that holds it")
{
    boost::asio::io_context io;
    const Fifo fifo;
    pid_t pid = 0;
    {
        auto child = start(io, {"stubborn", fifo.path});
        pid = fifo.read_pid();
    }
    REQUIRE(::kill(pid, 0) == -1);
    REQUIRE(errno == ESRCH);
}

TEST_CASE("a grandchild dies when its parent is killed")
{
    boost::asio::io_context io;
    const Fifo fifo;
    auto parent = start(io, {"parent", fifo.path});
    const base::UniqueFd grandchild(base::open_pidfd(fifo.read_pid()));
    REQUIRE(grandchild);

    parent.signal(SIGKILL);

    pollfd died{grandchild.get(), POLLIN, 0};
    REQUIRE(::poll(&died, 1, 30'000) == 1);
}
