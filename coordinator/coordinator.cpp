// SPDX-License-Identifier: Apache-2.0
#include "coordinator/coordinator.hpp"

#include "base/atomic_file.hpp"
#include "base/log.hpp"
#include "coordinator/core/core.hpp"
#include "coordinator/gateway/address.hpp"
#include "coordinator/gateway/http_server.hpp"
#include "coordinator/key_guard.hpp"
#include "coordinator/rate_limit.hpp"
#include "coordinator/store/artifact_folder.hpp"
#include "coordinator/store/artifact_thread.hpp"
#include "coordinator/store/commit_thread.hpp"
#include "coordinator/store/content_reader.hpp"
#include "coordinator/store/data_folder.hpp"
#include "coordinator/store/database.hpp"
#include "net/socket.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>

namespace sdfleet::coordinator {

namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
constexpr auto log_period = std::chrono::seconds(5);

/// Beyond this machine only with keys, unless the operator takes the risk by name.
bool needs_keys(const Settings& settings)
{
    if (net::is_local_endpoint(settings.listen)) {
        return false;
    }
    if (settings.allows_insecure_listen) {
        spdlog::warn("listening on {} without encryption or authentication: whoever reaches it can use this fleet",
                     settings.listen);
        return false;
    }
    return true;
}

class Daemon final : public Coordinator {
public:
    Daemon(Settings settings, DataFolder folder, Core core, Database database, ArtifactFolder artifacts,
           ContentReader contents)
        : settings_(std::move(settings)), folder_(std::move(folder)), core_(std::move(core)),
          cluster_(database.cluster()), commits_(std::move(database), poster()),
          artifacts_(std::move(artifacts), std::move(contents), poster())
    {
    }

    ~Daemon() override { clean_up(); }

    base::Result<void> start(Effects effects);
    const std::string& endpoint() const override { return endpoint_; }
    std::string http_address() const override { return http_ ? gateway::to_string(http_->address()) : ""; }
    void run() override;
    void stop() override;

private:
    std::function<void(Event)> poster();
    bool may_launch(const std::string& public_key) const
    {
        return key_guard_ ? key_guard_->may_launch(public_key) : settings_.allows_programs;
    }
    void handle(const Event& event);
    void perform_all(Effects& effects);
    void perform(Send& effect);
    void perform(Persist& effect) { commits_.push(std::move(effect)); }
    void perform(SaveArtifact& effect) { artifacts_.push(std::move(effect)); }
    void perform(LoadArtifact& effect) { artifacts_.push(std::move(effect)); }
    void perform(RemoveArtifact& effect) { artifacts_.push(std::move(effect)); }
    void perform(const Log& effect);
    void perform(const Alarm& effect) { spdlog::critical("{}", effect.text); }
    void set_timer();
    Milliseconds now() const;
    base::Result<void> start_http();
    void clean_up();

    Settings settings_;
    DataFolder folder_;
    asio::io_context io_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
    asio::steady_timer timer_{io_};
    asio::signal_set signals_{io_};
    Clock::time_point start_ = Clock::now();
    std::optional<Milliseconds> armed_;
    Core core_;
    proto::ClusterId cluster_;
    CommitThread commits_;
    ArtifactThread artifacts_;
    net::Context context_;
    std::unique_ptr<KeyGuard> key_guard_; ///< only when others than this machine can connect
    std::optional<net::RouterSocket> router_;
    std::string endpoint_;
    std::optional<gateway::HttpServer> http_;
    RateLimit garbage_log_{log_period};
    RateLimit send_log_{log_period};
};

/// Brings the answers of the disk threads to the loop.
std::function<void(Event)> Daemon::poster()
{
    return [this](Event event) { asio::post(io_, [this, event = std::move(event)] { handle(event); }); };
}

/// With what the core wants after it was told what the disk holds.
base::Result<void> Daemon::start(Effects effects)
{
    if (needs_keys(settings_)) {
        auto guard = KeyGuard::open(context_, io_, settings_.data_dir);
        if (!guard) {
            return tl::unexpected(std::move(guard.error()));
        }
        key_guard_ = std::move(*guard);
    }
    router_.emplace(context_, io_, net::SocketLimits{},
                    key_guard_ ? std::optional(key_guard_->server()) : std::nullopt);
    auto bound = router_->bind(settings_.listen);
    if (!bound) {
        return base::fail(base::ExitCode::failed, bound.error());
    }
    endpoint_ = std::move(*bound);
    if (auto started = start_http(); !started) {
        return started;
    }
    if (settings_.endpoint_file) {
        const std::string line = endpoint_ + "\n";
        if (auto written = base::write_file_atomically(*settings_.endpoint_file, std::as_bytes(std::span(line)));
            !written) {
            return written;
        }
    }
    perform_all(effects);
    router_->start({[this](net::PeerId peer, proto::Packet packet) {
                        const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
                        const auto unix_ms = std::chrono::duration_cast<std::chrono::milliseconds>(since_1970).count();
                        handle(PacketReceived{{std::move(peer.bytes)},
                                              std::move(packet.envelope.cluster),
                                              packet.envelope.correlation,
                                              std::move(packet.message),
                                              std::move(packet.blobs),
                                              static_cast<std::uint64_t>(unix_ms),
                                              may_launch(peer.public_key)});
                    },
                    [this](net::PeerId, proto::DecodeError error) {
                        if (const auto count = garbage_log_.count(Clock::now())) {
                            spdlog::warn("{} messages that are not our protocol; the last: {}", *count, error.message);
                        }
                    }});
    spdlog::info("listening on {}", endpoint_);
    return {};
}

base::Result<void> Daemon::start_http()
{
    if (!settings_.http) {
        return {};
    }
    const auto address = gateway::parse_address(*settings_.http);
    if (!address) {
        return tl::unexpected(address.error());
    }
    auto server = gateway::HttpServer::listen(io_, *address, [this] { return core_.status(0, now()); });
    if (!server) {
        return tl::unexpected(server.error());
    }
    http_.emplace(std::move(*server));
    spdlog::info("monitoring at http://{}: /metrics, /healthz, /readyz", http_address());
    return {};
}

void Daemon::run()
{
    signals_.add(SIGINT);
    signals_.add(SIGTERM);
    signals_.async_wait([this](const boost::system::error_code& error, int number) {
        if (!error) {
            spdlog::info("stopping: signal {}", number);
            io_.stop();
        }
    });
    io_.run();
    clean_up();
    spdlog::info("stopped");
}

void Daemon::stop()
{
    asio::post(io_, [this] { io_.stop(); });
}

void Daemon::clean_up()
{
    if (!router_) {
        return;
    }
    http_.reset();
    router_.reset();
    artifacts_.stop();
    commits_.stop();
    std::error_code ignored;
    constexpr std::string_view ipc = "ipc://";
    if (endpoint_.starts_with(ipc)) {
        std::filesystem::remove(endpoint_.substr(ipc.size()), ignored);
    }
    if (settings_.endpoint_file && !endpoint_.empty()) {
        std::filesystem::remove(*settings_.endpoint_file, ignored);
    }
}

Milliseconds Daemon::now() const
{
    return {std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start_).count()};
}

