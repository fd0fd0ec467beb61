// SPDX-License-Identifier: Apache-2.0
#include "sdctl/bench/submit_load.hpp"

#include "client/request_error.hpp"
#include "net/socket.hpp"
#include "sdctl/bench/echo_job.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>

namespace sdfleet::sdctl::bench {

namespace {

using namespace std::chrono_literals;

constexpr auto patience = 60s; ///< without any answer
constexpr auto slice = 50ms;

/// What all connections share.
struct Shared {
    std::deque<proto::Submit> waiting;
    std::size_t acknowledged = 0;
    std::vector<Clock::duration> samples;
    std::optional<base::Error> fault;
    Clock::time_point heard_at = Clock::now();
};

class SubmitConnection {
public:
    SubmitConnection(net::Context& context, boost::asio::io_context& io, const client::ClientOptions& options,
                     std::uint32_t window, Shared& shared)
        : socket_(context, io, {}, options.key), endpoint_(options.endpoint), window_(window), shared_(shared)
    {
    }

    base::Result<void> open()
    {
        if (const auto connected = socket_.connect(endpoint_); !connected) {
            return base::fail(base::ExitCode::usage, connected.error());
        }
        socket_.start({[this] { say_hello(); }, [this](const proto::Packet& packet) { on_packet(packet); },
                       [](const proto::DecodeError&) {}});
        return {};
    }

    bool is_welcome() const { return is_welcome_; }

    void fill_window()
    {
        while (sent_at_.size() < window_ && !shared_.waiting.empty()) {
            const auto correlation = ++last_correlation_;
            if (!socket_.send({{envelope_.version, envelope_.cluster, 0, correlation}, shared_.waiting.front(), {}})) {
                return; // again with the next answer
            }
            shared_.waiting.pop_front();
            sent_at_.emplace(correlation, Clock::now());
        }
    }

private:
    void say_hello()
    {
        proto::ClientHello hello;
        hello.software = "sdctl bench " SDFLEET_VERSION;
        if (!is_welcome_) {
            (void)socket_.send({{}, std::move(hello), {}});
        }
    }

    void on_packet(const proto::Packet& packet)
    {
        shared_.heard_at = Clock::now();
        if (const auto* welcome = std::get_if<proto::Welcome>(&packet.message)) {
            envelope_.version = welcome->protocol_version;
            envelope_.cluster = packet.envelope.cluster;
            is_welcome_ = true;
        } else if (const auto* refused = std::get_if<proto::Refused>(&packet.message)) {
            shared_.fault = client::error_of(*refused, endpoint_);
        } else if (const auto* failed = std::get_if<proto::RequestFailed>(&packet.message)) {
            shared_.fault = client::error_of(*failed);
        } else if (const auto sent = sent_at_.find(packet.envelope.correlation); sent != sent_at_.end()) {
            shared_.samples.push_back(shared_.heard_at - sent->second);
            ++shared_.acknowledged;
            sent_at_.erase(sent);
            fill_window();
        }
    }

    net::DealerSocket socket_;
    std::string endpoint_;
    std::uint32_t window_;
    Shared& shared_;
    proto::Envelope envelope_;
    bool is_welcome_ = false;
    std::uint64_t last_correlation_ = 0;
    std::map<std::uint64_t, Clock::time_point> sent_at_; ///< by correlation
};

class SubmitRun {
public:
    SubmitRun(const client::ClientOptions& options, const SubmitLoad& load) : options_(options)
    {
        for (std::uint32_t job = 0; job < load.jobs; ++job) {
            shared_.waiting.push_back(EchoJob{.items = load.items_per_job}.to_submit());
            outcome_.job_ids.push_back(shared_.waiting.back().job_id);
        }
        for (std::uint32_t i = 0; i < load.connections; ++i) {
            connections_.push_back(std::make_unique<SubmitConnection>(context_, io_, options, load.window, shared_));
        }
    }

    base::Result<SubmitOutcome> run()
    {
        for (const auto& connection : connections_) {
            if (auto opened = connection->open(); !opened) {
                return tl::unexpected(std::move(opened.error()));
            }
        }
        auto welcomed = run_until(
            [this] { return std::ranges::all_of(connections_, [](const auto& c) { return c->is_welcome(); }); });
        if (!welcomed) {
            return tl::unexpected(std::move(welcomed.error()));
        }
        const auto begin = Clock::now();
        for (const auto& connection : connections_) {
            connection->fill_window();
        }
        if (auto ended = run_until([this] { return shared_.acknowledged == outcome_.job_ids.size(); }); !ended) {
            return tl::unexpected(std::move(ended.error()));
        }
        outcome_.seconds = seconds_since(begin);
        outcome_.acknowledged = Quantiles::of(std::move(shared_.samples));
        return std::move(outcome_);
    }

private:
    template <class Condition>
    base::Result<void> run_until(Condition condition)
    {
        shared_.heard_at = Clock::now();
        while (!condition()) {
            if (shared_.fault) {
                return tl::unexpected(*shared_.fault);
            }
            if (options_.is_interrupted && options_.is_interrupted()) {
                return base::fail(base::ExitCode::interrupted, "interrupted");
            }
            if (Clock::now() - shared_.heard_at > patience) {
                return base::fail(base::ExitCode::unreachable,
                                  "the coordinator at " + options_.endpoint + " did not answer a submit in time");
            }
            io_.restart();
            io_.run_one_for(slice);
        }
        return {};
    }

    const client::ClientOptions& options_;
    net::Context context_;
    boost::asio::io_context io_;
    Shared shared_;
    SubmitOutcome outcome_;
    std::vector<std::unique_ptr<SubmitConnection>> connections_; ///< use all of the above
};

} // namespace

base::Result<SubmitOutcome> hand_in(const client::ClientOptions& options, const SubmitLoad& load)
{
    return SubmitRun(options, load).run();
}

} // namespace sdfleet::sdctl::bench
