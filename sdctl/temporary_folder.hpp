// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <filesystem>
#include <utility>

namespace sdfleet::sdctl {

/// A new folder that only its owner can enter; it and all in it go with the object.
class TemporaryFolder {
public:
    /// In TMPDIR, or in /tmp where that is unset or so long that sockets in it would not fit their address.
    static base::Result<TemporaryFolder> make();

    TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    TemporaryFolder& operator=(TemporaryFolder&& other) noexcept
    {
        std::swap(path_, other.path_);
        return *this;
    }
    ~TemporaryFolder();

    const std::filesystem::path& path() const { return path_; }

private:
    explicit TemporaryFolder(std::filesystem::path path) : path_(std::move(path)) {}
    std::filesystem::path path_; ///< empty = moved from
};

} // namespace sdfleet::sdctl
