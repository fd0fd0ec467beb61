// SPDX-License-Identifier: Apache-2.0
#include "tests/gpu/rank_process.hpp"

#include "base/die_with_parent.hpp"

#include <array>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sdfleet::gpu_test {

namespace {

std::vector<char*> pointers(std::vector<std::string>& strings)
{
    std::vector<char*> all;
    for (auto& text : strings) {
        all.push_back(text.data());
    }
    all.push_back(nullptr);
    return all;
}

} // namespace

RankProcess::RankProcess(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
                         const base::UniqueFd& control)
{
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
        throw std::runtime_error("no pipe");
    }
    output_ = base::UniqueFd(pipe[0]);
    const base::UniqueFd child_end(pipe[1]);
    std::vector<std::string> argv{"/proc/self/exe"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    std::vector<std::string> variables = environment;
    variables.push_back(std::string(base::parent_pid_variable) + "=" + std::to_string(::getpid()));
    for (char** variable = environ; *variable != nullptr; ++variable) {
        variables.emplace_back(*variable);
    }
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, child_end.get(), STDOUT_FILENO);
    if (control) {
        ::posix_spawn_file_actions_adddup2(&actions, control.get(), control_fd_of_child);
    }
    const int error =
        ::posix_spawn(&pid_, argv[0].c_str(), &actions, nullptr, pointers(argv).data(), pointers(variables).data());
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        pid_ = -1;
        throw std::runtime_error("a rank cannot be started");
    }
}

RankProcess::~RankProcess()
{
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
}

std::string RankProcess::read_output(std::chrono::steady_clock::time_point deadline)
{
    std::string output;
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        pollfd event{output_.get(), POLLIN, 0};
        if (left.count() <= 0 || ::poll(&event, 1, static_cast<int>(left.count())) <= 0) {
            ::kill(pid_, SIGKILL);
            return output;
        }
        std::array<char, 4096> part{};
        const auto length = ::read(output_.get(), part.data(), part.size());
        if (length <= 0) {
            return output;
        }
        output.append(part.data(), static_cast<std::size_t>(length));
    }
}

} // namespace sdfleet::gpu_test
