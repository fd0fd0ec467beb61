// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/actor_slot.hpp"
#include "agent/core/event.hpp"
#include "agent/core/outbox.hpp"
#include "agent/core/settings.hpp"
#include "proto/program_messages.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <variant>
#include <vector>

namespace sdfleet::agent {

/// One run of a program on this node: takes the devices from their actors, starts the ranks, passes on what they write as
/// fast as it is taken, ends them when it is told to, and gives the devices back when the last one is gone. Keeps what it
/// told until the coordinator has no more use for it, to tell it again after a reconnect.
class RankRun {
public:
    RankRun(proto::StartRanks order, const Limits& limits, std::vector<ActorSlot>& slots, Milliseconds now,
            Outbox& out);

    const proto::ProgramRun& run() const { return order_.run; }
    bool has_rank(proto::Rank rank) const { return ranks_.contains(rank); }
    bool is_alive(proto::Rank rank) const;
    /// Something of it may still exist on this machine.
    bool is_present() const { return !is<Gone>(); }
    bool has_processes() const;
    /// Nobody will ask about it any more.
    bool may_be_forgotten(Milliseconds now) const;

    void stop(Milliseconds grace, Milliseconds now, Outbox& out);
    /// The run is not ours any more, or the agent ends: kill, and drop what was not taken.
    void abandon(Milliseconds now, Outbox& out);

    void on_spawned(const RankSpawned& event);
    void on_ended(const RankEnded& event, Outbox& out);
    void on_wrote(RankWrote event, Outbox& out);
    void on_port(std::uint16_t port, Outbox& out);
    void on_taken(std::uint64_t until);
    void on_welcome(Outbox& out) const;

    void advance(Milliseconds now, const Settings& settings, std::vector<ActorSlot>& slots, Outbox& out);
    std::optional<Milliseconds> next_deadline() const;

private:
    struct Vacating {}; ///< waits for the actors' end
    struct Choosing {}; ///< waits for a port to be chosen
    struct Running {};
    struct Gone {
        Milliseconds at;
    };
    using Phase = std::variant<Vacating, Choosing, Running, Gone>;

    enum class Reading {
        idle,
        under_way,
        held, ///< what was read waits for the window
        ended
    };
    struct RankState {
        proto::RankPlace place;
        std::uint64_t pid = 0;
        std::optional<proto::RankExit> exit;
        std::array<Reading, 2> streams{Reading::ended, Reading::ended};
    };
    struct Stopping {
        Milliseconds kill_at;
        std::optional<Milliseconds> clean_up_at; ///< set once it was killed
    };
    struct Output {
        proto::OutputChunk chunk;
        proto::Blob bytes;
    };
    struct SentOutput {
        proto::ProgramOutput message;
        proto::Blob bytes;
        std::uint64_t end = 0; ///< its offset and weight together
    };

    template <class P>
    bool is() const
    {
        return std::holds_alternative<P>(phase_);
    }
    void begin(const Settings& settings, const std::vector<ActorSlot>& slots, Outbox& out);
    void spawn_all(const Settings& settings, Outbox& out);
    void give_up(const std::string& why, Outbox& out);
    void tell_started(Outbox& out);
    proto::RanksStarted started() const;
    void escalate(Milliseconds now, Outbox& out);
    bool are_devices_ours(const std::vector<ActorSlot>& slots) const;
    void end_all(Ending ending, Outbox& out) const;
    void send_held(Outbox& out);
    void send_again(Outbox& out) const;
    void repeat_output(Milliseconds now, Outbox& out);
    void read_on(Outbox& out);
    void drop_output();
    bool are_all_ended() const;
    bool are_streams_ended() const;

    proto::StartRanks order_;
    Limits limits_;
    Phase phase_ = Vacating{};
    std::map<proto::Rank, RankState> ranks_;
    std::optional<Stopping> stopping_;
    bool is_abandoned_ = false;
    bool is_start_told_ = false;
    bool has_devices_ = true;
    std::optional<Milliseconds> streams_deadline_; ///< set when the last rank has ended
    std::uint16_t master_port_ = 0;
    std::deque<Output> held_;               ///< of each stream at most one piece
    std::deque<SentOutput> sent_;           ///< not taken yet
    std::optional<Milliseconds> repeat_at_; ///< while there is any
    std::uint64_t sent_until_ = 0;
    std::uint64_t taken_until_ = 0;
};

} // namespace sdfleet::agent
