// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/error.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sdfleet::collective {

/// An error as it is told to the other ranks: its cause with the ranks and sizes that it names (the first 1,024), and the
/// first 1,000 bytes of its line.
std::vector<std::byte> encode_notice(const Error& error);

/// Takes any bytes. A cause that this release does not know reads as Aborted.
std::optional<Error> decode_notice(std::span<const std::byte> bytes);

/// "rank 3", "ranks 1, 4, 5 and 20 more"; for people.
std::string list_ranks(const std::vector<Rank>& ranks);

} // namespace sdfleet::collective
