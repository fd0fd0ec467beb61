// SPDX-License-Identifier: Apache-2.0
#include "coordinator/core/core.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace sdfleet::coordinator {

namespace {

template <class Body>
constexpr bool is_from_agent = std::is_same_v<Body, proto::Goodbye> || std::is_same_v<Body, proto::Heartbeat> ||
                               std::is_same_v<Body, proto::ActorUpdate> || std::is_same_v<Body, proto::Accepted> ||
                               std::is_same_v<Body, proto::Started> || std::is_same_v<Body, proto::StepProgress> ||
                               std::is_same_v<Body, proto::ItemDone> || std::is_same_v<Body, proto::ItemFailed> ||
                               std::is_same_v<Body, proto::GroupJoin> || std::is_same_v<Body, proto::GroupAbort> ||
                               std::is_same_v<Body, proto::GroupLeave>;

/// What Programs answers.
template <class Body>
constexpr bool is_program_report =
    std::is_same_v<Body, proto::RanksStarted> || std::is_same_v<Body, proto::RankExited> ||
    std::is_same_v<Body, proto::ProgramOutput> || std::is_same_v<Body, proto::RanksGone>;
template <class Body>
constexpr bool is_program_request =
    std::is_same_v<Body, proto::LaunchProgram> || std::is_same_v<Body, proto::WatchProgram> ||
    std::is_same_v<Body, proto::StopProgram>;

template <class Body>
constexpr bool is_from_client = std::is_same_v<Body, proto::Submit> || std::is_same_v<Body, proto::WatchJob> ||
                                std::is_same_v<Body, proto::GetJob> || std::is_same_v<Body, proto::ListJobs> ||
                                std::is_same_v<Body, proto::ListNodes> || std::is_same_v<Body, proto::ListModels> ||
                                std::is_same_v<Body, proto::CancelJob> || std::is_same_v<Body, proto::FetchArtifact> ||
                                std::is_same_v<Body, proto::DrainNode> || std::is_same_v<Body, proto::FenceNode> ||
                                std::is_same_v<Body, proto::GetStatus>;

} // namespace

Core::Core(Identity identity, Options options, Limits limits)
    : identity_(std::move(identity)), options_(options), limits_(limits), brake_(options.brake_timeout),
      open_(staged_level + 1)
{
}

Effects Core::step(const Event& event, Milliseconds now)
{
    now_ = std::max(now, now_);
    programs_.begin_step(now_);
    std::visit([this](const auto& body) { on(body); }, event);
    finish_step();
    return std::exchange(effects_, {});
}

std::optional<Milliseconds> Core::next_deadline() const
{
    std::optional<Milliseconds> next;
    for (const auto& deadline : {timers_.next(), programs_.next_deadline(), ranks_.next_deadline()}) {
        if (deadline && (!next || *deadline < *next)) {
            next = deadline;
        }
    }
    return next;
}

/// What follows from a changed state is done once, after the event.
void Core::finish_step()
{
    run_programs();
    if (is_fleet_changed_) {
        note_all_room();
        release_pins();
        refresh_servability();
    }
    for (const auto& id : std::exchange(grown_jobs_, {})) {
        if (Job* job = jobs_.find(id)) {
            refresh_servability(*job);
        }
    }
    if (is_fleet_changed_ || is_queue_changed_ || !freed_.empty() || !newly_staged_.empty()) {
        if (failing_settlements_.empty()) {
            start_groups();
        }
        dispatch();
    }
    is_fleet_changed_ = is_queue_changed_ = false;
    for (const auto& id : std::exchange(changed_jobs_, {})) {
        if (Job* job = jobs_.find(id)) {
            if (job->unservable_since && !job->has_queued()) {
                refresh_servability(*job);
            }
            if (job->is_over()) {
                jobs_.refresh(*job);
            }
            wake_watchers(*job);
        }
    }
    forget_surplus();
    remove_forgotten();
}

void Core::on(const Restored& restored)
{
    for (const auto& job : restored.jobs) {
        restore(job);
    }
    if (!restored.is_last) {
        return;
    }
    is_restored_ = true;
    started_at_ = now_;
    for (const auto& policy : restored.nodes) {
        keep_policy(policy);
    }
    timers_.set(PeerTimer{}, now_ + options_.peer_idle);
    is_in_pin_grace_ = true;
    timers_.set(PinTimer{}, now_ + options_.pin_grace);
    is_fleet_changed_ = true;
}

