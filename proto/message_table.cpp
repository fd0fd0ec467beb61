// SPDX-License-Identifier: Apache-2.0
#include "proto/message_table.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace sdfleet::proto {

namespace {

constexpr std::string_view agent_to_coordinator = "agent → coordinator";
constexpr std::string_view coordinator_to_agent = "coordinator → agent";
constexpr std::string_view actor_to_agent_to_coordinator = "actor → agent, agent → coordinator";
constexpr std::string_view coordinator_to_agent_to_actor = "coordinator → agent, agent → actor";
constexpr std::string_view client_to_coordinator = "client → coordinator";
constexpr std::string_view coordinator_to_client = "coordinator → client";

constexpr std::string_view rank_to_rendezvous = "rank → agent, agent → coordinator";
constexpr std::string_view rendezvous_to_rank = "coordinator → agent, agent → rank";

constexpr std::array<MessageInfo, std::variant_size_v<MessageVariant>> table{{
    {MessageType::agent_hello, "AgentHello", agent_to_coordinator},
    {MessageType::client_hello, "ClientHello", client_to_coordinator},
    {MessageType::actor_hello, "ActorHello", "actor → agent"},
    {MessageType::welcome, "Welcome", "coordinator → agent, coordinator → client, agent → actor"},
    {MessageType::refused, "Refused", "coordinator → agent, coordinator → client, agent → actor"},
    {MessageType::goodbye, "Goodbye", "agent → coordinator, agent → actor, actor → agent"},
    {MessageType::heartbeat, "Heartbeat", actor_to_agent_to_coordinator},
    {MessageType::heartbeat_ack, "HeartbeatAck", coordinator_to_agent_to_actor},
    {MessageType::actor_update, "ActorUpdate", agent_to_coordinator},
    {MessageType::assign, "Assign", coordinator_to_agent_to_actor},
    {MessageType::accepted, "Accepted", agent_to_coordinator},
    {MessageType::started, "Started", actor_to_agent_to_coordinator},
    {MessageType::step_progress, "StepProgress", actor_to_agent_to_coordinator},
    {MessageType::item_done, "ItemDone", actor_to_agent_to_coordinator},
    {MessageType::item_failed, "ItemFailed", actor_to_agent_to_coordinator},
    {MessageType::result_ack, "ResultAck", coordinator_to_agent},
    {MessageType::cancel_attempt, "CancelAttempt", coordinator_to_agent_to_actor},
    {MessageType::submit, "Submit", client_to_coordinator},
    {MessageType::submitted, "Submitted", coordinator_to_client},
    {MessageType::watch_job, "WatchJob", client_to_coordinator},
    {MessageType::job_changes, "JobChanges", coordinator_to_client},
    {MessageType::get_job, "GetJob", client_to_coordinator},
    {MessageType::job_detail, "JobDetail", coordinator_to_client},
    {MessageType::list_jobs, "ListJobs", client_to_coordinator},
    {MessageType::job_list, "JobList", coordinator_to_client},
    {MessageType::list_nodes, "ListNodes", client_to_coordinator},
    {MessageType::node_list, "NodeList", coordinator_to_client},
    {MessageType::list_models, "ListModels", client_to_coordinator},
    {MessageType::model_list, "ModelList", coordinator_to_client},
    {MessageType::cancel_job, "CancelJob", client_to_coordinator},
    {MessageType::job_cancelled, "JobCancelled", coordinator_to_client},
    {MessageType::fetch_artifact, "FetchArtifact", client_to_coordinator},
    {MessageType::artifact, "Artifact", coordinator_to_client},
    {MessageType::request_failed, "RequestFailed", coordinator_to_client},
    {MessageType::drain_node, "DrainNode", client_to_coordinator},
    {MessageType::fence_node, "FenceNode", client_to_coordinator},
    {MessageType::node_changed, "NodeChanged", coordinator_to_client},
    {MessageType::get_status, "GetStatus", client_to_coordinator},
    {MessageType::status, "Status", coordinator_to_client},
    {MessageType::launch_program, "LaunchProgram", client_to_coordinator},
    {MessageType::program_launched, "ProgramLaunched", coordinator_to_client},
    {MessageType::watch_program, "WatchProgram", client_to_coordinator},
    {MessageType::program_changes, "ProgramChanges", coordinator_to_client},
    {MessageType::stop_program, "StopProgram", client_to_coordinator},
    {MessageType::start_ranks, "StartRanks", coordinator_to_agent},
    {MessageType::ranks_started, "RanksStarted", agent_to_coordinator},
    {MessageType::rank_exited, "RankExited", agent_to_coordinator},
    {MessageType::program_output, "ProgramOutput", agent_to_coordinator},
    {MessageType::output_taken, "OutputTaken", coordinator_to_agent},
    {MessageType::stop_ranks, "StopRanks", coordinator_to_agent},
    {MessageType::ranks_gone, "RanksGone", agent_to_coordinator},
    {MessageType::group_join, "GroupJoin", rank_to_rendezvous},
    {MessageType::group_formed, "GroupFormed", rendezvous_to_rank},
    {MessageType::group_refused, "GroupRefused", rendezvous_to_rank},
    {MessageType::group_abort, "GroupAbort",
     "rank → agent, agent → coordinator, coordinator → agent, agent → rank, agent → actor"},
    {MessageType::group_leave, "GroupLeave", "rank → agent, agent → coordinator, actor → agent"},
    {MessageType::assign_group, "AssignGroup", coordinator_to_agent_to_actor},
}};

constexpr std::size_t roles = 5;

std::string_view name_of(Role role)
{
    switch (role) {
    case Role::coordinator:
        return "coordinator";
    case Role::agent:
        return "agent";
    case Role::actor:
        return "actor";
    case Role::client:
        return "client";
    case Role::rank:
        return "rank";
    }
    return "";
}

std::size_t index_of(Role sender, Role receiver, MessageType type)
{
    return (static_cast<std::size_t>(type) * roles + static_cast<std::size_t>(sender)) * roles +
           static_cast<std::size_t>(receiver);
}

/// What may_send() is asked for every message that comes in.
std::array<bool, 256 * roles * roles> make_permissions()
{
    std::array<bool, 256 * roles * roles> permissions{};
    for (const auto& info : table) {
        for (std::size_t sender = 0; sender < roles; ++sender) {
            for (std::size_t receiver = 0; receiver < roles; ++receiver) {
                const auto from = static_cast<Role>(sender);
                const auto to = static_cast<Role>(receiver);
                const std::string direction = std::string(name_of(from)) + " → " + std::string(name_of(to));
                permissions[index_of(from, to, info.type)] = info.directions.find(direction) != std::string_view::npos;
            }
        }
    }
    return permissions;
}

} // namespace

const MessageInfo& info_of(MessageType type)
{
    return *std::ranges::find(table, type, &MessageInfo::type);
}

bool may_send(Role sender, Role receiver, MessageType type)
{
    static const auto permissions = make_permissions();
    return permissions[index_of(sender, receiver, type)];
}

} // namespace sdfleet::proto
