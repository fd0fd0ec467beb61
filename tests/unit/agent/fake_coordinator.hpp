// SPDX-License-Identifier: Apache-2.0
// The coordinator's end of the agents' connections, and a real agent process that talks to it.
#pragma once

#include "agent/process/child_process.hpp"
#include "net/socket.hpp"

#include "tests/catch.hpp"

#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sdfleet::agent {

struct FakeCoordinator {
    boost::asio::io_context io;
    net::Context context;
    net::RouterSocket socket{context, io};
    std::string endpoint = *socket.bind("tcp://127.0.0.1:*");
    std::map<proto::Channel, net::PeerId> peers; ///< of the agent that said hello last
    std::deque<proto::Packet> received;          ///< all but hellos and heartbeats
    std::optional<proto::AgentHello> last_hello; ///< on control
    std::map<std::uint32_t, proto::ActorState> actors;
    std::optional<ExitStatus> agent_exit;
    proto::RefusalReason refusal{};
    bool refuses = false;

    FakeCoordinator()
    {
        socket.start({[this](net::PeerId peer, proto::Packet packet) { on_packet(std::move(peer), std::move(packet)); },
                      [](net::PeerId, proto::DecodeError error) { FAIL(error.message); }});
    }

    void on_packet(net::PeerId peer, proto::Packet packet)
    {
        if (const auto* hello = std::get_if<proto::AgentHello>(&packet.message)) {
            peers[hello->channel] = peer;
            if (hello->channel == proto::Channel::control) {
                last_hello = *hello;
                note(hello->actors);
            }
            if (refuses) {
                say(hello->channel, proto::Refused{refusal, "a newer node-a is here", 1, 1});
            } else {
                say(hello->channel, proto::Welcome{1, "fake", 1, 100, 5000});
            }
        } else if (const auto* heartbeat = std::get_if<proto::Heartbeat>(&packet.message)) {
            say(proto::Channel::control, proto::HeartbeatAck{heartbeat->sequence, 5000});
            note(heartbeat->actors);
        } else {
            if (const auto* update = std::get_if<proto::ActorUpdate>(&packet.message)) {
                note({update->actor});
            }
            received.push_back(std::move(packet));
        }
    }

    void note(const std::vector<proto::ActorState>& states)
    {
        for (const auto& state : states) {
            actors[state.slot.value] = state;
        }
    }

    void say(proto::Channel channel, proto::Message message)
    {
        proto::Packet packet;
        packet.envelope.cluster.value = "fleet";
        packet.message = std::move(message);
        (void)socket.send(peers.at(channel), packet);
    }

    bool run_until(const std::function<bool()>& condition)
    {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (!condition() && std::chrono::steady_clock::now() < deadline) {
            io.restart();
            io.run_one_for(std::chrono::milliseconds(100));
        }
        return condition();
    }

    bool is_ready(std::uint32_t slot = 0)
    {
        return actors.contains(slot) && actors[slot].phase == proto::ActorPhase::ready;
    }

    /// Runs the loop until the agent has said a T; drops what came before it.
    template <class T>
    T next()
    {
        std::optional<T> found;
        REQUIRE(run_until([&] {
            while (!found && !received.empty()) {
                if (const auto* message = std::get_if<T>(&received.front().message)) {
                    found = *message;
                }
                received.pop_front();
            }
            return found.has_value();
        }));
        return *found;
    }

    void assign_echo(std::uint64_t attempt, std::uint32_t delay_ms = 0)
    {
        proto::Assign assign;
        assign.attempt_id = {attempt};
        assign.job_id = {"job"};
        assign.parameters.kind = proto::EchoParameters{delay_ms, 0};
        assign.item.prompt = "hello";
        say(proto::Channel::control, assign);
    }

    /// A real agent whose actors do echo work alone.
    ChildProcess start_agent(std::vector<std::string> more_arguments = {})
    {
        std::vector<std::string> arguments{"--coordinator", endpoint,           "--node-id",   "node-a",
                                           "--actor-bin",   SDFLEET_ECHO_ACTOR, "--log-level", "debug"};
        arguments.insert(arguments.end(), more_arguments.begin(), more_arguments.end());
        auto agent = ChildProcess::spawn(io, {SDFLEET_AGENT, arguments});
        REQUIRE(agent);
        agent->on_exit([this](ExitStatus status) { agent_exit = status; });
        return std::move(*agent);
    }
};

} // namespace sdfleet::agent
