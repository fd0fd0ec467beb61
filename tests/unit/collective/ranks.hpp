// SPDX-License-Identifier: Apache-2.0
// Several ranks in one process, each on a thread of its own.
#pragma once

#include "collective/process_group.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sdfleet::collective::test {

/// A port of the loopback address that nobody listens at. Not one that the system gives to those who dial: dialling again
/// and again, one would sooner or later get it, and be connected to oneself.
inline std::uint16_t free_port()
{
    static std::atomic<std::uint32_t> next = std::random_device{}();
    constexpr std::uint32_t first = 20'000;
    constexpr std::uint32_t count = 12'000;
    while (true) {
        const auto port = static_cast<std::uint16_t>(first + next++ % count);
        const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        const bool is_free = ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
        ::close(socket);
        if (is_free) {
            return port;
        }
    }
}

/// Returns when somebody listens at this port of the loopback address.
inline void wait_for_listener(std::uint16_t port)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    bool is_there = false;
    while (!is_there) {
        const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
        is_there = ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
        ::close(socket);
        std::this_thread::yield();
    }
}

inline InitOptions options_with(std::chrono::milliseconds timeout, std::uint64_t epoch = 1)
{
    InitOptions options;
    options.timeout = timeout;
    options.epoch.value = epoch;
    return options;
}

/// What each rank's function returned, by rank. An exception ends the test program. Catch2's macros are not for threads.
template <class Outcome>
std::vector<Outcome> on_ranks(std::uint32_t world_size, const std::function<Outcome(std::uint32_t rank)>& function)
{
    std::vector<std::optional<Outcome>> found(world_size);
    std::vector<std::thread> threads;
    for (std::uint32_t rank = 0; rank < world_size; ++rank) {
        threads.emplace_back([&, rank] { found[rank] = function(rank); });
    }
    std::vector<Outcome> outcomes;
    for (std::uint32_t rank = 0; rank < world_size; ++rank) {
        threads[rank].join();
        outcomes.push_back(std::move(*found[rank]));
    }
    return outcomes;
}

constexpr std::chrono::milliseconds patience{60'000}; ///< only a failing test waits so long

/// The groups of all ranks of a world; throws when one does not come about.
inline std::vector<ProcessGroup> make_groups(std::uint32_t world_size,
                                             const InitOptions& options = options_with(patience),
                                             const std::string& secret = "")
{
    const ViaMaster master{"127.0.0.1", free_port(), secret};
    auto groups = on_ranks<std::unique_ptr<ProcessGroup>>(world_size, [&](std::uint32_t rank) {
        auto group = init_process_group(Backend::zmq, rank, world_size, master, options);
        if (!group) {
            throw std::runtime_error(group.error().message);
        }
        return std::make_unique<ProcessGroup>(std::move(*group));
    });
    std::vector<ProcessGroup> moved;
    for (auto& group : groups) {
        moved.push_back(std::move(*group));
    }
    return moved;
}

inline Bytes bytes_of(const std::string& text)
{
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

inline std::string text_of(const Bytes& bytes)
{
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

} // namespace sdfleet::collective::test
