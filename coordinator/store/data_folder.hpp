// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"

#include <filesystem>
#include <utility>

namespace sdfleet::coordinator {

/// The folder that holds all that a coordinator must not lose, locked for one process. The lock goes with the process,
/// however it ends.
class DataFolder {
public:
    /// Makes the folder when it is missing. Fails with one line when it cannot be used, or another coordinator has it.
    static base::Result<DataFolder> open(const std::filesystem::path& path);

    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path database() const { return path_ / "jobs.sqlite"; }
    std::filesystem::path artifacts() const { return path_ / "artifacts"; }

private:
    DataFolder(std::filesystem::path path, base::UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

    std::filesystem::path path_;
    base::UniqueFd lock_;
};

} // namespace sdfleet::coordinator
