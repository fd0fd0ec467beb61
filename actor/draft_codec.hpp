// SPDX-License-Identifier: Apache-2.0
// Internal to actor/: how a draft travels between the members of a group. Its content travels apart, as raw bytes.
#pragma once

#include "actor/actor_kind.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace sdfleet::actor {

struct DrawnItem {
    proto::AttemptId attempt_id;
    std::chrono::milliseconds elapsed{};
    Draft draft;
};

/// All but the content.
std::vector<std::byte> encode_draft(const DrawnItem& item);

/// Nothing when these bytes are no draft.
std::optional<DrawnItem> decode_draft(std::span<const std::byte> bytes);

} // namespace sdfleet::actor
