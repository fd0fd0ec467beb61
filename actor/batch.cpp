// SPDX-License-Identifier: Apache-2.0
#include "actor/batch.hpp"

#include "actor/item_result.hpp"

#include <algorithm>

namespace sdfleet::actor {

std::optional<BatchPolicy::OpenBatch> Batch::open() const
{
    if (items_.empty()) {
        return std::nullopt;
    }
    return BatchPolicy::OpenBatch{key_, session_->room()};
}

void Batch::join(HeldItem item)
{
    if (items_.empty() && key_ != item.key) {
        close();
    }
    const auto begun = BatchPolicy::Time::clock::now();
    if (auto joined = guarded([&] { return try_join(item); })) {
        items_.push_back({std::move(item), begun});
    } else {
        left_.push_back({std::move(item), tl::unexpected(std::move(joined.error())), nullptr, begun, 0});
    }
}

tl::expected<void, Failure> Batch::try_join(const HeldItem& item)
{
    const auto& assign = item.assign;
    if (session_ == nullptr) {
        const auto kind = kinds_.find(assign.parameters.kind_name());
        if (kind == kinds_.end()) {
            return tl::unexpected(
                Failure{proto::FailureReason::bad_request,
                        std::string("this actor does no ") + assign.parameters.kind_name() + " work"});
        }
        auto session = kind->second->open_session(assign);
        if (!session) {
            return tl::unexpected(std::move(session.error()));
        }
        kind_ = kind->second.get();
        key_ = item.key;
        session_ = std::move(*session);
    }
    return session_->join(assign, context_of_(assign.attempt_id, item.stop.get_token()));
}

void Batch::step()
{
    drop_cancelled();
    if (items_.empty()) {
        return;
    }
    const std::size_t beside = items_.size() - 1;
    auto stepped = guarded([&]() -> tl::expected<std::vector<Ended>, Failure> { return session_->step(); });
    if (!stepped) {
        while (!items_.empty()) {
            end(0, tl::unexpected(stepped.error()), beside);
        }
        close();
        return;
    }
    for (auto& ended : *stepped) {
        const auto member = std::ranges::find(
            items_, ended.attempt_id, [](const Member& m) -> const auto& { return m.item.assign.attempt_id; });
        if (member != items_.end()) {
            end(static_cast<std::size_t>(member - items_.begin()), std::move(ended.outcome), beside);
        }
    }
}

void Batch::drop_cancelled()
{
    for (std::size_t i = items_.size(); i-- > 0;) {
        if (items_[i].item.stop.stop_requested()) {
            session_->leave(items_[i].item.assign.attempt_id);
            end(i, tl::unexpected(Failure{proto::FailureReason::cancelled, "cancelled"}), 0);
        }
    }
}

void Batch::end(std::size_t member, DraftOutcome outcome, std::size_t beside)
{
    auto& [item, begun] = items_[member];
    left_.push_back({std::move(item), std::move(outcome), kind_, begun, beside});
    items_.erase(items_.begin() + static_cast<std::ptrdiff_t>(member));
}

void Batch::close()
{
    session_.reset();
    kind_ = nullptr;
    key_.clear();
}

} // namespace sdfleet::actor
