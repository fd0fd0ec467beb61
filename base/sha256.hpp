// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace sdfleet::base {

/// SHA-256 as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::span<const std::byte> bytes);
std::string sha256_hex(std::string_view text);

/// Of a file's content, read in pieces. Fails with ExitCode::failed when the file cannot be read.
Result<std::string> sha256_hex_of_file(const std::filesystem::path& path);

/// 64 lower-case hexadecimal digits, nothing else: what is safe to use as a file name.
bool is_sha256_hex(std::string_view text);

} // namespace sdfleet::base
