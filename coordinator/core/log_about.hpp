// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/log_subject.hpp"
#include "proto/ids.hpp"

namespace sdfleet::coordinator {

inline base::LogSubject about(const proto::JobId& job)
{
    return {.job = job.value, .item = {}, .attempt = {}, .node = {}, .actor = {}};
}

inline base::LogSubject about(const proto::ItemId& item)
{
    return {.job = item.job_id.value, .item = item.index.value, .attempt = {}, .node = {}, .actor = {}};
}

inline base::LogSubject about(const proto::NodeId& node)
{
    return {.job = {}, .item = {}, .attempt = {}, .node = node.value, .actor = {}};
}

inline base::LogSubject about(const proto::ActorId& actor)
{
    return {.job = {}, .item = {}, .attempt = {}, .node = actor.node_id.value, .actor = actor.slot.value};
}

inline base::LogSubject about(const proto::ItemId& item, proto::AttemptId attempt, const proto::ActorId& actor)
{
    return {.job = item.job_id.value,
            .item = item.index.value,
            .attempt = attempt.value,
            .node = actor.node_id.value,
            .actor = actor.slot.value};
}

} // namespace sdfleet::coordinator
