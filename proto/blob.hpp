// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace sdfleet::proto {

/// Immutable raw bytes that travel as a frame of their own, never inside msgpack. Cheap to copy; whoever holds one keeps
/// the bytes alive. May be released on any thread.
struct Blob {
    std::shared_ptr<const void> owner;
    std::span<const std::byte> bytes;

    static Blob of(std::string content)
    {
        auto text = std::make_shared<const std::string>(std::move(content));
        return {text, std::as_bytes(std::span(*text))};
    }
};

} // namespace sdfleet::proto