void Core::on(const PacketReceived& packet)
{
    if (!packet.cluster.value.empty() && packet.cluster != identity_.cluster) {
        refuse(packet,
               {proto::RefusalReason::other_cluster, "this coordinator's cluster is " + identity_.cluster.value +
                                                         ", the message is for " + packet.cluster.value});
        return;
    }
    if (const auto* hello = std::get_if<proto::AgentHello>(&packet.message)) {
        on_hello(*hello, packet);
        return;
    }
    if (const auto* hello = std::get_if<proto::ClientHello>(&packet.message)) {
        on_hello(*hello, packet);
        return;
    }
    const auto found = peers_.find(packet.peer);
    if (found == peers_.end()) {
        refuse(packet, {proto::RefusalReason::not_registered, "say hello first"});
        return;
    }
    const From from{packet, found->second};
    if (!proto::may_send(from.record.role, proto::Role::coordinator, proto::type_of(packet.message))) {
        ++counters_.misdirected;
        return;
    }
    from.record.last_heard = now_;
    std::visit(
        [&](const auto& body) {
            using Body = std::decay_t<decltype(body)>;
            if constexpr (is_from_agent<Body>) {
                if (Node* node = admit(from)) {
                    on(body, *node, from);
                }
            } else if constexpr (is_program_report<Body>) {
                if (Node* node = admit(from)) {
                    on_program(body, *node, from);
                }
            } else if constexpr (is_from_client<Body>) {
                on(body, from);
            } else if constexpr (is_program_request<Body>) {
                on_program(body, from);
            }
        },
        packet.message);
}

void Core::on(const PeerUnreachable& event)
{
    // A node keeps its lease: its agent may be about to connect again.
    if (const auto found = peers_.find(event.peer);
        found != peers_.end() && found->second.role == proto::Role::client) {
        forget_peer(event.peer);
    }
}

void Core::on(const Tick&)
{
    // A late tick means that this process was held up, not that the nodes fell silent: their words wait unread.
    const auto deadline = timers_.next();
    if (deadline && now_ - *deadline > options_.heartbeat_interval) {
        for (auto& [id, node] : fleet_.nodes()) {
            node.last_heard = std::min(now_, node.last_heard + (now_ - *deadline));
        }
    }
    while (const auto key = timers_.take_due(now_)) {
        std::visit([this](const auto& timer) { on(timer); }, *key);
    }
}

void Core::on(const NodeTimer& timer)
{
    Node* node = fleet_.find(timer.node_id);
    if (node == nullptr || node->state == proto::NodeState::lost) {
        return;
    }
    const auto silence = now_ - node->last_heard;
    if (silence >= options_.suspect_after()) {
        update_brake();
    }
    if (silence >= options_.lease && brake_.is_holding()) {
        timers_.set(timer, now_ + options_.heartbeat_interval);
        return;
    }
    if (silence >= options_.lease) {
        lose(*node, "silent for " + std::to_string(silence.count) + " ms", proto::FailureReason::node_lost);
        return;
    }
    if (silence >= options_.suspect_after()) {
        if (node->state == proto::NodeState::alive) {
            node->state = proto::NodeState::suspect;
            log(LogLevel::warning, "node " + node->id.value + " is silent; it gets no new work", about(node->id));
        }
        timers_.set(timer, node->last_heard + options_.lease);
        return;
    }
    timers_.set(timer, node->last_heard + options_.suspect_after());
}

void Core::on(const WatchTimer& timer)
{
    answer(timer.watcher);
}

void Core::on(const SettlementTimer& timer)
{
    write(timer.settlement);
}

void Core::on(const ActorTimer& timer)
{
    if (Actor* actor = fleet_.find(timer.actor)) {
        note_room(*fleet_.find(timer.actor.node_id), *actor);
        freed_.insert(timer.actor);
    }
}

void Core::on(const PinTimer&)
{
    is_in_pin_grace_ = false;
    is_fleet_changed_ = true;
}

void Core::on(const PeerTimer& timer)
{
    std::vector<Peer> silent;
    for (const auto& [peer, record] : peers_) {
        const bool is_busy = record.pending_requests > 0 || !record.watchers.empty();
        const Node* node = record.role == proto::Role::agent ? fleet_.find(record.node_id) : nullptr;
        const bool is_current = node != nullptr && (node->control == peer || node->bulk == peer);
        if (!is_busy && !is_current && now_ - record.last_heard >= options_.peer_idle) {
            silent.push_back(peer);
        }
    }
    for (const auto& peer : silent) {
        forget_peer(peer);
    }
    timers_.set(timer, now_ + options_.peer_idle);
}

void Core::send(const Peer& peer, proto::Message message, std::uint64_t correlation)
{
    effects_.push_back(Send{peer, correlation, std::move(message), {}});
}

void Core::log(LogLevel level, std::string text, base::LogSubject subject)
{
    if (level == LogLevel::warning) {
        recent_faults_.push_back({now_, text});
        if (recent_faults_.size() > limits_.recent_faults) {
            recent_faults_.pop_front();
        }
    }
    effects_.push_back(Log{level, std::move(text), std::move(subject)});
}

} // namespace sdfleet::coordinator
