// SPDX-License-Identifier: Apache-2.0
#include "collective/spawn_environment.hpp"

#include "base/die_with_parent.hpp"
#include "base/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sdfleet::collective {

namespace {

/// What tells a process that it is a rank of some other program.
constexpr std::string_view of_another_program[] = {"SDFLEET_AGENT", "SDFLEET_PROGRAM", "SDFLEET_EPOCH",
                                                   "TORCHELASTIC_RESTART_COUNT"};

std::uint16_t free_loopback_port()
{
    const base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    const bool is_bound =
        socket && ::bind(socket.get(), generic, size) == 0 && ::getsockname(socket.get(), generic, &size) == 0;
    return is_bound ? ntohs(address.sin_port) : std::uint16_t{0};
}

std::string random_hex()
{
    std::array<unsigned char, 32> bytes{};
    if (::getentropy(bytes.data(), bytes.size()) != 0) {
        return "";
    }
    std::string text;
    for (const unsigned char byte : bytes) {
        char digits[3];
        std::snprintf(digits, sizeof(digits), "%02x", byte);
        text += digits;
    }
    return text;
}

} // namespace

SpawnMeeting choose_meeting()
{
    return {free_loopback_port(), random_hex()};
}

std::vector<std::string> environment_of_rank(std::uint32_t rank, std::uint32_t nprocs, const SpawnMeeting& meeting,
                                             const std::string& spawn_path)
{
    const std::vector<std::pair<std::string, std::string>> added{
        {"RANK", std::to_string(rank)},
        {"WORLD_SIZE", std::to_string(nprocs)},
        {"LOCAL_RANK", std::to_string(rank)},
        {"LOCAL_WORLD_SIZE", std::to_string(nprocs)},
        {"MASTER_ADDR", "127.0.0.1"},
        {"MASTER_PORT", std::to_string(meeting.master_port)},
        {"SDFLEET_GROUP_SECRET", meeting.secret},
        {spawn_path_variable, spawn_path},
        {base::parent_pid_variable, std::to_string(::getpid())}};
    std::vector<std::string> result;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const auto name = text.substr(0, text.find('='));
        const bool is_replaced =
            std::any_of(added.begin(), added.end(), [&](const auto& v) { return v.first == name; });
        if (!is_replaced && std::ranges::find(of_another_program, name) == std::end(of_another_program)) {
            result.emplace_back(text);
        }
    }
    for (const auto& [name, value] : added) {
        result.push_back(name + "=" + value);
    }
    return result;
}

} // namespace sdfleet::collective
