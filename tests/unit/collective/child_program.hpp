// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.hpp"
#include "tests/catch.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sdfleet::collective {

/// A program at work, which writes stdout and stderr to one pipe. Killed, should a test end early.
class Program {
public:
    Program(const std::string& path, std::vector<std::string> arguments)
    {
        std::array<int, 2> ends{};
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
        output_ = ::fdopen(ends[0], "r");
        const base::UniqueFd write_end(ends[1]);
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDERR_FILENO);
        arguments.insert(arguments.begin(), path);
        std::vector<char*> pointers;
        for (auto& argument : arguments) {
            pointers.push_back(argument.data());
        }
        pointers.push_back(nullptr);
        REQUIRE(::posix_spawn(&pid_, path.c_str(), &actions, nullptr, pointers.data(), environ) == 0);
        ::posix_spawn_file_actions_destroy(&actions);
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    ~Program()
    {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        std::fclose(output_);
    }

    pid_t pid() const { return pid_; }

    /// "" at the end, which comes when the last process that could write has ended.
    std::string next_line()
    {
        std::array<char, 512> buffer{};
        if (std::fgets(buffer.data(), buffer.size(), output_) == nullptr) {
            return "";
        }
        std::string line = buffer.data();
        line.erase(std::remove(line.begin(), line.end(), '\n'), line.end());
        return line;
    }

    std::vector<std::string> lines()
    {
        std::vector<std::string> result;
        for (std::string line = next_line(); !line.empty(); line = next_line()) {
            result.push_back(line);
        }
        return result;
    }

    int wait()
    {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        return status;
    }

private:
    pid_t pid_ = -1;
    std::FILE* output_ = nullptr;
};

struct Outcome {
    std::vector<std::string> lines;
    int exit_code = 0;

    bool has(const std::string& line) const { return std::ranges::find(lines, line) != lines.end(); }
    long count(const std::string& beginning) const
    {
        return std::ranges::count_if(lines, [&](const auto& line) { return line.starts_with(beginning); });
    }
};

inline Outcome run_program(const std::string& path, std::vector<std::string> arguments)
{
    Program program(path, std::move(arguments));
    auto lines = program.lines();
    const int status = program.wait();
    return {lines, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)};
}

inline std::string all(const Outcome& outcome)
{
    std::ostringstream text;
    for (const auto& line : outcome.lines) {
        text << line << '\n';
    }
    return text.str();
}

} // namespace sdfleet::collective
