// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/attempt.hpp"
#include "coordinator/core/bookkeeping.hpp"
#include "coordinator/core/brake.hpp"
#include "coordinator/core/dispatch_times.hpp"
#include "coordinator/core/effects.hpp"
#include "coordinator/core/events.hpp"
#include "coordinator/core/fleet.hpp"
#include "coordinator/core/group_run.hpp"
#include "coordinator/core/job_table.hpp"
#include "coordinator/core/log_about.hpp"
#include "coordinator/core/options.hpp"
#include "coordinator/core/programs.hpp"
#include "coordinator/core/rank_desk.hpp"
#include "coordinator/core/timers.hpp"
#include "proto/batch_key.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sdfleet::coordinator {

/// What went wrong without harm, for logs and tests.
struct Counters {
    std::uint64_t stale_results = 0;   ///< of attempts that no longer count
    std::uint64_t corrupt_results = 0; ///< whose bytes did not match their hash
    std::uint64_t misdirected = 0;     ///< messages that their sender may not send
    std::uint64_t retries = 0;         ///< items given out again
    std::uint64_t taken_back = 0;      ///< staged items asked back for an idle actor
    std::uint64_t items_done = 0;
    std::uint64_t items_failed = 0;
    std::uint64_t items_cancelled = 0;
    std::uint64_t steps = 0; ///< denoising steps that actors reported
    std::uint64_t nodes_lost = 0;
    std::uint64_t speculated = 0; ///< second copies of slow items
};

/// The coordinator as a pure machine: events and the time in, effects out. Reads no clock, draws no random numbers and
/// does no I/O, so that every run can be replayed from its events. One thread.
///
/// What it promises: an item is in the hands of one counting attempt, or of two when a slow one is
/// backed up, and one result is accepted; each item ends exactly once (done, failed
/// or cancelled), and is told to have ended only after that is on disk; a result is acknowledged as accepted only then;
/// every wait has a deadline, and every table a bound (Limits).
class Core {
public:
    explicit Core(Identity identity, Options options = {}, Limits limits = {});

    /// `now` never goes back. The first event is Restored.
    Effects step(const Event& event, Milliseconds now);

    /// When to call step(Tick{}), unless another event comes first.
    std::optional<Milliseconds> next_deadline() const;

    const Counters& counters() const { return counters_; }

    /// The fleet in numbers, with the newest faults. `now` is not before the last step's.
    proto::Status status(std::uint32_t max_faults, Milliseconds now) const;

    /// Compares all tables with each other and names the first contradiction. For tests; slow.
    std::optional<std::string> find_inconsistency() const;

private:
    /// A packet of a registered sender, while it is handled.
    struct From {
        const PacketReceived& packet;
        PeerRecord& record;
    };

    std::optional<std::string> find_stale_index() const;

    // core.cpp: events and timers
    void on(const Restored& restored);
    void on(const PacketReceived& packet);
    void on(const PeerUnreachable& event);
    void on(const Tick& tick);
    void on(const NodeTimer& timer);
    void on(const AttemptTimer& timer);
    void on(const WatchTimer& timer);
    void on(const SettlementTimer& timer);
    void on(const ForgetTimer& timer);
    void on(const UnservableTimer& timer);
    void on(const ActorTimer& timer);
    void on(const PinTimer& timer);
    void on(const SpeculationTimer& timer);
    void on(const PeerTimer& timer);
    void finish_step();
    void send(const Peer& peer, proto::Message message, std::uint64_t correlation = 0);
    void log(LogLevel level, std::string text, base::LogSubject subject = {});
    Ticket next_ticket() { return {++last_ticket_}; }

