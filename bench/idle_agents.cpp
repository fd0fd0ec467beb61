// SPDX-License-Identifier: Apache-2.0
// Many agents in one process, to see what a coordinator costs that has them: each has its two connections, one ready actor,
// and does nothing but what an idle agent does (hello, heartbeats).
//
//   idle_agents --coordinator tcp://127.0.0.1:7420 --agents 1000 [--seconds 30] [--no-actors]
//
// With --no-actors they have none, so that a fleet that works beside them gives them nothing.
//
// Prints a line when all are members, another when the time is over.
#include "net/socket.hpp"
#include "proto/messages.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <sys/resource.h>

namespace {

using namespace sdfleet;
using namespace std::chrono_literals;

class IdleAgent {
public:
    IdleAgent(net::Context& context, boost::asio::io_context& io, std::uint32_t number, bool has_actor)
        : control_(context, io), bulk_(context, io), timer_(io), name_("idle-" + std::to_string(number)),
          has_actor_(has_actor),
          incarnation_(static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()))
    {
    }

    bool dial(const std::string& endpoint)
    {
        if (!control_.connect(endpoint) || !bulk_.connect(endpoint)) {
            return false;
        }
        start(control_, proto::Channel::control);
        start(bulk_, proto::Channel::bulk);
        return true;
    }

    bool is_member() const { return is_member_ && is_bulk_open_; }

private:
    void start(net::DealerSocket& socket, proto::Channel channel)
    {
        socket.start({[this, channel] {
                          if (channel == proto::Channel::control || is_member_) {
                              say_hello(channel);
                          }
                      },
                      [this, channel](const proto::Packet& packet) { on_packet(channel, packet); },
                      [](const proto::DecodeError&) {}});
    }

    void say_hello(proto::Channel channel)
    {
        proto::AgentHello hello;
        hello.software = "idle_agents";
        hello.channel = channel;
        hello.node_id.value = name_;
        hello.incarnation.value = incarnation_;
        if (channel == proto::Channel::control) {
            hello.hostname = name_;
            hello.devices = {{"cpu", "", 0}};
            hello.actors = actors();
        }
        send(channel, std::move(hello));
    }

    void on_packet(proto::Channel channel, const proto::Packet& packet)
    {
        const auto* welcome = std::get_if<proto::Welcome>(&packet.message);
        if (welcome == nullptr) {
            return; // heartbeats are acknowledged
        }
        if (channel == proto::Channel::bulk) {
            is_bulk_open_ = true;
            return;
        }
        is_member_ = true;
        envelope_.version = welcome->protocol_version;
        envelope_.cluster = packet.envelope.cluster;
        interval_ = std::chrono::milliseconds(std::max(welcome->heartbeat_interval_ms, 20U));
        say_hello(proto::Channel::bulk);
        beat();
    }

    void beat()
    {
        send(proto::Channel::control, proto::Heartbeat{++sequence_, {}, actors(), {}});
        timer_.expires_after(interval_);
        timer_.async_wait([this](const boost::system::error_code& error) {
            if (!error) {
                beat();
            }
        });
    }

    void send(proto::Channel channel, proto::Message message)
    {
        auto& socket = channel == proto::Channel::control ? control_ : bulk_;
        (void)socket.send({envelope_, std::move(message), {}});
    }

    std::vector<proto::ActorState> actors() const
    {
        return has_actor_ ? std::vector<proto::ActorState>{{{0}, "cpu", proto::ActorPhase::ready, 1, 0, "", 1}}
                          : std::vector<proto::ActorState>{};
    }

    net::DealerSocket control_;
    net::DealerSocket bulk_;
    boost::asio::steady_timer timer_;
    std::string name_;
    bool has_actor_;
    std::uint64_t incarnation_;
    proto::Envelope envelope_;
    std::chrono::milliseconds interval_{500};
    std::uint64_t sequence_ = 0;
    bool is_member_ = false;
    bool is_bulk_open_ = false;
};

int run(const std::string& endpoint, std::uint32_t count, double seconds, bool have_actors)
{
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);

    constexpr std::uint32_t agents_per_context = 250; // a ZeroMQ context holds 1023 sockets
    boost::asio::io_context io;
    std::vector<std::unique_ptr<net::Context>> contexts;
    std::vector<std::unique_ptr<IdleAgent>> agents;
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint32_t number = 0; number < count; ++number) {
        if (number % agents_per_context == 0) {
            contexts.push_back(std::make_unique<net::Context>());
        }
        agents.push_back(std::make_unique<IdleAgent>(*contexts.back(), io, number, have_actors));
        if (!agents.back()->dial(endpoint)) {
            std::fprintf(stderr, "idle_agents: cannot dial %s\n", endpoint.c_str());
            return 1;
        }
        io.poll();
    }
    const auto are_members = [&] { return std::ranges::all_of(agents, [](const auto& a) { return a->is_member(); }); };
    while (!are_members()) {
        io.run_for(10ms);
        if (std::chrono::steady_clock::now() - begin > 60s) {
            std::fprintf(stderr, "idle_agents: not all became members\n");
            return 1;
        }
    }
    const std::chrono::duration<double> joined = std::chrono::steady_clock::now() - begin;
    std::printf("{\"agents\": %u, \"joined_s\": %.3f}\n", count, joined.count());
    std::fflush(stdout);
    io.run_for(std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::duration<double>(seconds)));
    std::printf("{\"members\": %s}\n", are_members() ? "true" : "false");
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    std::string endpoint = "tcp://127.0.0.1:7420";
    std::uint32_t agents = 1000;
    double seconds = 30;
    CLI::App app("Plays many idle agents");
    app.add_option("--coordinator", endpoint, "Where the coordinator listens")->capture_default_str();
    app.add_option("--agents", agents, "How many")->check(CLI::Range(1, 4000))->capture_default_str();
    app.add_option("--seconds", seconds, "How long they stay after all have joined")->capture_default_str();
    bool have_actors = true;
    app.add_flag("!--no-actors", have_actors, "They have none and get no work");
    CLI11_PARSE(app, argc, argv);
    return run(endpoint, agents, seconds, have_actors);
}
