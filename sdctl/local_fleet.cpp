// SPDX-License-Identifier: Apache-2.0
#include "sdctl/local_fleet.hpp"

#include "agent/process/child_process.hpp"
#include "base/atomic_file.hpp"
#include "base/program_options.hpp"
#include "sdctl/interrupt.hpp"
#include "sdctl/temporary_folder.hpp"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace sdfleet::sdctl {

namespace {

using namespace std::chrono_literals;

constexpr auto stop_patience = 8s; ///< longer than what the agent gives its actors
constexpr auto connect_patience = 10s;
constexpr auto start_patience = 5min; ///< a large model takes its time to load
constexpr auto poll_interval = 20ms;
constexpr auto actor_check_interval = 1s;

struct Daemon {
    std::string name;
    std::filesystem::path log;
    agent::ChildProcess process;
    std::optional<agent::ExitStatus> ended;
};

/// The last lines of a log, as one line for an error; empty when there are none.
std::string tail_of(const std::filesystem::path& log)
{
    constexpr std::size_t max_log_bytes = 64 << 20;
    constexpr std::size_t shown_lines = 3;
    auto text = base::read_file(log, max_log_bytes).value_or("");
    while (text.ends_with('\n')) {
        text.pop_back();
    }
    std::size_t begin = text.size();
    for (std::size_t lines = 0; lines < shown_lines && begin != std::string::npos && begin > 0; ++lines) {
        begin = text.rfind('\n', begin - 1);
    }
    text = begin == std::string::npos ? text : text.substr(begin);
    std::replace(text.begin(), text.end(), '\n', '|');
    return text;
}

} // namespace

struct LocalFleet::Impl {
    LocalFleetOptions options;
    TemporaryFolder folder;
    std::string endpoint;
    boost::asio::io_context io;
    std::vector<std::unique_ptr<Daemon>> daemons; ///< in the order of their start
    std::chrono::steady_clock::time_point next_actor_check;

    Impl(LocalFleetOptions o, TemporaryFolder f)
        : options(std::move(o)), folder(std::move(f)),
          endpoint("ipc://" + (folder.path() / "coordinator.sock").string())
    {
    }
    ~Impl()
    {
        while (!daemons.empty()) { // the agent first: it says goodbye
            daemons.back()->process.terminate(stop_patience);
            daemons.pop_back();
        }
    }

    base::Result<void> start(const std::string& name, std::vector<std::string> arguments)
    {
        agent::Command command;
        command.program = program_folder() / name;
        command.arguments = std::move(arguments);
        command.arguments.insert(command.arguments.end(), {"--log-level", options.shows_logs ? "debug" : "info",
                                                           "--log-format", base::log_format()});
        command.environment = {{"TMPDIR", folder.path().string()}}; // what they leave goes with the folder
        const auto log = folder.path() / (name + ".log");
        if (!options.shows_logs) {
            command.output = log;
        }
        auto process = agent::ChildProcess::spawn(io, command);
        if (!process) {
            return tl::unexpected(std::move(process.error()));
        }
        auto& daemon = *daemons.emplace_back(new Daemon{name, log, std::move(*process), std::nullopt});
        daemon.process.on_exit([&daemon](agent::ExitStatus status) { daemon.ended = status; });
        return {};
    }

    base::Result<void> check_daemons()
    {
        io.restart();
        io.poll();
        for (const auto& daemon : daemons) {
            if (!daemon->ended) {
                continue;
            }
            const auto* exited = std::get_if<agent::ExitedWith>(&*daemon->ended);
            const bool is_bad_input = exited != nullptr && exited->code == base::to_int(base::ExitCode::bad_input);
            const auto last_lines = options.shows_logs ? "" : tail_of(daemon->log);
            return base::fail(is_bad_input ? base::ExitCode::bad_input : base::ExitCode::failed,
                              "the local " + daemon->name + " " + describe(*daemon->ended) +
                                  (last_lines.empty() ? "" : "; it said: " + last_lines));
        }
        return {};
    }
};