    // membership.cpp: who is here
    void on_hello(const proto::AgentHello& hello, const PacketReceived& packet);
    void on_hello(const proto::ClientHello& hello, const PacketReceived& packet);
    void join(const proto::AgentHello& hello, const PacketReceived& packet);
    void attach_bulk(const proto::AgentHello& hello, const PacketReceived& packet);
    std::optional<proto::Refused> find_refusal(const proto::AgentHello& hello, const Peer& peer);
    bool make_room_for_peer(const Peer& peer);
    bool make_room_for_node(const proto::NodeId& id);
    void supersede(Node& node);
    void replace_actors(Node& node, const std::vector<proto::ActorState>& states, bool keeps_work);
    void reconcile(Node& node, const std::vector<proto::AttemptReport>& reports, bool is_same_start);
    void welcome(const PacketReceived& packet, std::uint16_t version);
    void refuse(const PacketReceived& packet, proto::Refused refused);
    Node* admit(const From& from); ///< the sender's node, when it may speak for it; else refuses
    void heard(Node& node);
    void lose(Node& node, const std::string& why, proto::FailureReason reason);
    void forget_peer(const Peer& peer);
    void on(const proto::Goodbye& message, Node& node, const From& from);
    void on(const proto::Heartbeat& message, Node& node, const From& from);
    void on(const proto::ActorUpdate& message, Node& node, const From& from);

    // node_policy.cpp: what operators decide
    void on(const proto::DrainNode& message, const From& from);
    void on(const proto::FenceNode& message, const From& from);
    SetNodePolicy policy_of(const proto::NodeId& id) const;
    void decide(SetNodePolicy policy, const From& from);
    void finish_policy(const PolicyUnderWay& under_way);
    void keep_policy(const SetNodePolicy& policy);
    void ask_back_staged(const Node& node);
    void ask_back_staged(const Node& node, const Actor& actor);
    bool is_fenced(const proto::NodeId& id, proto::Incarnation incarnation) const;
    static proto::Refused refuse_fenced(const proto::NodeId& id);
    void update_brake();

    // status.cpp: the fleet in numbers
    void on(const proto::GetStatus& message, const From& from);

    // attempts.cpp: what happens to a try
    void on(const proto::Accepted& message, Node& node, const From& from);
    void on(const proto::Started& message, Node& node, const From& from);
    void on(const proto::StepProgress& message, Node& node, const From& from);
    void on(const proto::ItemDone& message, Node& node, const From& from);
    void on(const proto::ItemFailed& message, Node& node, const From& from);
    Attempt* find_attempt(proto::AttemptId id, const Node& node);
    void answer_stale(proto::AttemptId id, const proto::ItemId& item_id, const From& from);
    Attempt& begin_attempt(Node& node, Actor& actor, Job& job, std::uint32_t index, proto::Epoch group_epoch);
    Attempt& take_item(Node& node, Actor& actor, Job& job, std::uint32_t index, proto::Epoch group_epoch);
    void send_assign(const Node& node, const Attempt& attempt, const Job& job);
    void assign(Node& node, Actor& actor, Job& job, std::uint32_t index);
    bool adopt(Node& node, const proto::AttemptReport& report);
    void mark_running(Attempt& attempt);
    std::optional<Milliseconds> deadline_of(const Attempt& attempt) const;
    void set_timer(const Attempt& attempt);
    void end_attempt(const Attempt& attempt);
    void give_up(Attempt& attempt, std::optional<Failure> failure);    ///< tells the agent to stop; the item moves on
    void drop(const Attempt& attempt, std::optional<Failure> failure); ///< the agent is known not to have it any more
    void return_item(const proto::ItemId& id, const proto::ActorId& actor, const std::optional<Failure>& failure,
                     proto::AttemptId attempt, const std::optional<Requester>& reply_to);
    void note_actor(Node& node, const proto::ActorState& state);
    void check_presence(Node& node, const std::vector<proto::AttemptId>& present);
    void pause(const proto::ActorId& id);

    // scheduler.cpp: who gets what
    void dispatch();
    bool has_room(const Node& node, const Actor& actor) const;
    void note_room(const Node& node, Actor& actor);
    void note_all_room();
    using Offers = std::map<std::size_t, std::set<proto::ActorId>>; ///< actors by level
    void offer(std::size_t level, const std::set<proto::ActorId>& actors, Offers& later);
    Job* choose_job(const Node& node, const Actor& actor);
    void take_back(const std::set<proto::ActorId>& idle, const std::vector<proto::AttemptId>& newly_staged);
    bool take_back(proto::AttemptId id, const proto::ActorId& idle);
    void release_pins();
    void refresh_servability();
    void refresh_servability(Job& job);
    void queue_grew(const Job& job);
    std::string explain_waiting(const Job& job) const;
    std::string describe_shortage(const Job& job) const;

