// SPDX-License-Identifier: Apache-2.0
// What the coordinator wants done. The shell carries them out in order.
#pragma once

#include "base/log_subject.hpp"
#include "coordinator/core/events.hpp"

#include <string>
#include <variant>
#include <vector>

namespace sdfleet::coordinator {

struct Send {
    Peer peer;
    std::uint64_t correlation = 0;
    proto::Message message;
    std::vector<proto::Blob> blobs;
};

/// Answered by StoreCommitted once it is on disk, or by StoreFailed; with an artifact that does not match its hash by
/// ArtifactNotSaved. Operations are committed in the order given.
struct Persist {
    Ticket ticket;
    StoreOperation operation;
};

/// A large one. Answered by ArtifactSaved once it is on disk under its hash, or by ArtifactNotSaved.
struct SaveArtifact {
    Ticket ticket;
    std::string sha256; ///< what the sender says; to be checked against the content
    proto::Blob content;
};

/// Answered by ArtifactLoaded or ArtifactNotLoaded.
struct LoadArtifact {
    Ticket ticket;
    std::string sha256;
};

/// No item refers to the large artifact any more. Not answered.
struct RemoveArtifact {
    std::string sha256;
};

using base::LogLevel;

struct Log {
    LogLevel level = LogLevel::info;
    std::string text;
    base::LogSubject subject;
};

/// Needs a person.
struct Alarm {
    std::string text;
};

using Effect = std::variant<Send, Persist, SaveArtifact, LoadArtifact, RemoveArtifact, Log, Alarm>;
using Effects = std::vector<Effect>;

} // namespace sdfleet::coordinator
