// SPDX-License-Identifier: Apache-2.0
#include "collective/transfer.hpp"

#include "collective/core/reduction.hpp"

#include <algorithm>
#include <cstring>

namespace sdfleet::collective {

namespace {

void append(Bytes& bytes, const Piece& piece)
{
    // What a peer announces is believed for one window only: more memory is taken when more has come.
    const auto announced = std::min<std::uint64_t>(piece.header.payload_bytes, window_bytes);
    if (bytes.empty()) {
        bytes.reserve(static_cast<std::size_t>(announced));
    }
    bytes.insert(bytes.end(), piece.payload.bytes.begin(), piece.payload.bytes.end());
}

std::span<std::byte> buffer_of(const Sink& sink)
{
    if (const auto* into = std::get_if<IntoBuffer>(&sink)) {
        return into->buffer;
    }
    return std::get<IntoReduction>(sink).elements;
}

} // namespace

std::optional<WrongSize> accept(Incoming& incoming, const Piece& piece)
{
    const auto& header = piece.header;
    const auto bytes = piece.payload.bytes;
    if (header.offset != incoming.received_bytes) {
        return WrongSize{header.offset, header.offset};
    }
    if (auto* into = std::get_if<IntoBytes>(&incoming.sink)) {
        if (header.offset == 0) {
            into->bytes->clear();
        }
        append(*into->bytes, piece);
    } else {
        const auto buffer = buffer_of(incoming.sink);
        if (header.payload_bytes != buffer.size()) {
            return WrongSize{header.payload_bytes, buffer.size()};
        }
        const auto place = buffer.subspan(incoming.received_bytes, bytes.size());
        if (const auto* reduction = std::get_if<IntoReduction>(&incoming.sink)) {
            if (bytes.size() % size_of(reduction->type) != 0) {
                return WrongSize{header.offset, header.offset};
            }
            reduce_into(place, bytes, reduction->type, reduction->op);
        } else if (!bytes.empty()) {
            std::memcpy(place.data(), bytes.data(), bytes.size());
        }
    }
    incoming.received_bytes += bytes.size();
    incoming.is_done = incoming.received_bytes == header.payload_bytes;
    return std::nullopt;
}

} // namespace sdfleet::collective
