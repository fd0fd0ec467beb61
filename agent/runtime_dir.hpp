// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"

#include <filesystem>
#include <string>
#include <utility>

namespace sdfleet::agent {

/// A private folder (mode 0700) for the socket that actors dial, sdfleet-agent-XXXXXX, for as long as the object lives.
/// A locked file in it says that its agent lives; an agent that starts removes the folders of those that were killed.
class RuntimeDir {
public:
    /// Under $XDG_RUNTIME_DIR, else $TMPDIR, else /tmp: the first where it can be made.
    static base::Result<RuntimeDir> create();

    /// The same under a given folder.
    static base::Result<RuntimeDir> create_under(const std::filesystem::path& parent);

    RuntimeDir(RuntimeDir&& other) noexcept : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}
    RuntimeDir& operator=(RuntimeDir&& other) noexcept;
    ~RuntimeDir();

    const std::filesystem::path& path() const { return path_; }

    /// "ipc://..." of the actors' socket in it.
    std::string actor_endpoint() const;

private:
    explicit RuntimeDir(std::filesystem::path path) : path_(std::move(path)) {}

    std::filesystem::path path_;
    base::UniqueFd lock_;
};

} // namespace sdfleet::agent
