// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/time.hpp"
#include "proto/messages.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace sdfleet::agent {

/// Every deadline and bound of the agent.
struct Limits {
    std::size_t staged_per_slot = 1; ///< attempts beyond those that the actor draws at once

    Milliseconds hello_retry_first{200}; ///< doubles with each unanswered hello, up to hello_retry_last
    Milliseconds hello_retry_last{5'000};
    Milliseconds no_answer_log_interval{30'000};
    Milliseconds result_ack_timeout{10'000}; ///< then the bulk connection is greeted anew and all results sent again

    std::size_t results_on_wire = 512; ///< sent and not acknowledged; bounds what waits in the bulk socket
    std::size_t result_bytes_on_wire = 32u << 20;
    std::size_t results_kept = 1024; ///< not acknowledged; beyond it, or the bytes below, no work is accepted
    std::size_t result_bytes_kept = 256u << 20;

    Milliseconds acceptance_delay{10}; ///< what is done sooner is not worth a word about its acceptance

    Milliseconds progress_interval{100}; ///< of an attempt's StepProgress to the coordinator

    Milliseconds actor_start_timeout{120'000}; ///< spawn to ActorHello; loading a large model takes a while
    Milliseconds actor_silence_timeout{5'000}; ///< since its last message; then it is killed
    Milliseconds actor_heartbeat_interval{500};
    Milliseconds actor_lease{10'000};    ///< an actor whose heartbeats are not acknowledged for so long ends itself
    Milliseconds cancel_timeout{30'000}; ///< an actor that did not stop a cancelled attempt by then is killed
    Milliseconds kill_repeat{5'000};

    std::size_t restarts = 5; ///< at most so many within restart_period
    Milliseconds restart_period{60'000};
    Milliseconds restart_delay_first{100}; ///< doubles with each death within the period
    Milliseconds restart_delay_last{5'000};

    Milliseconds rank_kill_repeat{3'000}; ///< a keeper that did not end its rank by then is killed too
    Milliseconds run_memory{30'000};      ///< what a run's client does not take for so long after its end is dropped
    Milliseconds output_repeat{10'000};   ///< output of which nothing was taken for so long is sent again
    std::uint32_t read_bytes = 32 * 1024; ///< of a rank's output at a time
    std::size_t group_members = 1'024;    ///< of all ranks of this node

    Milliseconds stop_patience{5'000}; ///< what actors get to leave on their own
};

/// Who this agent is and what it has. Does not change while it runs.
struct Settings {
    std::string coordinator;    ///< its endpoint, for messages to people
    std::string silence_advice; ///< what else to tell them when it does not answer; may be empty
    proto::NodeId node_id;
    proto::Incarnation incarnation;
    std::string software;
    std::string hostname;
    std::uint64_t pid = 0;
    std::vector<proto::DeviceInfo> devices;
    std::vector<proto::ModelInfo> models;
    std::vector<std::string> actor_devices; ///< device of the actor in slot 0, 1, ...
    std::vector<std::string> cuda_names;    ///< what CUDA_VISIBLE_DEVICES calls our cuda:0, cuda:1, ...
    bool runs_actors = true;                ///< else the devices are for programs alone
    std::string address;                    ///< where ranks of other nodes reach this one
    std::string rank_endpoint;              ///< where ranks reach this agent
    std::vector<std::pair<std::string, std::string>>
        rank_defaults; ///< variables that ranks get unless the program sets them
    Limits limits;
};

} // namespace sdfleet::agent
