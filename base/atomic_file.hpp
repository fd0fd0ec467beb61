// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <filesystem>
#include <span>

namespace sdfleet::base {

enum class FileMode : unsigned {
    readable = 0644,
    owner_only = 0600 ///< secrets: never readable by others, not for a moment
};

/// Writes `bytes` to `path` so that a reader, or a machine that loses power, sees the old file or the whole new one:
/// a temporary file beside it, fsync, rename, fsync of the folder. The folder must exist. On failure nothing is left
/// behind and the error (ExitCode::failed) names the path and the reason ("No space left on device").
/// Safe to call from several threads and processes; the last rename wins.
Result<void> write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes,
                                   FileMode mode = FileMode::readable);

/// The whole file as a string. Refuses a file above `max_bytes`. Fails with ExitCode::failed.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes);

} // namespace sdfleet::base
