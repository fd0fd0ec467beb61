// SPDX-License-Identifier: Apache-2.0
#include "net/frames.hpp"

#include <memory>
#include <string>
#include <utility>

namespace sdfleet::net {

namespace {

/// A blob while ZeroMQ has it.
struct Lent {
    std::shared_ptr<const void> owner;
    std::size_t size_bytes = 0;
    BlobBudget::Counter waiting;
};

/// ZeroMQ calls this on its own thread when the bytes are on the network.
void release_owner(void* /*data*/, void* hint)
{
    const std::unique_ptr<Lent> lent(static_cast<Lent*>(hint));
    if (lent->waiting) {
        *lent->waiting -= lent->size_bytes;
    }
}

/// Up to this size a copy costs less than to have ZeroMQ's thread give the bytes back, and a thousand of them are no burden.
constexpr std::size_t lent_from_bytes = 1024;

zmq::message_t frame_of(const proto::Blob& blob, const BlobBudget::Counter& waiting)
{
    if (blob.bytes.size() < lent_from_bytes) {
        return {blob.bytes.data(), blob.bytes.size()};
    }
    auto* lent = new Lent{blob.owner, blob.bytes.size(), waiting};
    if (waiting) {
        *waiting += blob.bytes.size();
    }
    // ZeroMQ takes a mutable pointer but only reads what it sends.
    return {const_cast<std::byte*>(blob.bytes.data()), blob.bytes.size(), release_owner, lent};
}

proto::Blob blob_of(zmq::message_t frame)
{
    auto owner = std::make_shared<zmq::message_t>(std::move(frame));
    const auto bytes = std::span(owner->data<const std::byte>(), owner->size());
    return {std::move(owner), bytes};
}

} // namespace

SendResult append_frames(Frames& frames, const proto::Packet& packet, const BlobBudget::Counter& waiting)
{
    thread_local std::string head; // keeps its memory from one message to the next
    head.clear();
    proto::append_encoded(head, packet.envelope, packet.message);
    if (head.size() > proto::max_message_bytes || packet.blobs.size() > proto::max_blobs) {
        return tl::unexpected(SendError::too_large);
    }
    frames.emplace_back(head.data(), head.size());
    constexpr std::size_t worth_keeping = 64 * 1024;
    if (head.capacity() > worth_keeping) {
        head = {};
    }
    for (const auto& blob : packet.blobs) {
        if (blob.bytes.size() > proto::max_blob_bytes) {
            return tl::unexpected(SendError::too_large);
        }
        frames.push_back(frame_of(blob, waiting));
    }
    return {};
}

tl::expected<proto::Packet, proto::DecodeError> read_packet(std::span<zmq::message_t> frames)
{
    using Kind = proto::DecodeError::Kind;
    if (frames.empty() || frames.size() > proto::max_blobs + 1) {
        return tl::unexpected(
            proto::DecodeError{Kind::malformed, std::to_string(frames.size()) + " frames are no message of ours"});
    }
    auto decoded = proto::decode(std::span(frames[0].data<const std::byte>(), frames[0].size()));
    if (!decoded) {
        return tl::unexpected(std::move(decoded.error()));
    }
    proto::Packet packet{std::move(decoded->envelope), std::move(decoded->message), {}};
    for (auto& frame : frames.subspan(1)) {
        packet.blobs.push_back(blob_of(std::move(frame)));
    }
    return packet;
}

} // namespace sdfleet::net