    // batches.cpp: what one actor draws at once
    static constexpr std::size_t staged_level = proto::max_batch_limit;
    std::size_t count_batched(const Actor& actor) const;
    bool has_open_batch(const Actor& actor) const;
    std::size_t level_of(const Actor& actor) const;
    bool waits(const Attempt& attempt) const;
    bool needs_own_actor(const Item& item) const;
    bool fits_batch(const Node& node, const Actor& actor, const Job& job) const;
    Job* choose_mate(const Node& node, const Actor& actor);
    std::optional<double> ms_before_staged(const Attempt& staged) const;

    // speculation.cpp: how long it takes, and second copies of what takes too long
    void learn_pace(const proto::ActorId& id, const Job& job, std::uint64_t elapsed_ms);
    std::optional<double> estimate_ms(const Actor& actor, const Job& job) const;
    std::uint64_t cost_ms(const Job& job) const;
    std::optional<double> remaining_ms(const Attempt& attempt) const;
    bool would_end_sooner(const Attempt& staged, const Actor& idle) const;
    void arm_speculation();
    void speculate();
    bool may_be_copied(const Attempt& attempt) const;
    bool copy_to(const proto::ActorId& idle, const Attempt& slow, double remaining);
    void withdraw(Attempt& attempt);
    Attempt* keep_other(Item& item, proto::AttemptId ended);

    // settlement.cpp: outcomes on their way to the disk
    void on(const StoreCommitted& event);
    void on(const StoreFailed& event);
    void on(const ArtifactSaved& event);
    void on(const ArtifactNotSaved& event);
    void settle(Settlement settlement);
    void write(std::uint64_t settlement_id);
    void retry_later(std::uint64_t settlement_id, const std::string& reason);
    void finish_settlement(std::uint64_t settlement_id);
    void reject_corrupt(std::uint64_t settlement_id, const std::string& reason);
    void restore(const RestoredJob& restored);
    static void apply(Job& job, const ItemOutcome& outcome);
    std::optional<Pending> take_pending(Ticket ticket);

    // requests.cpp, reports.cpp: clients
    void on(const proto::Submit& message, const From& from);
    void on(const proto::CancelJob& message, const From& from);
    void on(const proto::FetchArtifact& message, const From& from);
    void on(const proto::GetJob& message, const From& from);
    void on(const proto::ListJobs& message, const From& from);
    void on(const proto::ListNodes& message, const From& from);
    void on(const proto::ListModels& message, const From& from);
    void on(const ArtifactLoaded& event);
    void on(const ArtifactNotLoaded& event);
    void fail(const Requester& requester, proto::RequestError error, std::string message);
    void fail_overloaded(const Requester& requester, const std::string& what);
    bool may_wait_for_disk(const From& from);
    void release(const Requester& requester);
    void repeat_submit(const proto::Submit& message, Job& job, const From& from);
    std::optional<std::string> find_unservable(const proto::JobSpec& spec,
                                               const std::vector<proto::ActorId>& ranks) const;
    bool make_room_for_job(std::size_t items);
    void forget_surplus();
    void forget(Job& job, const char* why);
    void remove_forgotten();
    void finish_forgetting();
    void retry_forgetting(const std::string& reason);
    void finish_submit(const SubmitUnderWay& submit);
    void fail_submit(const SubmitUnderWay& submit, const std::string& reason);
    void finish_cancel(const CancelUnderWay& cancel);
    proto::JobSummary summarize(const Job& job) const;
    proto::NodeReport report(const Node& node) const;
    proto::ActorReport report(const Node& node, const Actor& actor) const;

    // rank_traffic.cpp: programs, and the groups of their ranks
    template <class Message>
    void on_program(const Message& message, const From& from);
    template <class Message>
    void on_program(const Message& message, Node& node, const From& from);
    void on(const proto::GroupJoin& message, Node& node, const From& from);
    void on(const proto::GroupAbort& message, Node& node, const From& from);
    void on(const proto::GroupLeave& message, Node& node, const From& from);
    void end_on(Node& node, const std::string& why); ///< whatever ranks it had
    void run_programs();