base::Result<LocalFleet> LocalFleet::start(const LocalFleetOptions& options)
{
    auto folder = TemporaryFolder::make();
    if (!folder) {
        return tl::unexpected(std::move(folder.error()));
    }
    auto impl = std::make_unique<Impl>(options, std::move(*folder));
    // --threads stays at its default: it may change the last bits of a picture.
    const auto devices = options.devices.empty() ? "cpu*" + std::to_string(options.actors) : options.devices;
    std::vector<std::string> agent_arguments{
        "--coordinator", impl->endpoint, "--node-id",   "local",
        "--devices",     devices,        "--max-batch", std::to_string(options.max_batch)};
    if (options.model) {
        agent_arguments.insert(agent_arguments.end(),
                               {"--model", options.model->name + "=" + options.model->folder.string()});
    }
    if (!options.actor_program.empty()) {
        agent_arguments.insert(agent_arguments.end(),
                               {"--actor-bin", std::filesystem::absolute(options.actor_program).string()});
    }
    std::vector<std::string> coordinator_arguments{"--data-dir", (impl->folder.path() / "data").string(), "--listen",
                                                   impl->endpoint};
    if (options.is_for_programs) { // the folder is private: whoever reaches the socket is this user
        agent_arguments.emplace_back("--programs-only");
        coordinator_arguments.emplace_back("--allow-programs");
    }
    auto started = impl->start("coordinator", std::move(coordinator_arguments));
    if (started) {
        started = impl->start("agent", std::move(agent_arguments));
    }
    if (!started) {
        return tl::unexpected(std::move(started.error()));
    }
    return LocalFleet(std::move(impl));
}

LocalFleet::LocalFleet(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalFleet::LocalFleet(LocalFleet&&) noexcept = default;
LocalFleet& LocalFleet::operator=(LocalFleet&&) noexcept = default;
LocalFleet::~LocalFleet() = default;

const std::string& LocalFleet::endpoint() const
{
    return impl_->endpoint;
}

base::Result<client::Client> LocalFleet::connect()
{
    client::ClientOptions options;
    options.endpoint = impl_->endpoint;
    options.connect_patience = connect_patience;
    options.is_interrupted = [impl = impl_.get()] { return is_interrupted() || !impl->check_daemons(); };
    auto client = client::Client::connect(std::move(options));
    if (auto alive = impl_->check_daemons(); !alive) {
        return tl::unexpected(std::move(alive.error()));
    }
    return client;
}

base::Result<void> LocalFleet::wait_until(client::Client& client,
                                          const std::function<bool(const proto::NodeList&)>& condition)
{
    const auto deadline = std::chrono::steady_clock::now() + start_patience;
    for (;;) {
        if (auto alive = check(client); !alive) {
            return alive;
        }
        const auto nodes = client.list_nodes({});
        if (!nodes) {
            return tl::unexpected(nodes.error());
        }
        if (condition(*nodes)) {
            return {};
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            return base::fail(base::ExitCode::failed,
                              "the local actors did not start in time; --log-level debug shows what they do");
        }
        std::this_thread::sleep_for(poll_interval);
    }
}

base::Result<void> LocalFleet::wait_until_joined(client::Client& client)
{
    return wait_until(client, [](const proto::NodeList& list) { return !list.nodes.empty(); });
}

base::Result<void> LocalFleet::wait_until_ready(client::Client& client, int actors_wanted)
{
    return wait_until(client, [actors_wanted](const proto::NodeList& list) {
        int ready = 0;
        for (const auto& node : list.nodes) {
            ready += static_cast<int>(std::ranges::count_if(node.actors, [](const proto::ActorReport& actor) {
                return actor.state.phase == proto::ActorPhase::ready;
            }));
        }
        return ready >= actors_wanted;
    });
}

base::Result<void> LocalFleet::check(client::Client& client)
{
    if (auto alive = impl_->check_daemons(); !alive) {
        return alive;
    }
    const auto now = std::chrono::steady_clock::now();
    if (now < impl_->next_actor_check) {
        return {};
    }
    impl_->next_actor_check = now + actor_check_interval;
    const auto nodes = client.list_nodes({});
    if (!nodes) {
        return tl::unexpected(nodes.error());
    }
    std::string reason;
    for (const auto& node : nodes->nodes) {
        for (const auto& actor : node.actors) {
            if (actor.state.phase != proto::ActorPhase::failed) {
                return {};
            }
            reason = actor.state.detail;
        }
    }
    if (reason.empty()) {
        return {}; // no actor is known yet
    }
    return base::fail(base::ExitCode::bad_input, "no actor could start: " + reason);
}

std::filesystem::path program_folder()
{
    std::error_code error;
    return std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
}

} // namespace sdfleet::sdctl
