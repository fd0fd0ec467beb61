// SPDX-License-Identifier: Apache-2.0
// Every message of the wire, as plain structs. PROTOCOL.md says who sends what to whom and in which order; a test holds
// the two together. The member names are the keys on the wire: renaming one, or changing its type, is a new protocol
// version. A new member needs a default that suits a peer which does not send it.
#pragma once

#include "proto/group_messages.hpp"
#include "proto/ids.hpp"
#include "proto/job_spec.hpp"
#include "proto/message_type.hpp"
#include "proto/program_messages.hpp"

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace sdfleet::proto {

constexpr std::uint16_t protocol_version_min = 1;
constexpr std::uint16_t protocol_version_max = 1;

/// In front of every message.
struct Envelope {
    std::uint16_t version = protocol_version_max;
    ClusterId cluster;             ///< empty before the welcome
    std::uint8_t type = 0;         ///< a MessageType
    std::uint64_t correlation = 0; ///< a reply carries its request's; 0 where nothing is answered

    bool operator==(const Envelope&) const = default;
    SDFLEET_WIRE_MAP(version, cluster, type, correlation)
};

// ---------------------------------------------------------------- parts of messages

struct DeviceInfo {
    std::string name;               ///< "cpu", "cuda:0"
    std::string description;        ///< the processor's or the GPU's own name
    std::uint64_t memory_bytes = 0; ///< 0 = not known

    bool operator==(const DeviceInfo&) const = default;
    SDFLEET_WIRE_MAP(name, description, memory_bytes)
};

struct ModelInfo {
    std::string name;
    std::string fingerprint; ///< SHA-256 over the folder's configs, file names and sizes: equal folders have equal ones

    bool operator==(const ModelInfo&) const = default;
    SDFLEET_WIRE_MAP(name, fingerprint)
};

enum class ActorPhase : std::uint8_t {
    starting = 0,
    ready = 1,
    restarting = 2, ///< its process died; the next one starts after a back-off
    failed = 3,     ///< the restart budget is spent
    lent = 4,       ///< its device is lent to a rank of a program; the actor starts again when that has ended
    vacant = 5      ///< the agent runs no actors: its devices are for programs alone
};
constexpr ActorPhase last_enumerator(ActorPhase)
{
    return ActorPhase::vacant;
}

struct ActorState {
    Slot slot;
    std::string device;
    ActorPhase phase = ActorPhase::starting;
    std::uint64_t pid = 0;
    std::uint32_t restarts = 0;
    std::string detail;          ///< why it restarts or failed, for people
    std::uint32_t max_batch = 1; ///< items that it can draw at once, 1 to max_batch_limit

    bool operator==(const ActorState&) const = default;
    SDFLEET_WIRE_MAP(slot, device, phase, pid, restarts, detail, max_batch)
};

/// An attempt that the sender has in hand: staged, running, or finished and not yet acknowledged.
struct AttemptReport {
    AttemptId attempt_id;
    JobId job_id;
    ItemIndex index;
    Slot slot;

    bool operator==(const AttemptReport&) const = default;
    SDFLEET_WIRE_MAP(attempt_id, job_id, index, slot)
};

enum class FailureReason : std::uint8_t {
    internal = 0,
    bad_request = 1, ///< the model cannot draw what was asked; another try would fail as well
    bad_model = 2,   ///< the model folder does not load
    out_of_memory = 3,
    not_finite = 4, ///< NaN in the picture
    cancelled = 5,
    actor_died = 6,
    actor_hung = 7, ///< no progress within the deadline
    node_lost = 8,
    no_actor = 9, ///< nothing that could serve it came back in time
    overloaded = 10
};
constexpr FailureReason last_enumerator(FailureReason)
{
    return FailureReason::overloaded;
}

enum class ItemState : std::uint8_t { queued = 0, assigned = 1, running = 2, done = 3, failed = 4, cancelled = 5 };
constexpr ItemState last_enumerator(ItemState)
{
    return ItemState::cancelled;
}

struct ItemReport {
    ItemIndex index;
    ItemState state = ItemState::queued;
    std::uint32_t step = 0;     ///< finished steps, while running
    std::uint32_t steps = 0;    ///< 0 = not known yet
    std::uint32_t attempts = 0; ///< tries so far, the running one included
    NodeId node_id;             ///< where it runs or ran last; empty before
    Slot slot;
    std::string sha256; ///< of the artifact, when done
    std::uint64_t bytes = 0;
    std::uint64_t elapsed_ms = 0; ///< computing time of the accepted try
    std::string error;            ///< why it failed, for people

    bool operator==(const ItemReport&) const = default;
    SDFLEET_WIRE_MAP(index, state, step, steps, attempts, node_id, slot, sha256, bytes, elapsed_ms, error)
};

enum class JobState : std::uint8_t { queued = 0, running = 1, done = 2, failed = 3, cancelled = 4 };
constexpr JobState last_enumerator(JobState)
{
    return JobState::cancelled;
}

struct JobSummary {
    JobId job_id;
    std::string kind; ///< "diffusion", "echo"
    std::string model;
    JobState state = JobState::queued;
    std::uint32_t total = 0;
    std::uint32_t queued = 0;
    std::uint32_t running = 0; ///< assigned or running
    std::uint32_t done = 0;
    std::uint32_t failed = 0;
    std::uint32_t cancelled = 0;
    std::uint64_t created_unix_ms = 0;
    std::string waiting_for; ///< why nothing moves, for people; empty when it does

    bool operator==(const JobSummary&) const = default;
    SDFLEET_WIRE_MAP(job_id, kind, model, state, total, queued, running, done, failed, cancelled, created_unix_ms,
                     waiting_for)
};

/// What one actor is doing, for progress displays and `sdctl nodes`.
struct ActorReport {
    NodeId node_id;
    ActorState state;
    JobId job_id; ///< of the running item; empty when idle
    ItemIndex index;
    std::uint32_t step = 0;
    std::uint32_t steps = 0;
    std::uint32_t in_flight = 0; ///< drawn and staged
    std::uint64_t items_done = 0;

    bool operator==(const ActorReport&) const = default;
    SDFLEET_WIRE_MAP(node_id, state, job_id, index, step, steps, in_flight, items_done)
};

enum class NodeState : std::uint8_t { alive = 0, suspect = 1, lost = 2 };
constexpr NodeState last_enumerator(NodeState)
{
    return NodeState::lost;
}

struct NodeReport {
    NodeId node_id;
    Incarnation incarnation;
    NodeState state = NodeState::alive;
    std::string hostname;
    std::string software;
    std::uint64_t silent_ms = 0; ///< since it was last heard
    std::vector<DeviceInfo> devices;
    std::vector<ModelInfo> models;
    std::vector<ActorReport> actors;
    bool is_draining = false; ///< finishes what it has, gets no new work
    std::string detail;       ///< why it is lost, for people

    bool operator==(const NodeReport&) const = default;
    SDFLEET_WIRE_MAP(node_id, incarnation, state, hostname, software, silent_ms, devices, models, actors, is_draining,
                     detail)
};

struct ModelReport {
    std::string name;
    std::vector<std::string> fingerprints; ///< more than one: the nodes' folders differ
    std::vector<NodeId> nodes;
    std::uint32_t actors_ready = 0;

    bool operator==(const ModelReport&) const = default;
    SDFLEET_WIRE_MAP(name, fingerprints, nodes, actors_ready)
};

// ---------------------------------------------------------------- joining and leaving

/// An agent's two connections: results never delay a heartbeat.
enum class Channel : std::uint8_t { control = 0, bulk = 1 };
constexpr Channel last_enumerator(Channel)
{
    return Channel::bulk;
}

/// First word of an agent, and again whenever it may have been forgotten (Refused::not_registered, silence).
struct AgentHello {
    static constexpr auto type = MessageType::agent_hello;
    std::uint16_t protocol_min = protocol_version_min;
    std::uint16_t protocol_max = protocol_version_max;
    std::string software; ///< program version, for people
    Channel channel = Channel::control;
    NodeId node_id;
    Incarnation incarnation;
    std::string hostname; ///< this and all below: only on the control channel
    std::uint64_t pid = 0;
    std::vector<DeviceInfo> devices;
    std::vector<ModelInfo> models;
    std::vector<ActorState> actors;
    std::vector<AttemptReport> attempts;
    std::string address; ///< where ranks of other nodes reach this one: a host name or an IP address

    bool operator==(const AgentHello&) const = default;
    SDFLEET_WIRE_MAP(protocol_min, protocol_max, software, channel, node_id, incarnation, hostname, pid, devices,
                     models, actors, attempts, address)
};

struct ClientHello {
    static constexpr auto type = MessageType::client_hello;
    std::uint16_t protocol_min = protocol_version_min;
    std::uint16_t protocol_max = protocol_version_max;
    std::string software;

    bool operator==(const ClientHello&) const = default;
    SDFLEET_WIRE_MAP(protocol_min, protocol_max, software)
};

/// An actor process to the agent that spawned it, once it can take work.
struct ActorHello {
    static constexpr auto type = MessageType::actor_hello;
    std::uint16_t protocol_min = protocol_version_min;
    std::uint16_t protocol_max = protocol_version_max;
    std::string software;
    Slot slot;
    std::uint64_t pid = 0;
    std::uint32_t max_batch = 1; ///< items that it can draw at once, 1 to max_batch_limit

    bool operator==(const ActorHello&) const = default;
    SDFLEET_WIRE_MAP(protocol_min, protocol_max, software, slot, pid, max_batch)
};

struct Welcome {
    static constexpr auto type = MessageType::welcome;
    std::uint16_t protocol_version = protocol_version_max; ///< the one to speak from now on
    std::string software;
    std::uint64_t epoch = 0; ///< of the coordinator: grows with each of its starts
    std::uint32_t heartbeat_interval_ms = 0;
    std::uint32_t lease_ms = 0; ///< an agent not acknowledged for this long must stop its work

    bool operator==(const Welcome&) const = default;
    SDFLEET_WIRE_MAP(protocol_version, software, epoch, heartbeat_interval_ms, lease_ms)
};

enum class RefusalReason : std::uint8_t {
    protocol_version = 0, ///< no common version: do not try again
    superseded = 1,       ///< a newer incarnation of the same node id is here: stop
    invalid_hello = 2,    ///< do not try again
    not_registered = 3,   ///< say hello first
    other_cluster = 4,    ///< the sender belongs to another coordinator
    full = 5,             ///< try again later
    fenced = 6            ///< an operator declared this start of the agent dead: stop
};
constexpr RefusalReason last_enumerator(RefusalReason)
{
    return RefusalReason::fenced;
}

struct Refused {
    static constexpr auto type = MessageType::refused;
    RefusalReason reason = RefusalReason::not_registered;
    std::string message; ///< for people
    std::uint16_t protocol_min = protocol_version_min;
    std::uint16_t protocol_max = protocol_version_max;

    bool operator==(const Refused&) const = default;
    SDFLEET_WIRE_MAP(reason, message, protocol_min, protocol_max)
};

/// The sender leaves in good order: its work may be given to others at once. From an agent to an actor: stop.
struct Goodbye {
    static constexpr auto type = MessageType::goodbye;
    std::string message; ///< why, for people

    bool operator==(const Goodbye&) const = default;
    SDFLEET_WIRE_MAP(message)
};

// ---------------------------------------------------------------- staying alive

struct Heartbeat {
    static constexpr auto type = MessageType::heartbeat;
    std::uint64_t sequence = 0;
    std::vector<AttemptId> attempts;  ///< all in hand; one that the coordinator misses here for long is given to others
    std::vector<ActorState> actors;   ///< of an agent: all of them, so that a lost ActorUpdate does no lasting harm
    std::vector<ProgramRun> programs; ///< of an agent: those with ranks here

    bool operator==(const Heartbeat&) const = default;
    SDFLEET_WIRE_MAP(sequence, attempts, actors, programs)
};

struct HeartbeatAck {
    static constexpr auto type = MessageType::heartbeat_ack;
    std::uint64_t sequence = 0;
    std::uint32_t lease_ms = 0;

    bool operator==(const HeartbeatAck&) const = default;
    SDFLEET_WIRE_MAP(sequence, lease_ms)
};

struct ActorUpdate {
    static constexpr auto type = MessageType::actor_update;
    ActorState actor;

    bool operator==(const ActorUpdate&) const = default;
    SDFLEET_WIRE_MAP(actor)
};

// ---------------------------------------------------------------- work

struct Assign {
    static constexpr auto type = MessageType::assign;
    AttemptId attempt_id;
    JobId job_id;
    ItemIndex index;
    Slot slot;
    std::string model;
    Parameters parameters;
    ItemSpec item;
    bool alone = false; ///< an agent gives the actor nothing else meanwhile: actors have died with this item

    bool operator==(const Assign&) const = default;
    SDFLEET_WIRE_MAP(attempt_id, job_id, index, slot, model, parameters, item, alone)
};

struct Accepted {
    static constexpr auto type = MessageType::accepted;
    AttemptId attempt_id;

    bool operator==(const Accepted&) const = default;
    SDFLEET_WIRE_MAP(attempt_id)
};

struct Started {
    static constexpr auto type = MessageType::started;
    AttemptId attempt_id;

    bool operator==(const Started&) const = default;
    SDFLEET_WIRE_MAP(attempt_id)
};

struct StepProgress {
    static constexpr auto type = MessageType::step_progress;
    AttemptId attempt_id;
    std::uint32_t step = 0; ///< finished
    std::uint32_t steps = 0;

    bool operator==(const StepProgress&) const = default;
    SDFLEET_WIRE_MAP(attempt_id, step, steps)
};

/// Followed by one raw frame, the artifact.
struct ItemDone {
    static constexpr auto type = MessageType::item_done;
    AttemptId attempt_id;
    JobId job_id;
    ItemIndex index;
    std::string media_type; ///< "image/png", "application/octet-stream"
    std::string sha256;     ///< of the raw frame
    std::uint64_t elapsed_ms = 0;

    bool operator==(const ItemDone&) const = default;
    SDFLEET_WIRE_MAP(attempt_id, job_id, index, media_type, sha256, elapsed_ms)
};

struct ItemFailed {
    static constexpr auto type = MessageType::item_failed;
    AttemptId attempt_id;
    JobId job_id;
    ItemIndex index;
    FailureReason reason = FailureReason::internal;
    std::string message;

    bool operator==(const ItemFailed&) const = default;
    SDFLEET_WIRE_MAP(attempt_id, job_id, index, reason, message)
};

enum class Verdict : std::uint8_t {
    accepted = 0, ///< durable; forget it
    stale = 1,    ///< another attempt counts, or the job is over; forget it
    corrupt = 2   ///< the bytes do not match their hash; forget it, the item is drawn again
};
constexpr Verdict last_enumerator(Verdict)
{
    return Verdict::corrupt;
}

struct ResultAck {
    static constexpr auto type = MessageType::result_ack;
    AttemptId attempt_id;
    Verdict verdict = Verdict::accepted;

    bool operator==(const ResultAck&) const = default;
    SDFLEET_WIRE_MAP(attempt_id, verdict)
};

struct CancelAttempt {
    static constexpr auto type = MessageType::cancel_attempt;
    AttemptId attempt_id;

    bool operator==(const CancelAttempt&) const = default;
    SDFLEET_WIRE_MAP(attempt_id)
};

// ---------------------------------------------------------------- clients

struct Submit {
    static constexpr auto type = MessageType::submit;
    JobId job_id;
    JobSpec spec;

    bool operator==(const Submit&) const = default;
    SDFLEET_WIRE_MAP(job_id, spec)
};

/// The job is on disk.
struct Submitted {
    static constexpr auto type = MessageType::submitted;
    JobSummary job;
    bool already_known = false; ///< same id, same content: this is the answer to a repeated submit

    bool operator==(const Submitted&) const = default;
    SDFLEET_WIRE_MAP(job, already_known)
};

/// Answered at once when an item changed after `after_change`, else when one does, else after `wait_ms`.
struct WatchJob {
    static constexpr auto type = MessageType::watch_job;
    JobId job_id;
    std::uint64_t after_change = 0; ///< 0 = from the beginning; else JobChanges::last_change of the answer before
    std::uint32_t max_items = 256;
    std::uint32_t wait_ms = 0;

    bool operator==(const WatchJob&) const = default;
    SDFLEET_WIRE_MAP(job_id, after_change, max_items, wait_ms)
};

struct JobChanges {
    static constexpr auto type = MessageType::job_changes;
    JobSummary job;
    std::vector<ItemReport> items; ///< each changed item once, in its newest state, oldest change first
    std::uint64_t last_change = 0;
    bool more = false;               ///< max_items cut the list: ask again at once
    std::vector<ActorReport> actors; ///< those that work for this job

    bool operator==(const JobChanges&) const = default;
    SDFLEET_WIRE_MAP(job, items, last_change, more, actors)
};

struct GetJob {
    static constexpr auto type = MessageType::get_job;
    JobId job_id;
    std::uint32_t first_index = 0;
    std::uint32_t max_items = 256;

    bool operator==(const GetJob&) const = default;
    SDFLEET_WIRE_MAP(job_id, first_index, max_items)
};

struct JobDetail {
    static constexpr auto type = MessageType::job_detail;
    JobSummary job;
    Split split = Split::pull;
    Parameters parameters;
    std::uint32_t first_index = 0;
    std::vector<ItemSpec> specs;     ///< of items first_index, first_index + 1, ...
    std::vector<ItemReport> reports; ///< as many

    bool operator==(const JobDetail&) const = default;
    SDFLEET_WIRE_MAP(job, split, parameters, first_index, specs, reports)
};

struct ListJobs {
    static constexpr auto type = MessageType::list_jobs;
    std::uint32_t max_jobs = 100;

    bool operator==(const ListJobs&) const = default;
    SDFLEET_WIRE_MAP(max_jobs)
};

struct JobList {
    static constexpr auto type = MessageType::job_list;
    std::vector<JobSummary> jobs; ///< newest first
    std::uint32_t total = 0;

    bool operator==(const JobList&) const = default;
    SDFLEET_WIRE_MAP(jobs, total)
};

struct ListNodes {
    static constexpr auto type = MessageType::list_nodes;
    bool include_lost = true;

    bool operator==(const ListNodes&) const = default;
    SDFLEET_WIRE_MAP(include_lost)
};

struct NodeList {
    static constexpr auto type = MessageType::node_list;
    std::vector<NodeReport> nodes;

    bool operator==(const NodeList&) const = default;
    SDFLEET_WIRE_MAP(nodes)
};

struct ListModels {
    static constexpr auto type = MessageType::list_models;
    bool only_ready = false; ///< leave out models without a ready actor

    bool operator==(const ListModels&) const = default;
    SDFLEET_WIRE_MAP(only_ready)
};

struct ModelList {
    static constexpr auto type = MessageType::model_list;
    std::vector<ModelReport> models;

    bool operator==(const ModelList&) const = default;
    SDFLEET_WIRE_MAP(models)
};

struct CancelJob {
    static constexpr auto type = MessageType::cancel_job;
    JobId job_id;

    bool operator==(const CancelJob&) const = default;
    SDFLEET_WIRE_MAP(job_id)
};

/// The cancellation is on disk; items that run stop between two steps. A job already over is answered as it is.
struct JobCancelled {
    static constexpr auto type = MessageType::job_cancelled;
    JobSummary job;

    bool operator==(const JobCancelled&) const = default;
    SDFLEET_WIRE_MAP(job)
};

struct FetchArtifact {
    static constexpr auto type = MessageType::fetch_artifact;
    std::string sha256;

    bool operator==(const FetchArtifact&) const = default;
    SDFLEET_WIRE_MAP(sha256)
};

/// Followed by one raw frame, the artifact.
struct Artifact {
    static constexpr auto type = MessageType::artifact;
    std::string sha256;

    bool operator==(const Artifact&) const = default;
    SDFLEET_WIRE_MAP(sha256)
};

enum class RequestError : std::uint8_t {
    invalid = 0,
    unknown_job = 1,
    conflict = 2,   ///< this job id exists with other content
    unservable = 3, ///< no node of the fleet can do it
    unknown_artifact = 4,
    overloaded = 5, ///< try again after retry_after_ms
    storage = 6,    ///< the coordinator cannot write (disk full)
    unknown_node = 7,
    unknown_program = 8,
    not_allowed = 9 ///< the sender's key does not let it do that
};
constexpr RequestError last_enumerator(RequestError)
{
    return RequestError::not_allowed;
}

/// Any request's other answer.
struct RequestFailed {
    static constexpr auto type = MessageType::request_failed;
    RequestError error = RequestError::invalid;
    std::string message;              ///< what, why, what to do
    std::uint32_t retry_after_ms = 0; ///< 0 = trying again will not help

    bool operator==(const RequestFailed&) const = default;
    SDFLEET_WIRE_MAP(error, message, retry_after_ms)
};

/// From now on the node's actors get no new work and finish what they have; with `drain` false they get work again.
struct DrainNode {
    static constexpr auto type = MessageType::drain_node;
    NodeId node_id;
    bool drain = true;

    bool operator==(const DrainNode&) const = default;
    SDFLEET_WIRE_MAP(node_id, drain)
};

/// An operator declares the node dead: its work goes to others at once, and its agent, should it still run, must stop.
struct FenceNode {
    static constexpr auto type = MessageType::fence_node;
    NodeId node_id;

    bool operator==(const FenceNode&) const = default;
    SDFLEET_WIRE_MAP(node_id)
};

/// The change is on disk.
struct NodeChanged {
    static constexpr auto type = MessageType::node_changed;
    NodeReport node;

    bool operator==(const NodeChanged&) const = default;
    SDFLEET_WIRE_MAP(node)
};

struct GetStatus {
    static constexpr auto type = MessageType::get_status;
    std::uint32_t max_faults = 20;

    bool operator==(const GetStatus&) const = default;
    SDFLEET_WIRE_MAP(max_faults)
};

/// Something went wrong and was dealt with.
struct FaultReport {
    std::uint64_t age_ms = 0; ///< how long ago
    std::string text;         ///< for people

    bool operator==(const FaultReport&) const = default;
    SDFLEET_WIRE_MAP(age_ms, text)
};

/// How many values were at most `upper_us`, and above the bucket before.
struct HistogramBucket {
    std::uint64_t upper_us = 0; ///< the last bucket's is the largest number: everything
    std::uint64_t count = 0;

    bool operator==(const HistogramBucket&) const = default;
    SDFLEET_WIRE_MAP(upper_us, count)
};

/// The whole fleet in numbers. Those called a total count from the coordinator's start.
struct Status {
    static constexpr auto type = MessageType::status;
    std::string software;
    std::uint64_t epoch = 0;
    std::uint64_t uptime_ms = 0;
    bool is_braking = false;   ///< too many nodes fell silent at once: their work is not given to others yet
    std::string storage_fault; ///< why results cannot be written now; empty when they can
    std::uint32_t nodes_alive = 0;
    std::uint32_t nodes_suspect = 0;
    std::uint32_t nodes_lost = 0;
    std::uint32_t nodes_draining = 0; ///< of those that are not lost
    std::uint32_t actors_busy = 0;
    std::uint32_t actors_idle = 0;
    std::uint32_t actors_starting = 0; ///< or restarting
    std::uint32_t actors_failed = 0;
    std::uint32_t actors_lent = 0; ///< whose devices programs have
    std::uint32_t jobs_unfinished = 0;
    std::uint32_t jobs_kept = 0; ///< all that are in the books
    std::uint64_t items_queued = 0;
    std::uint64_t items_in_flight = 0;
    std::uint64_t items_done_total = 0;
    std::uint64_t items_failed_total = 0;
    std::uint64_t items_cancelled_total = 0;
    std::uint64_t steps_total = 0; ///< denoising steps reported by actors
    std::uint64_t assigns_total = 0;
    std::uint64_t retries_total = 0;
    std::uint64_t taken_back_total = 0;
    std::uint64_t speculated_total = 0; ///< second copies begun
    std::uint64_t stale_results_total = 0;
    std::uint64_t corrupt_results_total = 0;
    std::uint64_t misdirected_total = 0; ///< messages that their sender may not send
    std::uint64_t nodes_lost_total = 0;
    std::uint64_t bytes_stored = 0;        ///< of all artifacts in the books
    std::vector<HistogramBucket> dispatch; ///< from an item's Assign to the arrival of its result
    std::uint64_t dispatch_sum_us = 0;     ///< of all these times
    std::vector<FaultReport> faults;       ///< newest first
    std::uint64_t items_batched = 0;       ///< in flight and not waiting behind others: what actors draw at once

    bool operator==(const Status&) const = default;
    SDFLEET_WIRE_MAP(software, epoch, uptime_ms, is_braking, storage_fault, nodes_alive, nodes_suspect, nodes_lost,
                     nodes_draining, actors_busy, actors_idle, actors_starting, actors_failed, actors_lent,
                     jobs_unfinished, jobs_kept, items_queued, items_in_flight, items_done_total, items_failed_total,
                     items_cancelled_total, steps_total, assigns_total, retries_total, taken_back_total,
                     speculated_total, stale_results_total, corrupt_results_total, misdirected_total, nodes_lost_total,
                     bytes_stored, dispatch, dispatch_sum_us, faults, items_batched)
};

using MessageVariant =
    std::variant<AgentHello, ClientHello, ActorHello, Welcome, Refused, Goodbye, Heartbeat, HeartbeatAck, ActorUpdate,
                 Assign, Accepted, Started, StepProgress, ItemDone, ItemFailed, ResultAck, CancelAttempt, Submit,
                 Submitted, WatchJob, JobChanges, GetJob, JobDetail, ListJobs, JobList, ListNodes, NodeList, ListModels,
                 ModelList, CancelJob, JobCancelled, FetchArtifact, Artifact, RequestFailed, DrainNode, FenceNode,
                 NodeChanged, GetStatus, Status, LaunchProgram, ProgramLaunched, WatchProgram, ProgramChanges,
                 StopProgram, StartRanks, RanksStarted, RankExited, ProgramOutput, OutputTaken, StopRanks, RanksGone,
                 GroupJoin, GroupFormed, GroupRefused, GroupAbort, GroupLeave, AssignGroup>;

template <class T, class Variant>
inline constexpr bool is_alternative = false;
template <class T, class... Alternatives>
inline constexpr bool is_alternative<T, std::variant<Alternatives...>> = (std::is_same_v<T, Alternatives> || ...);

/// Any of them. A class of its own for the compiler's sake: what a variant of so many types needs to be copied, moved and
/// destroyed is in one place instead of in every file that handles messages.
class Message : public MessageVariant {
public:
    Message();
    Message(const Message&);
    Message(Message&&) noexcept;
    Message& operator=(const Message&);
    Message& operator=(Message&&) noexcept;
    ~Message();

    template <class Body>
    requires is_alternative<std::decay_t<Body>, MessageVariant> Message(Body&& body) // NOLINT: meant to convert
        : Message()
    {
        std::decay_t<Body> moved(std::forward<Body>(body));
        take(moved.type, &moved);
    }

    bool operator==(const Message&) const;

private:
    void take(MessageType type, void* body);
};

inline MessageType type_of(const Message& message)
{
    return std::visit([](const auto& body) { return body.type; }, message);
}

} // namespace sdfleet::proto
