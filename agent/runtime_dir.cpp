// SPDX-License-Identifier: Apache-2.0
#include "agent/runtime_dir.hpp"

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace sdfleet::agent {

namespace {

namespace fs = std::filesystem;

constexpr const char* name_prefix = "sdfleet-agent-";
constexpr const char* lock_name = "lock";
constexpr const char* socket_name = "actors";
constexpr std::size_t max_socket_path_bytes = 107; // of a Unix socket's address, without the final zero
constexpr auto unlocked_for_long = std::chrono::hours(1);

/// The locked file; empty when another process holds it, or there is none.
base::UniqueFd try_lock(const fs::path& file, int flags)
{
    base::UniqueFd lock(::open(file.c_str(), flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return {};
    }
    return lock;
}

bool is_ours(const fs::path& folder)
{
    struct stat info {};
    return ::lstat(folder.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == ::geteuid();
}

/// Its agent is dead: its lock is free, or it was killed before it had one.
bool is_left_over(const fs::path& folder)
{
    if (fs::exists(folder / lock_name)) {
        return static_cast<bool>(try_lock(folder / lock_name, 0));
    }
    return fs::last_write_time(folder) + unlocked_for_long < fs::file_time_type::clock::now();
}

void remove_left_overs(const fs::path& parent)
{
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(parent, fs::directory_options::skip_permission_denied, ignored)) {
        const auto& folder = entry.path();
        try {
            if (folder.filename().string().starts_with(name_prefix) && is_ours(folder) && is_left_over(folder)) {
                fs::remove_all(folder);
            }
        } catch (const fs::filesystem_error&) { // another agent is removing it as well
        }
    }
}

} // namespace

base::Result<RuntimeDir> RuntimeDir::create_under(const fs::path& parent)
{
    remove_left_overs(parent);
    std::string name = parent / (std::string(name_prefix) + "XXXXXX");
    const auto fail = [&](const std::string& why) {
        return base::fail(base::ExitCode::failed, "cannot make a private folder " + name + ": " + why);
    };
    if (name.size() + 1 + std::strlen(socket_name) > max_socket_path_bytes) {
        return fail("a socket's path may have " + std::to_string(max_socket_path_bytes) +
                    " bytes; set TMPDIR to a shorter one");
    }
    if (::mkdtemp(name.data()) == nullptr) {
        return fail(std::strerror(errno));
    }
    RuntimeDir dir{fs::path(name)};
    // Locked under another name first: nobody ever sees `lock` without its holder.
    const auto draft = dir.path_ / "lock.new";
    dir.lock_ = try_lock(draft, O_CREAT | O_EXCL);
    if (!dir.lock_ || ::rename(draft.c_str(), (dir.path_ / lock_name).c_str()) != 0) {
        return fail(std::strerror(errno));
    }
    return dir;
}

base::Result<RuntimeDir> RuntimeDir::create()
{
    base::Result<RuntimeDir> dir = base::fail(base::ExitCode::failed, "");
    for (const char* variable : {"XDG_RUNTIME_DIR", "TMPDIR"}) {
        const char* parent = std::getenv(variable);
        if (parent != nullptr && *parent == '/' && (dir = create_under(parent))) {
            return dir;
        }
    }
    return create_under("/tmp");
}

RuntimeDir& RuntimeDir::operator=(RuntimeDir&& other) noexcept
{
    std::swap(path_, other.path_);
    std::swap(lock_, other.lock_);
    return *this;
}

RuntimeDir::~RuntimeDir()
{
    if (!path_.empty()) {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
}

std::string RuntimeDir::actor_endpoint() const
{
    return "ipc://" + (path_ / socket_name).string();
}

} // namespace sdfleet::agent
