// SPDX-License-Identifier: Apache-2.0
// What the core remembers about connections, and about answers that it owes or awaits.
#pragma once

#include "coordinator/core/events.hpp"
#include "coordinator/core/milliseconds.hpp"
#include "proto/message_table.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace sdfleet::coordinator {

/// A connection that said hello. ZeroMQ does not tell when one ends, so silent ones are forgotten after a while.
struct PeerRecord {
    proto::Role role = proto::Role::client;
    proto::NodeId node_id;          ///< of an agent
    proto::Incarnation incarnation; ///< of an agent
    Milliseconds last_heard;
    std::size_t pending_requests = 0;                  ///< waiting for the disk
    std::set<std::uint64_t> watchers;                  ///< parked WatchJobs
    std::map<proto::JobId, Milliseconds> last_answers; ///< to its WatchJobs
};

/// To whom a reply goes.
struct Requester {
    Peer peer;
    std::uint64_t correlation = 0;
    bool is_repeat = false;
};

/// A WatchJob that waits for something to happen.
struct Watcher {
    Requester requester;
    proto::JobId job_id;
    std::uint64_t after_change = 0;
    std::uint32_t max_items = 0;
};

/// Outcomes on their way to the disk: the artifact and the items' rows, then the acknowledgement. Kept and
/// tried again while the disk fails.
struct Settlement {
    proto::JobId job_id;
    std::vector<ItemOutcome> outcomes;
    std::optional<proto::Blob> content; ///< the artifact, until it is saved: alone when large, else with the rows
    std::optional<Requester> reply_to;  ///< the connection that brought the result
};

struct SaveUnderWay {
    std::uint64_t settlement = 0;
};
struct CommitUnderWay {
    std::uint64_t settlement = 0;
};
struct SubmitUnderWay {
    proto::JobId job_id;
    std::vector<Requester> requesters;
};
struct CancelUnderWay {
    proto::JobId job_id;
    std::vector<Requester> requesters;
};
struct FetchUnderWay {
    std::string sha256;
    Requester requester;
};
struct PolicyUnderWay {
    SetNodePolicy policy;
    Requester requester;
};
struct ForgetUnderWay {};

/// What the answer to a ticket is needed for.
using Pending = std::variant<SaveUnderWay, CommitUnderWay, SubmitUnderWay, CancelUnderWay, FetchUnderWay,
                             PolicyUnderWay, ForgetUnderWay>;

} // namespace sdfleet::coordinator
