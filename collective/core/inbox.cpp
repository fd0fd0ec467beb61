// SPDX-License-Identifier: Apache-2.0
#include "collective/core/inbox.hpp"

#include <utility>

namespace sdfleet::collective {

bool Inbox::put(Piece piece)
{
    held_bytes_ += cost_of(piece.payload.bytes.size());
    if (held_bytes_ > window_bytes) {
        return false;
    }
    const auto& operation = piece.header.operation;
    auto& queue = operation.kind == OperationKind::message ? messages_[operation.root] : collective_;
    queue.push_back(std::move(piece));
    return true;
}

const Piece* Inbox::front(const Operation& operation) const
{
    if (operation.kind != OperationKind::message) {
        return collective_.empty() ? nullptr : &collective_.front();
    }
    const auto queue = messages_.find(operation.root);
    return queue == messages_.end() ? nullptr : &queue->second.front();
}

Piece Inbox::take(const Operation& operation)
{
    auto& queue = operation.kind == OperationKind::message ? messages_.at(operation.root) : collective_;
    auto piece = std::move(queue.front());
    queue.pop_front();
    if (operation.kind == OperationKind::message && queue.empty()) {
        messages_.erase(operation.root);
    }
    held_bytes_ -= cost_of(piece.payload.bytes.size());
    return piece;
}

} // namespace sdfleet::collective
