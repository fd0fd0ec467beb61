// SPDX-License-Identifier: Apache-2.0
#include "collective/private_folder.hpp"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace sdfleet::collective {

namespace {

constexpr const char* socket_name = "/s";
constexpr std::size_t max_parent = 60; ///< a socket's name has 107 characters at most

base::UniqueFd open_folder(const std::string& path)
{
    return base::UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

/// The user's own folder of such folders; an attacker may have been there before, so it is looked at closely.
std::optional<std::string> find_parent()
{
    const char* runtime = std::getenv("XDG_RUNTIME_DIR");
    std::vector<std::string> places;
    if (runtime != nullptr && *runtime == '/') {
        places.emplace_back(runtime);
    }
    places.emplace_back("/tmp");
    for (const auto& place : places) {
        auto parent = place + "/sdfleet-" + std::to_string(::getuid());
        ::mkdir(parent.c_str(), S_IRWXU);
        struct stat status {};
        if (parent.size() <= max_parent && ::lstat(parent.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
            status.st_uid == ::getuid() && (status.st_mode & (S_IRWXG | S_IRWXO)) == 0) {
            return parent;
        }
    }
    return std::nullopt;
}

/// Its holder may have been stopped: then one goes without.
bool lock_soon(int folder)
{
    constexpr int tries = 100;
    constexpr std::chrono::milliseconds pause{10};
    for (int i = 0; i < tries; ++i) {
        if (::flock(folder, LOCK_EX | LOCK_NB) == 0) {
            return true;
        }
        std::this_thread::sleep_for(pause);
    }
    return false;
}

void remove_abandoned(const std::string& parent)
{
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(parent, ignored)) {
        const auto path = entry.path().string();
        if (!entry.path().filename().string().starts_with("g-")) {
            continue;
        }
        const auto folder = open_folder(path);
        if (folder && ::flock(folder.get(), LOCK_EX | LOCK_NB) == 0) {
            ::unlink((path + socket_name).c_str());
            ::rmdir(path.c_str());
        }
    }
}

} // namespace

std::optional<PrivateFolder> PrivateFolder::make()
{
    const auto parent = find_parent();
    if (!parent) {
        return std::nullopt;
    }
    // While this is held, nobody takes a folder that has no lock yet for one that has none any more.
    const auto guard = open_folder(*parent);
    if (!guard || !lock_soon(guard.get())) {
        return std::nullopt;
    }
    remove_abandoned(*parent);
    auto path = *parent + "/g-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) {
        return std::nullopt;
    }
    auto lock = open_folder(path);
    if (!lock || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        ::rmdir(path.c_str());
        return std::nullopt;
    }
    return PrivateFolder(path, std::move(lock));
}

PrivateFolder::~PrivateFolder()
{
    if (lock_) {
        ::unlink(file().c_str());
        ::rmdir(path_.c_str());
    }
}

std::string PrivateFolder::file() const
{
    return path_ + socket_name;
}

} // namespace sdfleet::collective
