// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace sdfleet::proto {

/// Numbers are for ever: a removed message's number is listed as reserved in PROTOCOL.md and never used again.
enum class MessageType : std::uint8_t {
    agent_hello = 1,
    client_hello = 2,
    actor_hello = 3,
    welcome = 4,
    refused = 5,
    goodbye = 6,
    heartbeat = 10,
    heartbeat_ack = 11,
    actor_update = 12,
    assign = 20,
    accepted = 21,
    started = 22,
    step_progress = 23,
    item_done = 24,
    item_failed = 25,
    result_ack = 26,
    cancel_attempt = 27,
    submit = 40,
    submitted = 41,
    watch_job = 42,
    job_changes = 43,
    get_job = 44,
    job_detail = 45,
    list_jobs = 46,
    job_list = 47,
    list_nodes = 48,
    node_list = 49,
    list_models = 50,
    model_list = 51,
    cancel_job = 52,
    job_cancelled = 53,
    fetch_artifact = 54,
    artifact = 55,
    request_failed = 56,
    drain_node = 57,
    fence_node = 58,
    node_changed = 59,
    get_status = 60,
    status = 61,
    launch_program = 70,
    program_launched = 71,
    watch_program = 72,
    program_changes = 73,
    stop_program = 74,
    start_ranks = 75,
    ranks_started = 76,
    rank_exited = 77,
    program_output = 78,
    output_taken = 79,
    stop_ranks = 80,
    ranks_gone = 81,
    group_join = 90,
    group_formed = 91,
    group_refused = 92,
    group_abort = 93,
    group_leave = 94,
    assign_group = 95
};

} // namespace sdfleet::proto
