// SPDX-License-Identifier: Apache-2.0
// An AgentCore with nothing around it: tests say what happens to it and look at what it does.
#pragma once

#include "agent/core/agent_core.hpp"
#include "proto/message_table.hpp"

#include "tests/catch.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace sdfleet::agent {

struct Story {
    explicit Story(std::size_t actors = 1, Limits limits = {}) : core(settings(actors, limits)) { happen(Tick{}); }

    static Settings settings(std::size_t actors, Limits limits)
    {
        Settings settings;
        settings.coordinator = "tcp://c:7420";
        settings.node_id = {"node-a"};
        settings.incarnation = {7};
        settings.models = {{"tiny", "f00d"}};
        settings.actor_devices.assign(actors, "cpu");
        settings.limits = limits;
        return settings;
    }

    // -------- what happens

    void happen(const Event& event)
    {
        for (auto& effect : core.step(event, now)) {
            // Whatever the core sends, the protocol allows.
            if (const auto* send = std::get_if<SendToCoordinator>(&effect)) {
                REQUIRE(proto::may_send(proto::Role::agent, proto::Role::coordinator,
                                        proto::type_of(send->packet.message)));
            } else if (const auto* to_actor = std::get_if<SendToActor>(&effect)) {
                REQUIRE(
                    proto::may_send(proto::Role::agent, proto::Role::actor, proto::type_of(to_actor->packet.message)));
            } else if (const auto* spawn = std::get_if<SpawnActor>(&effect)) {
                launches[spawn->launch.slot.value] = spawn->launch;
            }
            effects.push_back(std::move(effect));
        }
    }

    /// Lets the time pass, with a tick at every deadline on the way.
    void pass(Milliseconds duration)
    {
        const auto until = now + duration;
        for (auto deadline = core.next_deadline(); deadline && *deadline <= until; deadline = core.next_deadline()) {
            now = std::max(now, *deadline);
            happen(Tick{});
        }
        now = until;
        happen(Tick{});
    }

    void coordinator_says(proto::Message message, proto::Channel channel = proto::Channel::control)
    {
        happen(FromCoordinator{channel, {{1, {"fleet"}, 0, 0}, std::move(message), {}}});
    }

    /// Both connections are up and welcomed.
    void join(std::uint64_t epoch = 1)
    {
        happen(LinkWritable{proto::Channel::control});
        coordinator_says(proto::Welcome{1, "coordinator 1", epoch, 500, 5000});
        coordinator_says(proto::Welcome{1, "coordinator 1", epoch, 500, 5000}, proto::Channel::bulk);
    }

    /// Lets the time pass in a healthy fleet: heartbeats are acknowledged, the ready actors send theirs.
    void pass_in_peace(Milliseconds duration)
    {
        const auto until = now + duration;
        while (now < until) {
            pass(std::min(Milliseconds(500), until - now));
            const auto heartbeats = sent<proto::Heartbeat>();
            if (!heartbeats.empty()) {
                coordinator_says(proto::HeartbeatAck{heartbeats.back().sequence, 5000});
            }
            for (const auto& launch : living) {
                actor_says(launch, proto::Heartbeat{});
            }
        }
    }

    void actor_says(Launch launch, proto::Message message, std::vector<proto::Blob> blobs = {})
    {
        happen(FromActor{launch, {{}, std::move(message), std::move(blobs)}});
    }

    /// The process that the core last asked for in this slot starts and says hello.
    Launch actor_joins(std::uint32_t slot = 0, std::uint32_t max_batch = 1)
    {
        const auto launch = newest_launch(slot);
        happen(ActorSpawned{launch, 1000 + launch.number});
        actor_says(launch, proto::ActorHello{1, 1, "actor", {slot}, 1000 + launch.number, max_batch});
        living.push_back(launch);
        return launch;
    }

    void actor_dies(Launch launch, std::optional<int> exit_code = {}, std::string how = "was killed by SIGKILL")
    {
        std::erase(living, launch);
        happen(ActorExited{launch, exit_code, std::move(how)});
    }

    void assign(std::uint64_t attempt, std::uint32_t slot = 0, bool alone = false)
    {
        coordinator_says(
            proto::Assign{{attempt}, {"job"}, {static_cast<std::uint32_t>(attempt)}, {slot}, "", {}, {}, alone});
    }

    void actor_finishes(Launch launch, std::uint64_t attempt)
    {
        actor_says(launch, proto::ItemDone{{attempt}, {}, {}, "text/plain", "abc", 5}, {proto::Blob::of("picture")});
    }

    // -------- what the core did since the last forget()

    void forget() { effects.clear(); }

    template <class T>
    std::vector<T> effects_of() const
    {
        std::vector<T> found;
        for (const auto& effect : effects) {
            if (const auto* e = std::get_if<T>(&effect)) {
                found.push_back(*e);
            }
        }
        return found;
    }

    template <class T>
    std::vector<T> sent(std::optional<proto::Channel> channel = {}) const
    {
        std::vector<T> found;
        for (const auto& send : effects_of<SendToCoordinator>()) {
            const auto* message = std::get_if<T>(&send.packet.message);
            if (message != nullptr && (!channel || send.channel == *channel)) {
                found.push_back(*message);
            }
        }
        return found;
    }

    template <class T>
    std::vector<T> told(Launch launch) const
    {
        std::vector<T> found;
        for (const auto& send : effects_of<SendToActor>()) {
            const auto* message = std::get_if<T>(&send.packet.message);
            if (message != nullptr && send.launch == launch) {
                found.push_back(*message);
            }
        }
        return found;
    }

    Launch newest_launch(std::uint32_t slot = 0) const { return launches.at(slot); }

    AgentCore core;
    Milliseconds now{0};
    Effects effects;
    std::vector<Launch> living;
    std::map<std::uint32_t, Launch> launches;
};

} // namespace sdfleet::agent
