// SPDX-License-Identifier: Apache-2.0
// A coordinator that keeps nothing: it speaks our protocol to one agent, gives its actors echo items, acknowledges what comes
// back, and that is all. What agent and actors can do, apart from the real coordinator and its disk.
//
//   bare_coordinator --listen tcp://127.0.0.1:7420 --actors 8 [--in-flight 2] [--items 30000]
//
// Waits for an agent with so many ready actors, prints one line of JSON and ends.
#include "net/socket.hpp"
#include "proto/messages.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>

namespace {

using namespace sdfleet;
using Clock = std::chrono::steady_clock;

struct Options {
    std::string listen = "tcp://127.0.0.1:7420";
    std::uint32_t actors = 1;
    std::uint32_t in_flight = 2;
    std::uint32_t items = 30'000;
};

class BareCoordinator {
public:
    explicit BareCoordinator(const Options& options) : options_(options) {}

    bool run()
    {
        if (const auto bound = socket_.bind(options_.listen); !bound) {
            std::fprintf(stderr, "bare_coordinator: %s\n", bound.error().c_str());
            return false;
        }
        socket_.start({[this](const net::PeerId& peer, const proto::Packet& packet) {
                           std::visit([&](const auto& message) { said(peer, message); }, packet.message);
                       },
                       [](const net::PeerId&, const proto::DecodeError&) {}});
        io_.run();
        return true;
    }

    void print()
    {
        std::ranges::sort(round_trips_us_);
        const auto at = [&](double q) {
            return round_trips_us_[static_cast<std::size_t>(q * static_cast<double>(round_trips_us_.size() - 1))];
        };
        std::printf("{\"actors\": %u, \"in_flight\": %u, \"items\": %u, \"per_s\": %.0f, \"p50_us\": %.1f, \"p99_us\": "
                    "%.1f}\n",
                    options_.actors, options_.in_flight, options_.items,
                    static_cast<double>(options_.items) / std::chrono::duration<double>(end_ - begin_).count(), at(0.5),
                    at(0.99));
    }

private:
    struct Sent {
        std::uint32_t slot = 0;
        Clock::time_point at;
    };

    void said(const net::PeerId& peer, const proto::AgentHello& hello)
    {
        constexpr std::uint32_t heartbeat_interval_ms = 500;
        if (hello.channel == proto::Channel::control) {
            control_ = peer;
            note(hello.actors);
        }
        tell(peer, proto::Welcome{proto::protocol_version_max, "bare", 1, heartbeat_interval_ms, lease_ms});
        is_open_ = is_open_ || hello.channel == proto::Channel::bulk;
        begin_when_ready();
    }

    void said(const net::PeerId& peer, const proto::Heartbeat& heartbeat)
    {
        tell(peer, proto::HeartbeatAck{heartbeat.sequence, lease_ms});
        note(heartbeat.actors);
        begin_when_ready();
    }

    void said(const net::PeerId&, const proto::ItemDone& done)
    {
        tell(control_, proto::ResultAck{done.attempt_id, proto::Verdict::accepted});
        const auto sent = sent_.find(done.attempt_id.value);
        if (sent == sent_.end()) {
            return;
        }
        const auto now = Clock::now();
        round_trips_us_.push_back(std::chrono::duration<double, std::micro>(now - sent->second.at).count());
        const auto slot = sent->second.slot;
        sent_.erase(sent);
        if (round_trips_us_.size() == options_.items) {
            end_ = now;
            io_.stop();
            return;
        }
        assign(slot);
    }

    template <class Other>
    void said(const net::PeerId&, const Other&)
    {
    }

    void note(const std::vector<proto::ActorState>& actors)
    {
        ready_ =
            static_cast<std::size_t>(std::ranges::count(actors, proto::ActorPhase::ready, &proto::ActorState::phase));
    }

    void begin_when_ready()
    {
        if (next_ > 0 || !is_open_ || ready_ < options_.actors) {
            return;
        }
        begin_ = Clock::now();
        for (std::uint32_t i = 0; i < options_.in_flight; ++i) {
            for (std::uint32_t slot = 0; slot < options_.actors; ++slot) {
                assign(slot);
            }
        }
    }

    void assign(std::uint32_t slot)
    {
        if (next_ == options_.items) {
            return;
        }
        proto::Assign assign;
        assign.attempt_id.value = ++next_;
        assign.job_id.value = "k3v9x0a1b2c3";
        assign.index.value = next_;
        assign.slot.value = slot;
        assign.parameters.kind = proto::EchoParameters{};
        assign.item.prompt = "k3v9x0a1b2c3 " + std::to_string(next_) + "\n";
        sent_[next_] = {slot, Clock::now()};
        tell(control_, std::move(assign));
    }

    void tell(const net::PeerId& peer, proto::Message message)
    {
        (void)socket_.send(peer, {{proto::protocol_version_max, cluster_, 0, 0}, std::move(message), {}});
    }

    static constexpr std::uint32_t lease_ms = 5'000;

    const Options& options_;
    const proto::ClusterId cluster_{"0123456789abcdef0123456789abcdef"};
    boost::asio::io_context io_{1};
    net::Context context_;
    net::RouterSocket socket_{context_, io_};
    net::PeerId control_;
    std::size_t ready_ = 0;
    bool is_open_ = false; ///< the agent can bring results
    std::uint32_t next_ = 0;
    std::unordered_map<std::uint64_t, Sent> sent_; ///< by attempt
    std::vector<double> round_trips_us_;
    Clock::time_point begin_;
    Clock::time_point end_;
};

} // namespace

int main(int argc, char** argv)
{
    Options options;
    CLI::App app("Gives echo items to one agent");
    app.add_option("--listen", options.listen, "tcp://ADDRESS:PORT")->capture_default_str();
    app.add_option("--actors", options.actors, "That the agent has")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    app.add_option("--in-flight", options.in_flight, "Items of each actor")
        ->check(CLI::Range(1, 2))
        ->capture_default_str();
    app.add_option("--items", options.items, "How many")->check(CLI::Range(1, 1'000'000))->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    BareCoordinator coordinator(options);
    if (!coordinator.run()) {
        return 1;
    }
    coordinator.print();
    return 0;
}
