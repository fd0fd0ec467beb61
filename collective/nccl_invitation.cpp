// SPDX-License-Identifier: Apache-2.0
#include "collective/nccl_invitation.hpp"

#include <algorithm>
#include <cstring>

namespace sdfleet::collective {

namespace {

constexpr std::array<char, 4> magic{'S', 'D', 'N', '1'};
constexpr std::size_t size_bytes = magic.size() + 4 + SDFLEET_NCCL_UNIQUE_ID_BYTES;

} // namespace

std::vector<std::byte> encode(const NcclInvitation& invitation)
{
    std::vector<std::byte> bytes;
    bytes.reserve(size_bytes);
    std::ranges::transform(magic, std::back_inserter(bytes), [](char c) { return static_cast<std::byte>(c); });
    for (int shift = 0; shift < 32; shift += 8) {
        bytes.push_back(static_cast<std::byte>(static_cast<std::uint32_t>(invitation.nccl_version) >> shift));
    }
    std::ranges::transform(invitation.unique_id, std::back_inserter(bytes),
                           [](auto b) { return static_cast<std::byte>(b); });
    return bytes;
}

std::optional<NcclInvitation> decode_nccl_invitation(std::span<const std::byte> bytes)
{
    if (bytes.size() != size_bytes || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0) {
        return std::nullopt;
    }
    NcclInvitation invitation;
    std::uint32_t version = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        version |= std::to_integer<std::uint32_t>(bytes[magic.size() + i]) << (8 * i);
    }
    invitation.nccl_version = static_cast<std::int32_t>(version);
    std::memcpy(invitation.unique_id.data(), bytes.data() + magic.size() + 4, invitation.unique_id.size());
    return invitation;
}

} // namespace sdfleet::collective
