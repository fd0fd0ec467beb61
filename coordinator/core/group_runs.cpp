// SPDX-License-Identifier: Apache-2.0
// The core's part that lets actors draw a job together: all of a group or none, one run after the other until no item is
// left. A run that loses a member, or an item, is aborted; what it has finished comes home, the rest is queued again.
#include "coordinator/core/core.hpp"
#include "proto/split.hpp"

#include <algorithm>
#include <utility>

namespace sdfleet::coordinator {

namespace {

constexpr unsigned epoch_shift = 32;

bool has_gpu(const Actor& actor)
{
    return actor.state.device.starts_with("cuda");
}

bool may_join(const Node& node, const Actor& actor, const proto::JobSpec& spec)
{
    return node.serves(spec.model) && (spec.gather != proto::Gather::nccl || has_gpu(actor));
}

/// Whether it could take part now or, if it is at work, soon.
bool is_usable(const Node& node, const Actor& actor)
{
    return node.state == proto::NodeState::alive && !node.is_draining && actor.lent_to.value.empty() &&
           actor.state.phase == proto::ActorPhase::ready;
}

} // namespace

/// Why a group could not come together even if everybody were idle.
std::optional<std::string> Core::find_unservable_group(const proto::JobSpec& spec) const
{
    std::size_t actors = 0;
    for (const auto& [id, node] : fleet_.nodes()) {
        for (const auto& [slot, actor] : node.actors) {
            const bool is_here = node.state != proto::NodeState::lost && !node.is_draining &&
                                 actor.state.phase != proto::ActorPhase::failed &&
                                 actor.state.phase != proto::ActorPhase::vacant;
            actors += is_here && may_join(node, actor, spec) ? 1 : 0;
        }
    }
    if (actors >= spec.group) {
        return std::nullopt;
    }
    const std::string who = spec.gather == proto::Gather::nccl ? " actors with a GPU of their own" : " actors";
    return "a group of " + std::to_string(spec.group) + who + " is wanted; the fleet has " + std::to_string(actors) +
           (spec.model.empty() ? "" : " that serve '" + spec.model + "'") +
           (spec.gather == proto::Gather::nccl ? ". --gather auto takes zmq where there is no NCCL" : "");
}

const GroupRun* Core::group_run_of(const Attempt& attempt) const
{
    const auto found = group_runs_.find(attempt.item.job_id);
    return attempt.group_epoch.value != 0 && found != group_runs_.end() && found->second.epoch == attempt.group_epoch
               ? &found->second
               : nullptr;
}

GroupRun* Core::group_run_of(const Attempt& attempt)
{
    return const_cast<GroupRun*>(std::as_const(*this).group_run_of(attempt));
}

bool Core::is_in_group_of(const Attempt& attempt, const Node& node) const
{
    const auto* run = group_run_of(attempt);
    return run != nullptr && std::ranges::any_of(run->members, [&](const auto& id) { return id.node_id == node.id; });
}

bool Core::is_group_aborted(const Attempt& attempt) const
{
    const auto* run = group_run_of(attempt);
    return run != nullptr && run->is_aborted;
}

void Core::note_group_progress(const Attempt& attempt)
{
    if (auto* run = group_run_of(attempt); run != nullptr && !run->is_aborted) {
        run->moved_at = now_;
    }
}

/// The attempt has ended.
void Core::leave_group(const Attempt& attempt)
{
    auto* run = group_run_of(attempt);
    if (run == nullptr || --run->attempts > 0) {
        return;
    }
    for (const auto& member : run->members) {
        if (Actor* actor = fleet_.find(member); actor != nullptr && actor->held_for == attempt.item.job_id) {
            actor->held_for = {};
            note_room(*fleet_.find(member.node_id), *actor);
            freed_.insert(member);
        }
    }
    group_runs_.erase(attempt.item.job_id);
    is_queue_changed_ = true;
}

void Core::abort_group_of(const Attempt& attempt, const std::string& why)
{
    if (auto* run = group_run_of(attempt); run != nullptr && !run->is_aborted) {
        abort_group(attempt.item.job_id, *run, {}, why);
    }
}

void Core::abort_group(const proto::JobId& job_id, GroupRun& run, std::vector<proto::Rank> lost, const std::string& why)
{
    run.is_aborted = true;
    run.moved_at = now_;
    log(LogLevel::warning, "job " + job_id.value + ": its group of " + std::to_string(run.members.size()) +
                               " actors ends (epoch " + std::to_string(run.epoch.value & 0xFFFFFFFFU) + "): " + why);
    const proto::GroupAbort abort{run.group, run.epoch, std::move(lost), why};
    std::set<proto::NodeId> told;
    for (const auto& member : run.members) {
        const Node* node = fleet_.find(member.node_id);
        if (node != nullptr && node->state != proto::NodeState::lost && told.insert(member.node_id).second) {
            send(node->control, abort);
        }
    }
    ranks_.abort(std::nullopt, abort, now_);
    for (const auto& [id, attempt] : attempts_) {
        if (attempt.item.job_id == job_id && attempt.group_epoch == run.epoch) {
            set_timer(attempt);
        }
    }
}

/// An actor that is no longer what it was when its group came together.
void Core::abort_groups_with(const proto::ActorId& actor, const std::string& why)
{
    for (auto& [job_id, run] : group_runs_) {
        const auto member = std::ranges::find(run.members, actor);
        if (member != run.members.end() && !run.is_aborted) {
            abort_group(job_id, run, {{static_cast<std::uint32_t>(member - run.members.begin())}},
                        proto::to_string(actor) + " " + why);
        }
    }
}

/// Starts the groups that can come together. The first in turn that cannot yet keeps the actors that it will have free of
/// new work, so that a stream of other work does not hold it up for ever.
void Core::start_groups()
{
    std::vector<Job*> waiting;
    for (const auto number : jobs_.waiting_groups()) {
        Job& job = jobs_.at(number);
        if (job.is_open() && !group_runs_.contains(job.id())) {
            waiting.push_back(&job);
        }
    }
    if (waiting.empty() && holding_group_.value.empty()) {
        return;
    }
    std::ranges::sort(waiting, {}, [](const Job* job) { return std::pair(job->turn().urgency, job->number()); });
    for (Job* job : waiting) {
        auto members = choose_members(*job);
        if (members.size() < job->spec().group) {
            continue; // some are lost or lent: those that it could have need not wait for the others
        }
        const bool are_all_idle =
            std::ranges::all_of(members, [this](const auto& id) { return fleet_.find(id)->in_flight.empty(); });
        if (!are_all_idle) {
            hold_actors(job->id(), members);
            return;
        }
        hold_actors({}, {});
        start_group(*job, std::move(members));
    }
    hold_actors({}, {});
}

/// Those that will be free first; fewer than the group needs when there are not as many.
std::vector<proto::ActorId> Core::choose_members(const Job& job) const
{
    std::vector<std::pair<std::size_t, proto::ActorId>> candidates;
    for (const auto& [id, node] : fleet_.nodes()) {
        for (const auto& [slot, actor] : node.actors) {
            const bool is_free_to_join =
                actor.held_for.value.empty() || actor.held_for == job.id() || actor.held_for == holding_group_;
            if (is_usable(node, actor) && may_join(node, actor, job.spec()) && is_free_to_join &&
                actor.paused_until <= now_) {
                candidates.emplace_back(actor.in_flight.size(), proto::ActorId{id, slot});
            }
        }
    }
    std::ranges::sort(candidates);
    candidates.resize(std::min<std::size_t>(candidates.size(), job.spec().group));
    std::vector<proto::ActorId> members;
    for (auto& [load, id] : candidates) {
        members.push_back(std::move(id));
    }
    std::ranges::sort(members); // ranks are numbered node by node
    return members;
}

/// Those of the group that waits; whoever was held before is free again.
void Core::hold_actors(const proto::JobId& job_id, const std::vector<proto::ActorId>& actors)
{
    if (!holding_group_.value.empty()) {
        for (auto& [id, node] : fleet_.nodes()) {
            for (auto& [slot, actor] : node.actors) {
                if (actor.held_for == holding_group_ && !group_runs_.contains(holding_group_)) {
                    actor.held_for = {};
                    note_room(node, actor);
                    freed_.insert({id, slot});
                }
            }
        }
    }
    holding_group_ = job_id;
    for (const auto& id : actors) {
        const Node& node = *fleet_.find(id.node_id);
        Actor& actor = *fleet_.find(id);
        actor.held_for = job_id;
        note_room(node, actor);
        ask_back_staged(node, actor);
    }
}

void Core::start_group(Job& job, std::vector<proto::ActorId> members)
{
    const auto world_size = static_cast<std::uint32_t>(members.size());
    const proto::Epoch epoch{(identity_.epoch << epoch_shift) | ++last_group_epoch_};
    auto queued = job.queued_items();
    queued.resize(std::min<std::size_t>(queued.size(), world_size * limits_.group_items_per_actor));
    GroupRun& run =
        group_runs_.emplace(job.id(), GroupRun{images_group(job.id()), epoch, members, queued.size(), false, now_})
            .first->second;
    for (const auto& member : members) {
        Actor& actor = *fleet_.find(member);
        actor.held_for = job.id();
        note_room(*fleet_.find(member.node_id), actor);
    }
    proto::AssignGroup order{run.group,
                             epoch,
                             {},
                             world_size,
                             {},
                             job.id(),
                             job.spec().model,
                             job.spec().parameters,
                             job.spec().gather,
                             static_cast<std::uint32_t>(options_.progress_timeout.count),
                             {},
                             {}};
    for (std::size_t i = 0; i < queued.size(); ++i) {
        const auto index = queued[i];
        const auto& item = job.spec().items[index];
        const auto rank = job.spec().split == proto::Split::rank
                              ? item.rank.value_or(0)
                              : static_cast<std::uint32_t>(proto::rank_of_item(i, queued.size(), world_size));
        const auto& member = members[rank];
        const Attempt& attempt = take_item(*fleet_.find(member.node_id), *fleet_.find(member), job, index, epoch);
        order.items.push_back({attempt.id, {index}, {rank}, item});
    }
    for (std::uint32_t rank = 0; rank < world_size; ++rank) {
        order.rank = {rank};
        order.slot = members[rank].slot;
        send(fleet_.find(members[rank].node_id)->control, order);
    }
    log(LogLevel::info, "job " + job.id().value + ": " + std::to_string(world_size) + " actors draw " +
                            std::to_string(queued.size()) + " items as one group");
}

} // namespace sdfleet::coordinator
