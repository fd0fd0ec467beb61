// SPDX-License-Identifier: Apache-2.0
// The agent's end of an actor's socket, and an actor on a thread of its own that talks to it.
#pragma once

#include "actor/actor_process.hpp"
#include "net/socket.hpp"

#include "tests/catch.hpp"

#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <string>
#include <utility>

#include <unistd.h>

namespace sdfleet::actor {

struct FakeAgent {
    std::filesystem::path folder = make_folder();
    boost::asio::io_context io;
    net::Context context;
    net::RouterSocket socket{context, io};
    std::string endpoint = *socket.bind("ipc://" + (folder / "s").string());
    net::PeerId actor;
    std::deque<proto::Packet> received;
    bool acknowledges_heartbeats = true;

    FakeAgent()
    {
        socket.start({[this](net::PeerId peer, proto::Packet packet) {
                          actor = std::move(peer);
                          if (const auto* heartbeat = std::get_if<proto::Heartbeat>(&packet.message)) {
                              if (acknowledges_heartbeats) {
                                  tell(proto::HeartbeatAck{heartbeat->sequence, 0});
                              }
                          } else {
                              received.push_back(std::move(packet));
                          }
                      },
                      [](net::PeerId, proto::DecodeError error) { FAIL(error.message); }});
    }
    ~FakeAgent() { std::filesystem::remove_all(folder); }

    static std::filesystem::path make_folder()
    {
        std::string name = std::filesystem::temp_directory_path() / "sdfleet-actor-test-XXXXXX";
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        return name;
    }

    void tell(proto::Message message)
    {
        proto::Packet packet;
        packet.message = std::move(message);
        REQUIRE(socket.send(actor, packet));
    }

    /// Runs the loop until the actor has said a T; drops what came before it.
    template <class T>
    std::pair<T, proto::Packet> next()
    {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (std::chrono::steady_clock::now() < deadline) {
            while (!received.empty()) {
                auto packet = std::move(received.front());
                received.pop_front();
                if (const auto* message = std::get_if<T>(&packet.message)) {
                    return {*message, packet};
                }
            }
            io.restart();
            io.run_one_for(std::chrono::milliseconds(100));
        }
        FAIL("the actor did not say it");
        return {};
    }

    void welcome(std::uint32_t heartbeat_interval_ms = 500, std::uint32_t lease_ms = 10'000)
    {
        const auto hello = next<proto::ActorHello>().first;
        REQUIRE(hello.pid == static_cast<std::uint64_t>(::getpid()));
        tell(proto::Welcome{1, "", 0, heartbeat_interval_ms, lease_ms});
    }

    void assign_echo(std::uint64_t attempt, const std::string& prompt, std::uint32_t delay_ms = 0)
    {
        tell(proto::Assign{
            {attempt}, {"job"}, {4}, {0}, "", {proto::EchoParameters{delay_ms, 0}}, {prompt, 0, {}}, false});
    }
};

/// An actor of these kinds on a thread of its own; its result when it ended.
inline std::future<base::Result<void>> start_actor(const FakeAgent& agent, const KindRegistry& registry)
{
    return std::async(std::launch::async, [endpoint = agent.endpoint, &registry] {
        ActorSettings settings;
        settings.agent = endpoint;
        ActorProcess process(settings, registry);
        return process.run();
    });
}

} // namespace sdfleet::actor
