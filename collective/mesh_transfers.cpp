// SPDX-License-Identifier: Apache-2.0
// How payloads travel between the ranks of a group, and how it is found out that ranks do not agree.
#include "collective/mesh.hpp"

#include "collective/core/notice.hpp"

#include <algorithm>

namespace sdfleet::collective {

namespace {

/// Up to this size a copy costs less than to wait until ZeroMQ has read the payload.
constexpr std::size_t lend_from_bytes = 32u << 10;

/// Before the deadline there is time for questions.
constexpr std::chrono::milliseconds inquiry_time{300};

bool agree(const Operation& ours, const Operation& theirs)
{
    auto same_size = theirs;
    same_size.whole_bytes = ours.whole_bytes;
    return same_size == ours;
}

std::string name_of(const Operation& operation)
{
    std::string name = to_string(operation.kind);
    if (operation.kind == OperationKind::all_reduce || operation.kind == OperationKind::device_all_reduce) {
        return name + " (element type " + std::to_string(static_cast<int>(operation.type)) + ", reduction " +
               std::to_string(static_cast<int>(operation.reduce)) + ")";
    }
    if (operation.kind == OperationKind::device_message) {
        return name + " (sent by rank " + std::to_string(operation.root) + ", element type " +
               std::to_string(static_cast<int>(operation.type)) + ")";
    }
    if (is_on_device(operation.kind)) {
        return name + " (root " + std::to_string(operation.root) + ", element type " +
               std::to_string(static_cast<int>(operation.type)) + ")";
    }
    return name + " (root " + std::to_string(operation.root) + ")";
}

} // namespace

Result<void> Mesh::run(const Operation& operation, std::span<Outgoing> outgoing, std::span<Incoming> incoming,
                       Until until, Deadline deadline)
{
    if (failure_ || (!socket_ && self_.world_size > 1)) {
        return report();
    }
    current_ = {&operation, outgoing, incoming, until};
    inquiry_.reset();
    const auto inquiry_at = deadline.at - std::min(inquiry_time, deadline.timeout / 4);
    const auto done = [&] { current_ = {}; };
    if (socket_) {
        check_early_pieces();
    }
    while (!failure_) {
        if (socket_) {
            take_events();
        }
        const bool has_moved = !failure_ && advance();
        if (failure_) {
            break;
        }
        if (is_done()) {
            done();
            return {};
        }
        if (has_moved) {
            continue;
        }
        const auto now = Deadline::Clock::now();
        if (now >= deadline.at) {
            const auto missing = inquiry_ ? inquiry_->missing() : waited_for();
            set_failure(operation, TimedOut{missing, deadline.timeout},
                        list_ranks(missing) + " did not come within " + std::to_string(deadline.timeout.count()) +
                            " ms");
            break;
        }
        if (now >= inquiry_at && inquire()) {
            continue; // what came meanwhile is looked at before each wait
        }
        wait(now >= inquiry_at ? deadline.at : inquiry_at);
    }
    done();
    return report();
}

/// True when something was sent, received, or found to be done.
bool Mesh::advance()
{
    bool has_moved = false;
    for (auto& outgoing : current_.outgoing) {
        has_moved |= !outgoing.is_done && send_more(outgoing);
    }
    for (auto& incoming : current_.incoming) {
        has_moved |= !failure_ && !incoming.is_done && deliver(incoming);
    }
    return has_moved;
}

bool Mesh::is_done() const
{
    const auto done = [](const auto& transfer) { return transfer.is_done; };
    return std::ranges::all_of(current_.outgoing, done) && std::ranges::all_of(current_.incoming, done) && !is_lent();
}

/// Whether memory that is to be free is still read.
bool Mesh::is_lent() const
{
    return current_.until == Until::memory_free && socket_ && socket_->lent() > 0;
}

bool Mesh::send_more(Outgoing& outgoing)
{
    auto& peer = peers_[outgoing.to.value];
    if (peer.has_left) {
        set_failure(*current_.operation, PeerLost{{outgoing.to}}, list_ranks({outgoing.to}) + " has left the group");
        return false;
    }
    bool has_moved = false;
    while (!outgoing.is_done) {
        const auto size = std::min(outgoing.bytes.size() - outgoing.sent_bytes, max_piece_bytes);
        if (peer.on_its_way_bytes + cost_of(size) > window_bytes) {
            break;
        }
        const FrameHeader header{FrameKind::data, self_.epoch.value, *current_.operation, outgoing.bytes.size(),
                                 outgoing.sent_bytes};
        const auto piece = outgoing.bytes.subspan(outgoing.sent_bytes, size);
        const auto bytes = encode(header);
        const auto sent = size < lend_from_bytes ? socket_->send(peer.name, bytes, piece)
                                                 : socket_->send_lent(peer.name, bytes, piece);
        if (!sent) { // the connection is gone; its end is among the next events
            break;
        }
        peer.on_its_way_bytes += cost_of(size);
        outgoing.sent_bytes += size;
        outgoing.is_done = outgoing.sent_bytes == outgoing.bytes.size();
        has_moved = true;
    }
    return has_moved;
}

void Mesh::take_piece(Rank from, Piece piece)
{
    const auto header = piece.header;
    if (!peers_[from.value].inbox.put(std::move(piece))) {
        return set_failure({}, PeerLost{{from}},
                           list_ranks({from}) + " does not keep to the protocol: it sends too much");
    }
    if (current_.operation == nullptr || !check_piece(from, header)) {
        return;
    }
    for (auto& incoming : current_.incoming) {
        if (incoming.from == from && !incoming.is_done) {
            deliver(incoming);
        }
    }
}

/// Takes what is there for it.
bool Mesh::deliver(Incoming& incoming)
{
    const auto& operation = *current_.operation;
    auto& peer = peers_[incoming.from.value];
    bool has_moved = false;
    while (!incoming.is_done) {
        const auto* front = peer.inbox.front(operation);
        if (front == nullptr) {
            if (peer.has_left) {
                set_failure(operation, PeerLost{{incoming.from}}, list_ranks({incoming.from}) + " has left the group");
            }
            break;
        }
        if (front->header.operation != operation) { // it went past this operation
            find_mismatch(incoming.from, front->header.operation);
            break;
        }
        const auto piece = peer.inbox.take(operation);
        if (const auto wrong = accept(incoming, piece)) {
            if (wrong->came == wrong->expected) {
                set_failure(operation, PeerLost{{incoming.from}},
                            list_ranks({incoming.from}) + " does not keep to the protocol: pieces out of order");
            } else {
                set_failure(operation,
                            SizeMismatch{{{self_.rank, static_cast<std::size_t>(wrong->expected)},
                                          {incoming.from, static_cast<std::size_t>(wrong->came)}}},
                            list_ranks({incoming.from}) + " sends " + std::to_string(wrong->came) +
                                " bytes where this rank expects " + std::to_string(wrong->expected));
            }
            break;
        }
        give_credit(incoming.from, cost_of(piece.payload.bytes.size()));
        has_moved = true;
    }
    return has_moved;
}

void Mesh::give_credit(Rank to, std::size_t cost)
{
    auto& peer = peers_[to.value];
    peer.taken_bytes += cost;
    if (peer.taken_bytes >= window_bytes / 4) {
        send_control(to, FrameKind::credit, peer.taken_bytes);
        peer.taken_bytes = 0;
    }
}

/// What came before this operation began may show that the ranks do not agree.
void Mesh::check_early_pieces()
{
    for (Rank rank; rank.value < self_.world_size; ++rank.value) {
        if (const auto* front = peers_[rank.value].inbox.front(Operation{}); front != nullptr && !failure_) {
            check_piece(rank, front->header);
        }
    }
}

/// False when the piece shows that its sender does something else than this rank.
bool Mesh::check_piece(Rank from, const FrameHeader& header)
{
    const auto& ours = *current_.operation;
    const auto& theirs = header.operation;
    const bool is_message = is_between_two(ours.kind) || is_between_two(theirs.kind);
    if (is_message || theirs.sequence > ours.sequence || theirs == ours) {
        return true;
    }
    find_mismatch(from, theirs);
    return false;
}

void Mesh::find_mismatch(Rank from, const Operation& theirs)
{
    const auto& ours = *current_.operation;
    if (!agree(ours, theirs)) {
        set_failure(ours, OperationMismatch{},
                    list_ranks({from}) + " called " + name_of(theirs) + " as its operation " +
                        std::to_string(theirs.sequence) + ", this rank " + name_of(ours) + " as its operation " +
                        std::to_string(ours.sequence));
        return;
    }
    SizeMismatch sizes{{{self_.rank, static_cast<std::size_t>(ours.whole_bytes)}}};
    std::string text;
    for (Rank rank; rank.value < self_.world_size; ++rank.value) {
        const auto* front = peers_[rank.value].inbox.front(ours);
        if (front != nullptr && agree(ours, front->header.operation)) {
            const auto bytes = front->header.operation.whole_bytes;
            sizes.sizes.push_back({rank, static_cast<std::size_t>(bytes)});
            text += ", " + list_ranks({rank}) + " has " + std::to_string(bytes);
        }
    }
    set_failure(ours, std::move(sizes),
                "sizes differ: this rank has " + std::to_string(ours.whole_bytes) + " bytes" + text);
}

/// Whom this rank waits for. What goes out waits for a peer that must take something first.
std::vector<Rank> Mesh::waited_for() const
{
    std::set<Rank> ranks;
    for (const auto& incoming : current_.incoming) {
        if (!incoming.is_done) {
            ranks.insert(incoming.from);
        }
    }
    for (const auto& outgoing : current_.outgoing) {
        if (!outgoing.is_done || is_lent()) {
            ranks.insert(outgoing.to);
        }
    }
    return {ranks.begin(), ranks.end()};
}

/// True when somebody was asked.
bool Mesh::inquire()
{
    if (!inquiry_) {
        inquiry_.emplace(self_.rank, waited_for());
    }
    const auto unasked = inquiry_->take_unasked();
    for (const auto rank : unasked) {
        if (rank.value < self_.world_size) {
            send_control(rank, FrameKind::query, 0);
        }
    }
    return !unasked.empty();
}

} // namespace sdfleet::collective
