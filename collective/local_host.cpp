// SPDX-License-Identifier: Apache-2.0
#include "collective/local_host.hpp"

#include "base/unique_fd.hpp"

#include <array>
#include <fstream>
#include <memory>

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sdfleet::collective {

namespace {

std::string text_of(const in_addr& address)
{
    std::array<char, INET_ADDRSTRLEN> text{};
    ::inet_ntop(AF_INET, &address, text.data(), text.size());
    return text.data();
}

/// Names a namespace; "?" where /proc does not show it.
std::string inode_of(const char* path)
{
    struct stat status {};
    return ::stat(path, &status) == 0 ? std::to_string(status.st_ino) : "?";
}

} // namespace

std::string host_identity()
{
    std::string boot = "?";
    std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
    return boot + "/" + inode_of("/proc/self/ns/mnt") + "/" + inode_of("/proc/self/ns/net") + "/" +
           std::to_string(::getuid());
}

std::optional<std::string> resolve_address(const std::string& name)
{
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(name.c_str(), nullptr, &hints, &found) != 0 || found == nullptr) {
        return std::nullopt;
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
    return text_of(reinterpret_cast<const sockaddr_in*>(found->ai_addr)->sin_addr);
}

bool is_loopback(const std::string& address)
{
    return address.starts_with("127.");
}

std::optional<std::string> address_towards(const std::string& remote)
{
    constexpr std::uint16_t any_port = 9;
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(any_port);
    if (::inet_pton(AF_INET, remote.c_str(), &to.sin_addr) != 1) {
        return std::nullopt;
    }
    const base::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in from{};
    socklen_t length = sizeof from;
    if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 ||
        ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&from), &length) != 0) {
        return std::nullopt;
    }
    return text_of(from.sin_addr);
}

} // namespace sdfleet::collective
