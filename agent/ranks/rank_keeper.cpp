// SPDX-License-Identifier: Apache-2.0
#include "agent/ranks/rank_keeper.hpp"

#include "agent/ranks/process_table.hpp"
#include "base/die_with_parent.hpp"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sdfleet::agent {

namespace {

/// Whether our parent still is the agent that started us; from now on its end is a SIGHUP here.
bool follow_parent()
{
    const char* variable = std::getenv(base::parent_pid_variable);
    const std::string text = variable == nullptr ? "" : variable;
    ::unsetenv(base::parent_pid_variable);
    pid_t expected = 0;
    std::from_chars(text.data(), text.data() + text.size(), expected);
    ::prctl(PR_SET_PDEATHSIG, SIGHUP);
    return text.empty() || ::getppid() == expected;
}

sigset_t signals_of_interest()
{
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) {
        ::sigaddset(&set, number);
    }
    return set;
}

/// In the child. We are a small process with one thread, so everything may be called between fork and exec.
[[noreturn]] void become_rank(const char* directory, char** command, pid_t keeper)
{
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != keeper) {
        ::_exit(command_not_executable);
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (*directory != '\0' && ::chdir(directory) != 0) {
        std::fprintf(stderr, "cannot work in %s: %s\n", directory, std::strerror(errno));
        ::_exit(command_not_executable);
    }
    ::execvp(command[0], command);
    const int error = errno;
    std::fprintf(stderr, "cannot run %s: %s\n", command[0], std::strerror(error));
    ::_exit(error == ENOENT ? command_not_found : command_not_executable);
}

/// Takes one child's end, if there is one; remembers it when it is the rank's. Returns false when there is none now.
bool reap(pid_t rank, std::optional<int>& rank_status, int options)
{
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, options);
    if (pid == rank) {
        rank_status = status;
    }
    return pid > 0;
}

/// Orphans among the rank's descendants become our children, so this ends when nobody is left.
void kill_all(pid_t rank, std::optional<int>& rank_status)
{
    for (;;) {
        const auto children = children_of(::getpid());
        if (children.empty()) {
            return;
        }
        for (const auto child : children) {
            ::kill(child, SIGKILL);
        }
        reap(rank, rank_status, 0);
        while (reap(rank, rank_status, WNOHANG)) {
        }
    }
}

[[noreturn]] void end_like(int status)
{
    if (WIFSIGNALED(status)) {
        const rlimit no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        const int number = WTERMSIG(status);
        ::signal(number, SIG_DFL);
        sigset_t none;
        ::sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::kill(::getpid(), number);
    }
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

} // namespace

int run_rank_keeper(int argc, char** argv)
{
    constexpr int first_of_command = 3;
    if (argc <= first_of_command) {
        std::fprintf(stderr, "usage: agent keep-rank DIRECTORY COMMAND...\n");
        return 2;
    }
    const auto signals = signals_of_interest();
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!follow_parent()) {
        return 1;
    }
    const pid_t keeper = ::getpid();
    const pid_t rank = ::fork();
    if (rank < 0) {
        std::fprintf(stderr, "cannot run %s: %s\n", argv[first_of_command], std::strerror(errno));
        return command_not_executable;
    }
    if (rank == 0) {
        become_rank(argv[2], argv + first_of_command, keeper);
    }
    ::setpgid(rank, rank); // as the rank does itself: whoever comes first, a SIGTERM now finds the group
    std::optional<int> status;
    while (!status) {
        const int number = ::sigwaitinfo(&signals, nullptr);
        if (number == SIGCHLD) {
            while (reap(rank, status, WNOHANG)) {
            }
        } else if (number == SIGHUP) {
            kill_all(rank, status);
        } else if (number > 0) {
            ::kill(-rank, SIGTERM);
        }
    }
    kill_all(rank, status);
    end_like(*status);
}

} // namespace sdfleet::agent
