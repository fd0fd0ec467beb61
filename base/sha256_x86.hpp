// SPDX-License-Identifier: Apache-2.0
// Internal to base/: SHA-256 by the processor's own instructions, where it has them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace sdfleet::base {

/// The digest, or nothing on a processor without the instructions.
std::optional<std::array<unsigned char, 32>> sha256_by_processor(std::span<const std::byte> bytes);

} // namespace sdfleet::base
