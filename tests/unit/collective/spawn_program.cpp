// SPDX-License-Identifier: Apache-2.0
// What spawn_test runs. Ranks tell what they do in lines on stdout, one write each.
#include "collective/spawn.hpp"

#include <csignal>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <unistd.h>

using namespace sdfleet::collective;

namespace {

std::string variable(const char* name)
{
    const char* value = std::getenv(name);
    return value == nullptr ? "-" : value;
}

template <class... Words>
void say(const Words&... words)
{
    std::ostringstream line;
    (line << ... << words) << '\n';
    const std::string text = line.str();
    if (::write(STDOUT_FILENO, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        std::_Exit(3);
    }
}

[[noreturn]] void wait_for_ever()
{
    for (;;) {
        ::pause();
    }
}

int report(const tl::expected<void, SpawnError>& result)
{
    if (result) {
        say("ok");
        return 0;
    }
    say("error ", result.error().message);
    return 1;
}

int tell_environment(std::uint32_t rank)
{
    say("rank ", rank, " RANK=", variable("RANK"), " WORLD_SIZE=", variable("WORLD_SIZE"),
        " LOCAL_RANK=", variable("LOCAL_RANK"), " LOCAL_WORLD_SIZE=", variable("LOCAL_WORLD_SIZE"),
        " MASTER_ADDR=", variable("MASTER_ADDR"), " SDFLEET_AGENT=", variable("SDFLEET_AGENT"),
        " SDFLEET_SPAWN=", variable("SDFLEET_SPAWN"), " MINE=", variable("MINE"));
    say("port ", variable("MASTER_PORT"));
    say("secret ", variable("SDFLEET_GROUP_SECRET"));
    return 0;
}

/// Rank 1 fails in its own way; the others would stay for ever.
int fail_as(const std::string& how, std::uint32_t rank)
{
    if (rank != 1) {
        wait_for_ever();
    }
    if (how == "code") {
        return 7;
    }
    if (how == "large") {
        return 512; // of which only the low byte would arrive: 0
    }
    if (how == "throw") {
        throw std::runtime_error("no such prompt");
    }
    std::raise(SIGKILL);
    return 0;
}

/// The others do not listen to SIGTERM, and rank 1 fails when they have said so through the pipe.
int fail_beside_stubborn_ranks(const char* pipe, std::uint32_t rank)
{
    const int descriptor = ::open(pipe, O_RDWR | O_CLOEXEC);
    char byte = 0;
    if (rank != 1) {
        std::signal(SIGTERM, SIG_IGN);
        if (::write(descriptor, &byte, 1) == 1) {
            wait_for_ever();
        }
    }
    for (int others = 0; others < 2; ++others) {
        if (::read(descriptor, &byte, 1) != 1) {
            return 3;
        }
    }
    return 7;
}

int nested()
{
    const auto inner = [](std::uint32_t rank) {
        say("inner ", rank);
        return 0;
    };
    const auto outer = [&](std::uint32_t rank) {
        const auto first = spawn(inner, 1);
        const auto second = spawn(
            [rank](std::uint32_t inner_rank) {
                say("inner ", inner_rank, " of ", rank, " world ", variable("WORLD_SIZE"));
                return 0;
            },
            2);
        return first && second ? 0 : 1;
    };
    return report(spawn(outer, 2));
}

} // namespace

int main(int argc, char** argv)
{
    const std::string mode = argc > 1 ? argv[1] : "";
    const std::string detail = argc > 2 ? argv[2] : "";
    if (mode == "environment") {
        return report(spawn(tell_environment, 2));
    }
    if (mode == "fail") {
        return report(spawn([&](std::uint32_t rank) { return fail_as(detail, rank); }, 3));
    }
    if (mode == "stubborn") {
        const SpawnOptions options{.grace = std::chrono::milliseconds(50)};
        const auto function = [&](std::uint32_t rank) { return fail_beside_stubborn_ranks(detail.c_str(), rank); };
        return report(spawn(function, 3, options));
    }
    if (mode == "twice") {
        const auto tell = [](const char* call) {
            return [call](std::uint32_t rank) { return say(call, " ", rank), 0; };
        };
        const auto first = spawn(tell("first"), 2);
        const auto second = spawn(tell("second"), 2);
        return report(first ? second : first);
    }
    if (mode == "nested") {
        return nested();
    }
    if (mode == "wait") {
        return report(spawn(
            [](std::uint32_t) {
                say("pid ", ::getpid());
                wait_for_ever();
                return 0;
            },
            2));
    }
    if (mode == "lost") {
        // Rank 1 takes another way than its parent and never comes to the call.
        if (variable("RANK") == "1") {
            return 0;
        }
        return report(spawn([](std::uint32_t) { return 0; }, 2));
    }
    return report(spawn([](std::uint32_t) { return 0; }, static_cast<std::uint32_t>(std::stoul(mode))));
}
