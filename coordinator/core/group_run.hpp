// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/milliseconds.hpp"
#include "proto/ids.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace sdfleet::coordinator {

/// One run of a group job: a frozen list of actors, by rank, that draw some of its items together. Its attempts belong to the
/// actors that draw them; their results come from rank 0, or, when the run was aborted, from each actor itself.
struct GroupRun {
    proto::GroupId group;
    proto::Epoch epoch;
    std::vector<proto::ActorId> members;
    std::size_t attempts = 0; ///< not ended; the run is over with the last one
    bool is_aborted = false;
    Milliseconds moved_at; ///< last sign of progress of any member, or when it was aborted
};

/// How the group of a job's images is called.
inline proto::GroupId images_group(const proto::JobId& job)
{
    return {job.value + "/images"};
}

} // namespace sdfleet::coordinator
