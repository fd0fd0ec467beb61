// SPDX-License-Identifier: Apache-2.0
// What the coordinator writes to disk, and what it reads back when it starts.
#pragma once

#include "proto/blob.hpp"
#include "proto/messages.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sdfleet::coordinator {

/// The one end of an item.
struct ItemOutcome {
    proto::ItemIndex index;
    proto::ItemState state = proto::ItemState::failed; ///< done or failed; cancelled follows from the job
    proto::AttemptId attempt;                          ///< the one that counted; 0 when none did
    proto::ActorId actor;
    std::uint32_t tries = 0;
    std::string media_type; ///< this and the next three: of a done item's artifact
    std::string sha256;
    std::uint64_t bytes = 0;
    std::uint64_t elapsed_ms = 0;
    std::string error; ///< of a failed one, for people

    bool operator==(const ItemOutcome&) const = default;
};

struct InsertJob {
    proto::JobId job_id;
    std::shared_ptr<const proto::JobSpec> spec;
    std::uint64_t created_unix_ms = 0;
    std::vector<proto::ActorId> ranks; ///< the actors frozen at submit; empty with Split::pull
};

struct SettleItems {
    proto::JobId job_id;
    std::vector<ItemOutcome> outcomes;
    std::optional<proto::Blob> content; ///< a small artifact, of the only outcome: stored with it, or not at all
};

/// Every item without an outcome of its own is cancelled with it.
struct MarkJobCancelled {
    proto::JobId job_id;
};

/// Old jobs leave the books, and with them the artifacts that only they had.
struct ForgetJobs {
    std::vector<proto::JobId> jobs;
    std::vector<std::string> artifacts; ///< hashes without an owner; the small ones go in the same commit
};

/// What an operator decided about a node; replaces what was decided before.
struct SetNodePolicy {
    proto::NodeId node_id;
    bool is_draining = false;
    proto::Incarnation fenced; ///< starts of its agent up to this one are dead; 0 when none was fenced

    bool operator==(const SetNodePolicy&) const = default;
};

using StoreOperation = std::variant<InsertJob, SettleItems, MarkJobCancelled, ForgetJobs, SetNodePolicy>;

struct RestoredJob {
    InsertJob job;
    bool is_cancelled = false;
    std::vector<ItemOutcome> outcomes;
};

/// What the disk held at the start, oldest job first, in one or several parts: the first events of a core's life.
struct Restored {
    std::vector<RestoredJob> jobs;
    std::vector<SetNodePolicy> nodes; ///< in the last part
    bool is_last = true;
};

} // namespace sdfleet::coordinator