void Daemon::handle(const Event& event)
{
    auto effects = core_.step(event, now());
    perform_all(effects);
}

void Daemon::perform_all(Effects& effects)
{
    for (auto& effect : effects) {
        std::visit([this](auto& body) { perform(body); }, effect);
    }
    set_timer();
}

/// A deadline that moved into the future is left to fire early: a Tick without anything due does no harm, and moving
/// the timer with every packet would cost more.
void Daemon::set_timer()
{
    const auto deadline = core_.next_deadline();
    if (!deadline || (armed_ && *armed_ <= *deadline)) {
        return;
    }
    armed_ = deadline;
    timer_.expires_at(start_ + std::chrono::milliseconds(deadline->count));
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            armed_.reset();
            handle(Tick{});
        }
    });
}

void Daemon::perform(Send& effect)
{
    const net::PeerId peer{std::move(effect.peer.bytes)};
    proto::Packet packet{{proto::protocol_version_max, cluster_, 0, effect.correlation},
                         std::move(effect.message),
                         std::move(effect.blobs)};
    const auto sent = router_->send(peer, packet);
    if (sent) {
        return;
    }
    if (sent.error() == net::SendError::unreachable) {
        asio::post(io_, [this, bytes = peer.bytes] { handle(PeerUnreachable{{bytes}}); });
        return;
    }
    // Nothing relies on a single message: agents and clients ask again, attempts have deadlines.
    if (const auto count = send_log_.count(Clock::now())) {
        spdlog::warn("{} messages were not sent; the last: {}", *count, net::to_string(sent.error()));
    }
}

void Daemon::perform(const Log& effect)
{
    base::log_about(effect.level, effect.text, effect.subject);
}

/// Tells the core what the disk holds, and finds the files that a crash left without anyone who knows them.
base::Result<Effects> restore(Core& core, Database& database, const ArtifactFolder& artifacts)
{
    Effects effects;
    std::size_t jobs = 0;
    auto unknown = artifacts.names();
    auto loaded = database.load([&](Restored part) {
        jobs += part.jobs.size();
        for (const auto& job : part.jobs) {
            for (const auto& outcome : job.outcomes) {
                unknown.erase(outcome.sha256);
            }
        }
        std::ranges::move(core.step(std::move(part), {}), std::back_inserter(effects));
    });
    if (!loaded) {
        return tl::unexpected(std::move(loaded.error()));
    }
    spdlog::info("{} jobs restored", jobs);
    if (!unknown.empty()) {
        spdlog::info("removing {} artifacts that no job refers to", unknown.size());
    }
    for (const auto& sha256 : unknown) {
        effects.push_back(RemoveArtifact{sha256});
    }
    return effects;
}

} // namespace

base::Result<std::unique_ptr<Coordinator>> Coordinator::open(Settings settings)
{
    auto folder = DataFolder::open(settings.data_dir);
    if (!folder) {
        return tl::unexpected(std::move(folder.error()));
    }
    auto database = Database::open(folder->database());
    if (!database) {
        return tl::unexpected(std::move(database.error()));
    }
    spdlog::info("data folder {}; cluster {}", folder->path().string(), database->cluster().value);
    auto contents = ContentReader::open(folder->database());
    if (!contents) {
        return tl::unexpected(std::move(contents.error()));
    }
    ArtifactFolder artifacts(folder->artifacts());
    Core core({database->cluster(), database->epoch(), SDFLEET_VERSION}, settings.options, settings.limits);
    auto effects = restore(core, *database, artifacts);
    if (!effects) {
        return tl::unexpected(std::move(effects.error()));
    }
    auto daemon = std::make_unique<Daemon>(std::move(settings), std::move(*folder), std::move(core),
                                           std::move(*database), std::move(artifacts), std::move(*contents));
    if (auto started = daemon->start(std::move(*effects)); !started) {
        return tl::unexpected(std::move(started.error()));
    }
    return daemon;
}

} // namespace sdfleet::coordinator