    // group_runs.cpp: jobs that several actors draw together
    std::optional<std::string> find_unservable_group(const proto::JobSpec& spec) const;
    const GroupRun* group_run_of(const Attempt& attempt) const;
    GroupRun* group_run_of(const Attempt& attempt);
    bool is_in_group_of(const Attempt& attempt, const Node& node) const;
    bool is_group_aborted(const Attempt& attempt) const;
    void note_group_progress(const Attempt& attempt);
    void leave_group(const Attempt& attempt);
    void abort_group_of(const Attempt& attempt, const std::string& why);
    void abort_group(const proto::JobId& job_id, GroupRun& run, std::vector<proto::Rank> lost, const std::string& why);
    void abort_groups_with(const proto::ActorId& actor, const std::string& why);
    void start_groups();
    std::vector<proto::ActorId> choose_members(const Job& job) const;
    void start_group(Job& job, std::vector<proto::ActorId> members);
    void hold_actors(const proto::JobId& job_id, const std::vector<proto::ActorId>& actors);

    // watching.cpp: long polls
    void on(const proto::WatchJob& message, const From& from);
    void answer(std::uint64_t watcher_id);
    void send_changes(const Watcher& watcher, const Job& job);
    void wake_watchers(const Job& job);
    void remove_watcher(std::uint64_t watcher_id);
    Milliseconds next_quiet_answer(const Watcher& watcher) const;
    void changed(const Job& job) { changed_jobs_.insert(job.id()); }

    Identity identity_;
    Options options_;
    Limits limits_;
    Counters counters_;

    Fleet fleet_;
    std::map<proto::NodeId, SetNodePolicy> policies_; ///< of nodes that drain or were fenced
    Brake brake_;
    JobTable jobs_;
    ForgetJobs to_forget_;                 ///< left the books, not yet the disk
    std::optional<ForgetJobs> forgetting_; ///< the disk is at it
    std::set<proto::JobId> leaving_;       ///< the jobs of both
    bool is_forgetting_paused_ = false;
    std::map<proto::JobId, GroupRun> group_runs_;
    proto::JobId holding_group_; ///< the group job that keeps idle actors; empty = none
    std::uint32_t last_group_epoch_ = 0;
    Programs programs_;
    RankDesk ranks_;
    Timers timers_;
    std::map<Peer, PeerRecord> peers_;
    std::map<proto::AttemptId, Attempt> attempts_;
    std::map<std::uint64_t, Settlement> settlements_;
    std::set<std::uint64_t>
        failing_settlements_; ///< those that the disk refused; while there are any, nothing is assigned
    std::string storage_fault_;
    std::map<Ticket, Pending> pending_;
    std::map<std::uint64_t, Watcher> watchers_;
    std::map<proto::JobId, std::set<std::uint64_t>> watchers_of_;

    DispatchTimes dispatch_times_;
    std::deque<Fault> recent_faults_; ///< oldest first, at most Limits::recent_faults
    Milliseconds started_at_;

    std::uint64_t last_ticket_ = 0;
    std::uint64_t last_settlement_ = 0;
    std::uint64_t last_watcher_ = 0;
    std::uint32_t last_attempt_ = 0;
    bool is_restored_ = false;
    bool is_in_pin_grace_ = false;
    bool is_speculation_armed_ = false;

    // What the scheduler knows, so that it need not look at everything.
    std::vector<std::set<proto::ActorId>> open_; ///< actors with room, by level
    std::set<proto::ActorId> staged_;            ///< actors that have an item waiting behind those they draw
    std::set<proto::AttemptId> taken_back_;      ///< staged attempts asked back for idle actors
    std::map<std::string, bool> is_served_;      ///< of the models that queued items need: has an actor that may do it
    Pace pace_{4'096};                           ///< of the whole fleet

    // Of the step under way.
    Milliseconds now_;
    Effects effects_;
    std::set<proto::JobId> changed_jobs_;
    bool is_fleet_changed_ = false;
    bool is_queue_changed_ = false;
    std::set<proto::JobId> grown_jobs_;          ///< with items newly queued
    std::set<proto::ActorId> freed_;             ///< actors that may have room now
    std::vector<proto::AttemptId> newly_staged_; ///< that may be taken back from now on
};

} // namespace sdfleet::coordinator
