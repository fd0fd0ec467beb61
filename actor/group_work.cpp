// SPDX-License-Identifier: Apache-2.0
#include "actor/group_work.hpp"

#include "actor/item_result.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include <spdlog/spdlog.h>

namespace sdfleet::actor {

namespace {

collective::Result<collective::ProcessGroup> join(const proto::AssignGroup& order, const std::string& agent)
{
    const auto slash = order.group.value.find('/');
    collective::InitOptions options;
    options.timeout = std::chrono::milliseconds(order.timeout_ms);
    options.epoch = order.epoch;
    options.group_name = slash == std::string::npos ? "" : order.group.value.substr(slash + 1);
    if (!order.address.empty()) {
        options.listen_address = order.address;
    }
    return collective::init_process_group(collective::Backend::zmq, order.rank.value, order.world_size,
                                          collective::ViaAgent{agent, order.group.value.substr(0, slash)}, options);
}

} // namespace

proto::Assign GroupWork::assign_of(const proto::GroupItem& item) const
{
    return {item.attempt_id, order_.job_id, item.index, order_.slot, order_.model, order_.parameters, item.item, false};
}

std::vector<const proto::GroupItem*> GroupWork::items_of(std::uint32_t rank) const
{
    std::vector<const proto::GroupItem*> items;
    for (const auto& item : order_.items) {
        if (item.rank.value == rank) {
            items.push_back(&item);
        }
    }
    return items;
}

std::size_t GroupWork::rounds() const
{
    std::size_t most = 0;
    for (std::uint32_t rank = 0; rank < order_.world_size; ++rank) {
        most = std::max(most, items_of(rank).size());
    }
    return most;
}

void GroupWork::run()
{
    auto ended = work();
    if (ended) {
        spdlog::info("group {}: {}", order_.group.value, *ended);
        for (const auto& [id, item] : drawn_) {
            if (!answered_.contains(id)) {
                finish(item);
            }
        }
        give_up_rest(*ended);
    }
}

GroupWork::Ended GroupWork::work()
{
    if (kind_ == nullptr) {
        return std::string("this actor does no ") + order_.parameters.kind_name() + " work";
    }
    if (hooks_.cancelled.stop_requested()) {
        return "it was aborted before it began";
    }
    auto group = join(order_, agent_);
    if (!group) {
        return group.error().message;
    }
    // An abort that comes over the agent ends what waits for another member, too.
    const std::stop_callback on_abort(hooks_.cancelled, [&group] { group->abort("the group was aborted"); });
    if (auto all_here = group->barrier(); !all_here) {
        return all_here.error().message;
    }
    if (auto ended = draw_own(*group)) {
        return ended;
    }
    if (auto ended = gather(*group)) {
        return ended;
    }
    // Until rank 0 has handed in everything, the others' agents still answer for their items.
    if (auto all_home = group->barrier(); !all_home) {
        return all_home.error().message;
    }
    return std::nullopt;
}

GroupWork::Ended GroupWork::draw_own(collective::ProcessGroup& group)
{
    for (const auto* item : items_of(order_.rank.value)) {
        if (!draw(*item)) {
            const auto why = "rank " + std::to_string(order_.rank.value) + " could not draw item " +
                             std::to_string(item->index.value);
            group.abort(why);
            return why;
        }
    }
    return std::nullopt;
}

/// False when there is no draft; an item that failed is answered for.
bool GroupWork::draw(const proto::GroupItem& item)
{
    const auto assign = assign_of(item);
    const auto context = hooks_.context_of(item.attempt_id);
    const auto start = std::chrono::steady_clock::now();
    auto draft = guarded([&] { return kind_->draw(assign, context); });
    if (!draft) {
        if (draft.error().reason != proto::FailureReason::cancelled) {
            answered_.insert(item.attempt_id);
            hooks_.tell(failed(assign, std::move(draft.error())));
        }
        return false;
    }
    const auto elapsed =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
    drawn_.emplace(item.attempt_id, DrawnItem{item.attempt_id, elapsed, std::move(*draft)});
    return true;
}

/// One item of each rank at a time: rank 0 holds no more raw images than that.
GroupWork::Ended GroupWork::gather(collective::ProcessGroup& group)
{
    const auto own = items_of(order_.rank.value);
    for (std::size_t round = 0; round < rounds(); ++round) {
        collective::Bytes head;
        std::span<const std::byte> content;
        if (round < own.size()) {
            const auto& item = drawn_.at(own[round]->attempt_id);
            head = encode_draft(item);
            content = item.draft.content.bytes;
        }
        const auto heads = group.gather(head, 0);
        if (!heads) {
            return heads.error().message;
        }
        auto contents = group.gather(content, 0);
        if (!contents) {
            return contents.error().message;
        }
        for (std::uint32_t rank = 0; rank < heads->size(); ++rank) {
            if (!(*heads)[rank].empty() && !take(rank, (*heads)[rank], std::move((*contents)[rank]))) {
                const auto why = "rank " + std::to_string(rank) + " gave what is not its image";
                group.abort(why);
                return why;
            }
        }
    }
    return std::nullopt;
}

/// At rank 0: what another rank, or this one, has drawn.
bool GroupWork::take(std::uint32_t rank, const collective::Bytes& head, collective::Bytes content)
{
    auto item = decode_draft(head);
    const auto own = items_of(rank);
    const bool is_its =
        item && std::ranges::any_of(own, [&](const auto* one) { return one->attempt_id == item->attempt_id; });
    if (!is_its) {
        return false;
    }
    const auto bytes = std::make_shared<const collective::Bytes>(std::move(content));
    item->draft.content = {bytes, std::span(*bytes)};
    finish(*item);
    return true;
}

void GroupWork::finish(const DrawnItem& item)
{
    const auto found = std::ranges::find(order_.items, item.attempt_id, &proto::GroupItem::attempt_id);
    const auto assign = assign_of(*found);
    answered_.insert(item.attempt_id);
    auto product = guarded([&] { return kind_->finish(item.draft); });
    hooks_.tell(product ? done(assign, std::move(*product), item.elapsed) : failed(assign, std::move(product.error())));
}

void GroupWork::give_up_rest(const std::string& why)
{
    for (const auto* item : items_of(order_.rank.value)) {
        if (!answered_.contains(item->attempt_id)) {
            hooks_.tell(failed(assign_of(*item),
                               {kind_ == nullptr ? proto::FailureReason::bad_request : proto::FailureReason::cancelled,
                                "its group ended: " + why}));
        }
    }
}

} // namespace sdfleet::actor
