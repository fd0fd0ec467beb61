// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/actor_slot.hpp"
#include "agent/core/coordinator_link.hpp"
#include "agent/core/effect.hpp"
#include "agent/core/event.hpp"
#include "agent/core/group_desk.hpp"
#include "agent/core/outbox.hpp"
#include "agent/core/rank_run.hpp"
#include "agent/core/result_box.hpp"
#include "agent/core/settings.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sdfleet::agent {

/// All that an agent decides: when to greet the coordinator, which actor gets what, what to send again, when to stop.
/// A pure machine: it reads no clock, opens no socket, starts no process and writes no log. The shell feeds it events,
/// carries out the effects in order, and calls step(Tick{}, now) no later than next_deadline(). The same events at the
/// same times give the same effects.
class AgentCore {
public:
    explicit AgentCore(Settings settings);

    /// The first call, with Tick, starts the actors. `now` never goes back.
    Effects step(const Event& event, Milliseconds now);

    /// Nothing once the core said Exit.
    std::optional<Milliseconds> next_deadline() const;

private:
    struct Stopping {
        Exit exit;
        std::string goodbye; ///< to be said when no rank is left: the coordinator may start them elsewhere then
        Milliseconds kill_at;
        Milliseconds give_up_at; ///< actors that not even SIGKILL ended are left to the kernel
        bool is_over = false;
    };

    void on(const FromCoordinator& event, Milliseconds now);
    void on(const LinkWritable& event, Milliseconds now);
    void on(const FromActor& event, Milliseconds now);
    void on(const ActorSpawned& event, Milliseconds now);
    void on(const ActorExited& event, Milliseconds now);
    void on(const RankSpawned& event, Milliseconds now);
    void on(const RankEnded& event, Milliseconds now);
    void on(const RankWrote& event, Milliseconds now);
    void on(const PortChosen& event, Milliseconds now);
    void on(const FromRank& event, Milliseconds now);
    void on(const Tick& event, Milliseconds now);
    void on(const StopRequested& event, Milliseconds now);

    void said(const proto::Welcome& welcome, const FromCoordinator& event, Milliseconds now);
    void said(const proto::Refused& refused, const FromCoordinator& event, Milliseconds now);
    void said(const proto::HeartbeatAck& ack, const FromCoordinator& event, Milliseconds now);
    void said(const proto::Assign& assign, const FromCoordinator& event, Milliseconds now);
    void said(const proto::CancelAttempt& cancel, const FromCoordinator& event, Milliseconds now);
    void said(const proto::ResultAck& ack, const FromCoordinator& event, Milliseconds now);
    void said(const proto::AssignGroup& order, const FromCoordinator& event, Milliseconds now);
    void said(const proto::StartRanks& order, const FromCoordinator& event, Milliseconds now);
    void said(const proto::StopRanks& stop, const FromCoordinator& event, Milliseconds now);
    void said(const proto::OutputTaken& taken, const FromCoordinator& event, Milliseconds now);
    void said(const proto::GroupFormed& formed, const FromCoordinator& event, Milliseconds now);
    void said(const proto::GroupRefused& refused, const FromCoordinator& event, Milliseconds now);
    void said(const proto::GroupAbort& abort, const FromCoordinator& event, Milliseconds now);
    template <class Other>
    void said(const Other& other, const FromCoordinator& event, Milliseconds now);

    void advance(Milliseconds now);
    void advance_runs(Milliseconds now);
    RankRun* find(const proto::ProgramRun& run);
    GroupDesk::IsOurs is_ours() const;
    void advance_slots(Milliseconds now);
    std::optional<Milliseconds> slots_deadline() const;
    ActorSlot& touch(proto::Slot slot);
    void talk_to_coordinator(Milliseconds now);
    void tell_accepted(Milliseconds now);
    void advance_stop(Milliseconds now);
    void say_goodbye(Milliseconds now);
    void begin_stop(Exit exit, const std::string& goodbye, Milliseconds now);
    void fence(Milliseconds now);
    void log_silence(Milliseconds now);
    void send(proto::Channel channel, proto::Message message);
    proto::AgentHello hello(proto::Channel channel) const;
    std::vector<proto::AttemptReport> attempts_in_hand() const;
    ActorSlot* slot_with(proto::AttemptId id);

    Settings settings_;
    CoordinatorLink link_;
    ResultBox results_;
    std::vector<ActorSlot> slots_; ///< by slot number
    std::map<proto::ProgramRun, RankRun> runs_;
    GroupDesk groups_;
    Outbox out_; ///< of the step under way
    /// No slot but the one that was touched in this step has anything to do before then; nothing = look at all. So an
    /// event costs the same however many actors there are.
    std::optional<Milliseconds> slots_due_at_;
    std::optional<proto::Slot> touched_;
    std::vector<std::pair<proto::Slot, proto::AttemptId>> accepted_; ///< not told yet
    std::optional<Milliseconds> tell_accepted_at_;
    bool is_started_ = false;
    std::uint64_t epoch_ = 0;          ///< of the coordinator that welcomed us last; 0 = none did yet
    Milliseconds log_silence_at_{};    ///< when to say (again) that the coordinator does not answer
    std::optional<Stopping> stopping_; ///< once set, it stays
};

} // namespace sdfleet::agent
