// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/change_log.hpp"
#include "coordinator/core/index_set.hpp"
#include "coordinator/core/milliseconds.hpp"
#include "coordinator/core/pace.hpp"
#include "coordinator/core/store_operation.hpp"
#include "proto/messages.hpp"

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sdfleet::coordinator {

/// What only an item that was tried has; apart, because most items of a long queue were not.
struct ItemPast {
    proto::ActorId actor; ///< where it runs or ran last
    std::string story;    ///< how the tries that failed ended, for people
    std::string sha256;   ///< this and the next two: of its result
    std::uint64_t bytes = 0;
    std::uint64_t elapsed_ms = 0;
    std::string error;
    proto::AttemptId judged = {}; ///< the newest of this life, see Item::note_judged
};

struct Item {
    std::uint64_t settlement = 0; ///< not 0: its outcome is on the way to the disk; no attempt may begin
    proto::AttemptId attempt;     ///< the live one; once done, the one that was accepted; 0 = none
    proto::AttemptId copy;        ///< a second live one, at a faster actor; 0 = none
    std::uint64_t change = 0;     ///< of the newest change; 0 = none yet
    std::uint32_t step = 0;
    std::uint32_t steps = 0;
    std::uint32_t tries = 0;                           ///< attempts that began to run
    std::uint16_t failures = 0;                        ///< attempts that ended badly, begun or not
    std::uint16_t deaths = 0;                          ///< actors that died with it
    proto::ItemState state = proto::ItemState::queued; ///< as clients may know it

    /// A try whose failure its agent reported, or whose result was refused: its agent may list it until it hears our answer,
    /// and it is not to be adopted for that.
    void note_judged(proto::AttemptId id) { edit_past().judged = std::max(past().judged, id); }

    bool is_over() const { return state >= proto::ItemState::done; }
    bool is_tried_by(proto::AttemptId id) const { return id.value != 0 && (attempt == id || copy == id); }

    const ItemPast& past() const
    {
        static const ItemPast none;
        return past_ ? *past_ : none;
    }
    ItemPast& edit_past()
    {
        if (!past_) {
            past_ = std::make_unique<ItemPast>();
        }
        return *past_;
    }

private:
    std::unique_ptr<ItemPast> past_;
};

/// A job's place among those that wait for the same actors: the smallest goes first.
struct Turn {
    std::int64_t urgency = 0;  ///< the negative of the priority
    std::uint64_t service = 0; ///< what the job has had, see ReadyQueue
    std::uint64_t number = 0;

    auto operator<=>(const Turn&) const = default;
};

/// One job with its items, its queue and the sequence of their changes. Keeps its counts and indices consistent;
/// decides nothing.
class Job {
public:
    Job(InsertJob record, std::uint64_t number);

    const proto::JobId& id() const { return record_.job_id; }
    const proto::JobSpec& spec() const { return *record_.spec; }
    const InsertJob& record() const { return record_; }
    std::uint64_t number() const { return number_; } ///< grows with each submit
    const Work& work() const { return work_; }
    const std::shared_ptr<const std::string>& batch_key() const { return batch_key_; } ///< of all its items
    Turn turn() const { return {-std::int64_t{spec().priority}, service, number_}; }

    bool is_committed = false;        ///< its submit is on disk
    bool is_cancel_requested = false; ///< the cancellation is on the way to the disk
    bool is_cancelled = false;
    std::optional<Milliseconds> unservable_since;
    std::uint64_t service = 0; ///< this and the next: kept by ReadyQueue
    bool is_in_turn = false;
    bool is_waiting = false; ///< kept by JobTable

    /// May its queued items be given out?
    bool is_open() const { return is_committed && !is_cancel_requested && !is_cancelled; }

    std::uint32_t size() const { return static_cast<std::uint32_t>(items_.size()); }
    const Item& item(std::uint32_t index) const { return items_[index]; }
    std::uint32_t count(proto::ItemState state) const { return counts_[static_cast<std::size_t>(state)]; }
    bool is_over() const;
    proto::JobState state() const;

    /// For everything but the state and the change number. Call touch() after changing what clients see.
    Item& edit(std::uint32_t index) { return items_[index]; }
    void set_state(std::uint32_t index, proto::ItemState state);

    /// Gives the item the next change number. An urgent change is told to watchers without a pause.
    void touch(std::uint32_t index, bool is_urgent);
    void touch_job();
    std::uint64_t last_change() const { return last_change_; }
    std::uint64_t last_urgent_change() const { return last_urgent_change_; }

    /// Calls `visit(change, index)` for the items that changed after `change`, in the order of their newest changes,
    /// until it returns false.
    template <class Visit>
    void for_each_change(std::uint64_t change, Visit&& visit) const
    {
        for (auto it = changes_.after(change); it != changes_.end(); ++it) {
            if (items_[it->index].change == it->change && !visit(it->change, it->index)) {
                return;
            }
        }
    }

    /// A queued item waits for the actor of its rank as long as that rank is not released, else for any actor.
    void enqueue(std::uint32_t index);
    void dequeue(std::uint32_t index);
    bool has_queued() const { return !queued_.empty() || !pinned_.empty(); }
    bool has_unpinned() const { return !queued_.empty(); }
    bool has_pinned_for(std::uint32_t rank) const { return pinned_.contains(rank); }
    std::optional<std::uint32_t> next_for(const proto::ActorId& actor) const;
    std::vector<std::uint32_t> queued_items() const;

    /// The actors that queued items wait for, by rank.
    std::map<std::uint32_t, proto::ActorId> awaited_actors() const;
    void release_rank(std::uint32_t rank);
    std::uint32_t rank_of(const proto::ActorId& actor) const { return rank_of_.at(actor); }
    bool is_pinned(std::uint32_t index) const { return pin_of(index).has_value(); }

    /// The rank whose actor the item is meant for; nothing when any actor may have it.
    std::optional<std::uint32_t> pin_of(std::uint32_t index) const;

    proto::ItemReport report(std::uint32_t index) const;
    proto::JobSummary summarize() const; ///< without waiting_for

private:
    InsertJob record_;
    std::uint64_t number_;
    Work work_;
    std::shared_ptr<const std::string> batch_key_;
    std::vector<Item> items_;
    std::array<std::uint32_t, 6> counts_{};
    std::uint64_t last_change_ = 0;
    std::uint64_t last_urgent_change_ = 0;
    ChangeLog changes_;
    IndexSet queued_;                                         ///< those that any actor may have
    std::map<std::uint32_t, std::set<std::uint32_t>> pinned_; ///< by rank; no empty sets
    std::map<proto::ActorId, std::uint32_t> rank_of_;
    std::set<std::uint32_t> released_ranks_;
};

} // namespace sdfleet::coordinator
