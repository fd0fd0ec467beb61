// SPDX-License-Identifier: Apache-2.0
#include "collective/core/notice.hpp"

#include "collective/core/byte_order.hpp"

#include <algorithm>

namespace sdfleet::collective {

namespace {

constexpr std::size_t max_entries = 1'024;
constexpr std::size_t max_message = 1'000;
constexpr std::size_t ranks_in_a_line = 16;

/// Numbers are for ever.
enum class CauseKind : std::uint8_t {
    aborted = 0,
    timed_out = 1,
    peer_lost = 2,
    size_mismatch = 3,
    operation_mismatch = 4,
    backend_unavailable = 5
};

/// A cause as it travels: two numbers for each rank.
struct Flat {
    CauseKind kind = CauseKind::aborted;
    std::uint64_t milliseconds = 0;
    std::vector<SizeMismatch::Size> entries;
};

std::vector<SizeMismatch::Size> entries_of(const std::vector<Rank>& ranks)
{
    std::vector<SizeMismatch::Size> entries;
    for (const auto rank : ranks) {
        entries.push_back({rank, 0});
    }
    return entries;
}

std::vector<Rank> ranks_of(const std::vector<SizeMismatch::Size>& entries)
{
    std::vector<Rank> ranks;
    for (const auto& entry : entries) {
        ranks.push_back(entry.rank);
    }
    return ranks;
}

Flat flatten(const Cause& cause)
{
    if (const auto* timed_out = std::get_if<TimedOut>(&cause)) {
        return {CauseKind::timed_out, static_cast<std::uint64_t>(timed_out->after.count()),
                entries_of(timed_out->missing)};
    }
    if (const auto* lost = std::get_if<PeerLost>(&cause)) {
        return {CauseKind::peer_lost, 0, entries_of(lost->ranks)};
    }
    if (const auto* sizes = std::get_if<SizeMismatch>(&cause)) {
        return {CauseKind::size_mismatch, 0, sizes->sizes};
    }
    if (std::holds_alternative<OperationMismatch>(cause)) {
        return {CauseKind::operation_mismatch, 0, {}};
    }
    return {
        std::holds_alternative<BackendUnavailable>(cause) ? CauseKind::backend_unavailable : CauseKind::aborted, 0, {}};
}

Cause unflatten(const Flat& flat)
{
    switch (flat.kind) {
    case CauseKind::timed_out:
        return TimedOut{ranks_of(flat.entries), std::chrono::milliseconds(flat.milliseconds)};
    case CauseKind::peer_lost:
        return PeerLost{ranks_of(flat.entries)};
    case CauseKind::size_mismatch:
        return SizeMismatch{flat.entries};
    case CauseKind::operation_mismatch:
        return OperationMismatch{};
    case CauseKind::backend_unavailable:
        return BackendUnavailable{};
    case CauseKind::aborted:
        break;
    }
    return Aborted{};
}

} // namespace

std::vector<std::byte> encode_notice(const Error& error)
{
    constexpr std::size_t head_bytes = 1 + 8 + 4;
    constexpr std::size_t entry_bytes = 4 + 8;
    auto flat = flatten(error.cause);
    flat.entries.resize(std::min(flat.entries.size(), max_entries));
    const auto message = error.message.substr(0, max_message);
    std::vector<std::byte> bytes(head_bytes + entry_bytes * flat.entries.size());
    ByteWriter writer(bytes);
    writer.put(static_cast<std::uint8_t>(flat.kind));
    writer.put(flat.milliseconds);
    writer.put(static_cast<std::uint32_t>(flat.entries.size()));
    for (const auto& entry : flat.entries) {
        writer.put(entry.rank.value);
        writer.put(static_cast<std::uint64_t>(entry.bytes));
    }
    std::ranges::transform(message, std::back_inserter(bytes), [](char c) { return static_cast<std::byte>(c); });
    return bytes;
}

std::optional<Error> decode_notice(std::span<const std::byte> bytes)
{
    constexpr std::uint64_t max_milliseconds = std::uint64_t{1} << 40;
    ByteReader reader(bytes);
    Flat flat;
    flat.kind = static_cast<CauseKind>(reader.take<std::uint8_t>());
    flat.milliseconds = std::min(reader.take<std::uint64_t>(), max_milliseconds);
    const auto entries = reader.take<std::uint32_t>();
    if (entries > max_entries) {
        return std::nullopt;
    }
    for (std::uint32_t i = 0; i < entries && reader.is_good(); ++i) {
        const Rank rank{reader.take<std::uint32_t>()};
        flat.entries.push_back({rank, reader.take<std::uint64_t>()});
    }
    const auto text = reader.rest();
    if (!reader.is_good() || text.size() > max_message) {
        return std::nullopt;
    }
    Error error{unflatten(flat), ""};
    std::ranges::transform(text, std::back_inserter(error.message), [](std::byte b) {
        const auto c = std::to_integer<unsigned char>(b);
        return c < ' ' ? ' ' : static_cast<char>(c); // one line, whoever wrote it
    });
    return error;
}

std::string list_ranks(const std::vector<Rank>& ranks)
{
    std::string text = ranks.size() == 1 ? "rank " : "ranks ";
    const auto shown = std::min(ranks.size(), ranks_in_a_line);
    for (std::size_t i = 0; i < shown; ++i) {
        text += (i == 0 ? "" : ", ") + std::to_string(ranks[i].value);
    }
    return shown == ranks.size() ? text : text + " and " + std::to_string(ranks.size() - shown) + " more";
}

} // namespace sdfleet::collective
