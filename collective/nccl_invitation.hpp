// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/cuda/nccl_plugin.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sdfleet::collective {

/// What rank 0 tells the others before NCCL can: how to reach it, and which NCCL it speaks, as two versions in one group
/// may hang instead of failing.
struct NcclInvitation {
    std::int32_t nccl_version = 0;
    std::array<std::uint8_t, SDFLEET_NCCL_UNIQUE_ID_BYTES> unique_id{};

    bool operator==(const NcclInvitation&) const = default;
};

/// "SDN1", the version as four bytes, the lowest first, and the unique id.
std::vector<std::byte> encode(const NcclInvitation& invitation);

/// Nothing where the bytes are no invitation.
std::optional<NcclInvitation> decode_nccl_invitation(std::span<const std::byte> bytes);

} // namespace sdfleet::collective
