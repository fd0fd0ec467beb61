// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/event.hpp"
#include "agent/core/outbox.hpp"
#include "agent/core/progress_throttle.hpp"
#include "agent/core/restart_budget.hpp"
#include "agent/core/settings.hpp"

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace sdfleet::agent {

/// Supervises the actor of one device: starts its process, watches it, restarts it within a budget, and hands it as many
/// attempts as it can draw at once, and the next one so that it need not wait for it. An attempt that is to be alone is held
/// back until the actor has nothing else, and holds back what comes behind it.
class ActorSlot {
public:
    /// Without `runs_actor` the device is for programs alone.
    ActorSlot(proto::Slot slot, std::string device, const Limits& limits, bool runs_actor = true);

    proto::ActorState state() const;
    bool has(proto::AttemptId id) const;
    bool has_process() const;

    /// Adds the attempts in hand to `reports`; fenced ones are not in hand any more.
    void report_to(std::vector<proto::AttemptReport>& reports) const;

    void start(Milliseconds now, Outbox& out);

    /// Answered with Accepted after a moment, or with ItemFailed(overloaded) when this actor cannot take it.
    void assign(const proto::Assign& assign, Outbox& out);

    /// The actor's part in a group; it must have nothing else to do. Each of the rank's items is answered for: by rank 0 when
    /// all goes well, else from here.
    void assign_group(const proto::AssignGroup& order, Outbox& out);
    bool is_in_group(const proto::GroupId& group, proto::Epoch epoch) const;
    bool is_in_group(const proto::GroupId& group, proto::Epoch epoch, proto::Rank rank) const;
    /// The group's epoch is over: the actor hands in what it has.
    void abort_group(const std::string& why, Milliseconds now, Outbox& out);

    /// Of an attempt in hand: one held back fails at once, one with the actor when the actor says so.
    void cancel(proto::AttemptId id, Milliseconds now, Outbox& out);

    /// The work in hand is not ours any more: stop it, and tell nobody.
    void fence(Milliseconds now, Outbox& out);

    /// Gives the device to a program: the actor ends. is_lent() tells when it has.
    void lend(Milliseconds now, Outbox& out);
    bool is_lent() const { return is<Lent>(); }
    bool is_lending() const { return is<Lent>() || is<Lending>(); } ///< or lent
    /// The program has no use for the device any more: the actor starts again.
    void reclaim(Milliseconds now, Outbox& out);

    const std::string& device() const { return device_; }

    void stop(Outbox& out);
    void kill(Outbox& out);

    void on_spawned(const ActorSpawned& spawned, Outbox& out);
    void on_exited(const ActorExited& exited, Milliseconds now, Outbox& out);
    void on_packet(const FromActor& event, Milliseconds now, Outbox& out);
    void on_tick(Milliseconds now, Outbox& out);
    std::optional<Milliseconds> next_deadline() const;

private:
    // The life of an actor. In Starting, Ready, Dying and Leaving there is a process.
    struct Idle {};
    struct Starting {
        Milliseconds deadline;
    };
    struct Ready {
        Milliseconds silence_deadline;
    };
    struct Dying { ///< killed by us, not reaped yet
        Milliseconds kill_again_at;
        proto::FailureReason reason; ///< what its running attempt fails with
    };
    struct BackingOff {
        Milliseconds until;
    };
    struct Failed {};
    struct Lending { ///< killed by us, to be lent once it is reaped
        Milliseconds kill_again_at;
    };
    struct Lent {};
    struct Vacant {};  ///< this agent runs no actors
    struct Leaving {}; ///< the agent stops
    using Phase = std::variant<Idle, Starting, Ready, Dying, BackingOff, Failed, Lending, Lent, Vacant, Leaving>;

    struct AttemptInHand {
        proto::Assign assign;
        bool is_given = false; ///< to the actor
        bool is_fenced = false;
        std::optional<Milliseconds> cancel_deadline; ///< set when the actor was told to cancel it
        ProgressThrottle progress;
    };

    struct GroupInHand {
        proto::AssignGroup order;
        std::set<proto::AttemptId> open; ///< the rank's own items that were not answered for
        bool is_fenced = false;
        std::optional<Milliseconds> abort_deadline; ///< set when the actor was told to stop
    };

    template <class P>
    bool is() const
    {
        return std::holds_alternative<P>(phase_);
    }
    base::LogSubject subject(std::optional<proto::AttemptId> attempt = std::nullopt) const;
    std::string name() const { return "actor " + std::to_string(slot_.value) + " (" + device_ + ")"; }
    AttemptInHand* given(proto::AttemptId id);
    std::size_t count_unfenced() const;
    bool may_be_given(const AttemptInHand& attempt) const;
    void spawn(Milliseconds now, Outbox& out);
    void give_to_actor(Outbox& out);
    void say_again(Outbox& out);
    void finish(proto::AttemptId id, Outbox& out);
    void hand_back_held(const std::string& why, Outbox& out);
    void fail_given(proto::FailureReason reason, Outbox& out);
    void cancel(AttemptInHand& attempt, Milliseconds now, Outbox& out);
    void kill_because(proto::FailureReason reason, std::string why, Milliseconds now, Outbox& out);
    void announce(Outbox& out) const { out.control.emplace_back(proto::ActorUpdate{state()}); }

    void on(const proto::ActorHello& hello, const proto::Packet& packet, Milliseconds now, Outbox& out);
    void on(const proto::Heartbeat& heartbeat, const proto::Packet& packet, Milliseconds now, Outbox& out);
    void on(const proto::Started& started, const proto::Packet& packet, Milliseconds now, Outbox& out);
    void on(const proto::StepProgress& progress, const proto::Packet& packet, Milliseconds now, Outbox& out);
    void on(const proto::ItemDone& done, const proto::Packet& packet, Milliseconds now, Outbox& out);
    void on(const proto::ItemFailed& failure, const proto::Packet& packet, Milliseconds now, Outbox& out);
    void on(const proto::Goodbye& goodbye, const proto::Packet& packet, Milliseconds now, Outbox& out);
    void on(const proto::GroupLeave& leave, const proto::Packet& packet, Milliseconds now, Outbox& out);
    const proto::GroupItem* group_item(proto::AttemptId id) const;
    proto::AttemptReport report_of_group(const proto::GroupItem& item) const;
    bool finish_group_item(const proto::ItemDone& done, const proto::Packet& packet, Outbox& out);
    bool finish_group_item(const proto::ItemFailed& failure, Outbox& out);
    void fail_group(proto::FailureReason reason, const std::string& why, Outbox& out);
    template <class Other>
    void on(const Other& other, const proto::Packet& packet, Milliseconds now, Outbox& out);

    proto::Slot slot_;
    std::string device_;
    bool runs_actor_;
    Limits limits_;
    RestartBudget budget_;
    Phase phase_;
    Launch launch_;
    std::uint64_t pid_ = 0;
    std::uint32_t restarts_ = 0;
    std::uint32_t max_batch_ = 1;       ///< what the actor can draw at once
    std::string detail_;                ///< why the last process ended
    std::deque<AttemptInHand> in_hand_; ///< first those that are with the actor
    std::optional<GroupInHand> group_;  ///< in place of attempts
};

} // namespace sdfleet::agent
