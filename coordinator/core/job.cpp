// SPDX-License-Identifier: Apache-2.0
#include "coordinator/core/job.hpp"

#include "proto/batch_key.hpp"
#include "proto/split.hpp"

#include <algorithm>
#include <utility>

namespace sdfleet::coordinator {

Job::Job(InsertJob record, std::uint64_t number)
    : record_(std::move(record)), number_(number), work_(work_of(*record_.spec)),
      batch_key_(std::make_shared<const std::string>(proto::batch_key(record_.spec->model, record_.spec->parameters))),
      items_(record_.spec->items.size()), queued_(items_.size())
{
    counts_[static_cast<std::size_t>(proto::ItemState::queued)] = size();
    for (std::uint32_t rank = 0; rank < record_.ranks.size(); ++rank) {
        rank_of_.emplace(record_.ranks[rank], rank);
    }
}

bool Job::is_over() const
{
    return is_committed && count(proto::ItemState::queued) == 0 && count(proto::ItemState::assigned) == 0 &&
           count(proto::ItemState::running) == 0;
}

proto::JobState Job::state() const
{
    if (is_cancelled) {
        return proto::JobState::cancelled;
    }
    if (is_over()) {
        return count(proto::ItemState::failed) > 0 ? proto::JobState::failed : proto::JobState::done;
    }
    return count(proto::ItemState::queued) == size() ? proto::JobState::queued : proto::JobState::running;
}

void Job::set_state(std::uint32_t index, proto::ItemState state)
{
    Item& item = items_[index];
    --counts_[static_cast<std::size_t>(item.state)];
    item.state = state;
    ++counts_[static_cast<std::size_t>(state)];
    touch(index, item.is_over());
}

void Job::touch(std::uint32_t index, bool is_urgent)
{
    Item& item = items_[index];
    item.change = ++last_change_;
    changes_.append(item.change, index);
    if (changes_.is_overgrown(items_.size())) {
        changes_.prune([this](const ChangeLog::Entry& entry) { return items_[entry.index].change == entry.change; });
    }
    if (is_urgent) {
        last_urgent_change_ = last_change_;
    }
}

void Job::touch_job()
{
    last_urgent_change_ = ++last_change_;
}

std::optional<std::uint32_t> Job::pin_of(std::uint32_t index) const
{
    if (record_.ranks.empty()) {
        return std::nullopt;
    }
    const auto rank = spec().split == proto::Split::rank
                          ? spec().items[index].rank.value_or(0)
                          : static_cast<std::uint32_t>(proto::rank_of_item(index, size(), record_.ranks.size()));
    return released_ranks_.contains(rank) ? std::nullopt : std::optional(rank);
}

void Job::enqueue(std::uint32_t index)
{
    if (const auto rank = pin_of(index)) {
        pinned_[*rank].insert(index);
    } else {
        queued_.insert(index);
    }
}

void Job::dequeue(std::uint32_t index)
{
    queued_.erase(index);
    if (const auto rank = pin_of(index)) {
        if (const auto found = pinned_.find(*rank); found != pinned_.end()) {
            found->second.erase(index);
            if (found->second.empty()) {
                pinned_.erase(found);
            }
        }
    }
}

std::optional<std::uint32_t> Job::next_for(const proto::ActorId& actor) const
{
    if (const auto rank = rank_of_.find(actor); rank != rank_of_.end()) {
        if (const auto own = pinned_.find(rank->second); own != pinned_.end()) {
            return *own->second.begin();
        }
    }
    return queued_.empty() ? std::nullopt : std::optional(queued_.front());
}

std::vector<std::uint32_t> Job::queued_items() const
{
    auto all = queued_.to_vector();
    for (const auto& [rank, indices] : pinned_) {
        all.insert(all.end(), indices.begin(), indices.end());
    }
    std::ranges::sort(all);
    return all;
}

std::map<std::uint32_t, proto::ActorId> Job::awaited_actors() const
{
    std::map<std::uint32_t, proto::ActorId> actors;
    for (const auto& [rank, indices] : pinned_) {
        actors.emplace(rank, record_.ranks[rank]);
    }
    return actors;
}

void Job::release_rank(std::uint32_t rank)
{
    released_ranks_.insert(rank);
    if (auto found = pinned_.find(rank); found != pinned_.end()) {
        for (const auto index : found->second) {
            queued_.insert(index);
        }
        pinned_.erase(found);
    }
}

proto::ItemReport Job::report(std::uint32_t index) const
{
    const Item& item = items_[index];
    const ItemPast& past = item.past();
    return {{index},         item.state,  item.step,  item.steps,      item.tries, past.actor.node_id,
            past.actor.slot, past.sha256, past.bytes, past.elapsed_ms, past.error};
}

proto::JobSummary Job::summarize() const
{
    proto::JobSummary summary;
    summary.job_id = id();
    summary.kind = spec().parameters.kind_name();
    summary.model = spec().model;
    summary.state = state();
    summary.total = size();
    summary.queued = count(proto::ItemState::queued);
    summary.running = count(proto::ItemState::assigned) + count(proto::ItemState::running);
    summary.done = count(proto::ItemState::done);
    summary.failed = count(proto::ItemState::failed);
    summary.cancelled = count(proto::ItemState::cancelled);
    summary.created_unix_ms = record_.created_unix_ms;
    return summary;
}

} // namespace sdfleet::coordinator
