// SPDX-License-Identifier: Apache-2.0
// The key that a program dials a coordinator with.
#pragma once

#include "base/error.hpp"
#include "net/curve.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace sdfleet::net {

/// The key in `key_file`, or none when it is empty. None on ipc:// either: no coordinator asks for one there, and a socket
/// that offers one would wait for ever, so SDFLEET_KEY_FILE may stay set. Fails as load_member_key() does.
base::Result<std::optional<CurveClient>> find_dial_key(const std::string& endpoint,
                                                       const std::filesystem::path& key_file);

/// Who is turned away for the key hears nothing, as if no coordinator ran there. What keys may have to do with the silence
/// of `endpoint`, as a sentence without a full stop; empty when nothing.
std::string key_advice(const std::string& endpoint, bool has_key);

} // namespace sdfleet::net
