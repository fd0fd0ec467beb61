// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/unit/sdctl/scratch_folder.hpp"

#include "tests/catch.hpp"

#include <array>
#include <cstdio>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace sdfleet::tests {

/// What this process writes to its stdout and stderr while the object lives.
class CapturedOutput {
public:
    CapturedOutput()
    {
        for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
            std::fflush(fd == STDOUT_FILENO ? stdout : stderr);
            saved_.at(index(fd)) = ::dup(fd);
            const int file = ::open((folder_.path() / name(fd)).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
            REQUIRE(file >= 0);
            ::dup2(file, fd);
            ::close(file);
        }
    }
    ~CapturedOutput() { release(); }
    CapturedOutput(const CapturedOutput&) = delete;
    CapturedOutput& operator=(const CapturedOutput&) = delete;

    /// All of it; from now on nothing is captured, so that the test can speak.
    struct Text {
        std::string out;
        std::string err;
    };
    Text take()
    {
        release();
        return {folder_.read(name(STDOUT_FILENO)), folder_.read(name(STDERR_FILENO))};
    }

private:
    static std::size_t index(int fd) { return fd == STDOUT_FILENO ? 0 : 1; }
    static std::string name(int fd) { return fd == STDOUT_FILENO ? "out" : "err"; }

    void release()
    {
        for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
            if (int& saved = saved_.at(index(fd)); saved >= 0) {
                std::fflush(fd == STDOUT_FILENO ? stdout : stderr);
                ::dup2(saved, fd);
                ::close(saved);
                saved = -1;
            }
        }
    }

    ScratchFolder folder_;
    std::array<int, 2> saved_{-1, -1};
};

} // namespace sdfleet::tests
