// SPDX-License-Identifier: Apache-2.0
#include "collective/core/inbox.hpp"

#include <utility>

namespace sdfleet::collective {

Inbox::MessageKey Inbox::key_of(const Operation& message)
{
    return {message.kind, message.kind == OperationKind::message ? message.root : 0};
}

bool Inbox::put(Piece piece)
{
    held_bytes_ += cost_of(piece.payload.bytes.size());
    if (held_bytes_ > window_bytes) {
        return false;
    }
    const auto& operation = piece.header.operation;
    auto& queue = is_between_two(operation.kind) ? messages_[key_of(operation)] : collective_;
    queue.push_back(std::move(piece));
    return true;
}

const Piece* Inbox::front(const Operation& operation) const
{
    if (!is_between_two(operation.kind)) {
        return collective_.empty() ? nullptr : &collective_.front();
    }
    const auto queue = messages_.find(key_of(operation));
    return queue == messages_.end() ? nullptr : &queue->second.front();
}

Piece Inbox::take(const Operation& operation)
{
    auto& queue = is_between_two(operation.kind) ? messages_.at(key_of(operation)) : collective_;
    auto piece = std::move(queue.front());
    queue.pop_front();
    if (is_between_two(operation.kind) && queue.empty()) {
        messages_.erase(key_of(operation));
    }
    held_bytes_ -= cost_of(piece.payload.bytes.size());
    return piece;
}

} // namespace sdfleet::collective
