// SPDX-License-Identifier: Apache-2.0
#include "base/die_with_parent.hpp"
#include "base/program_options.hpp"
#include "coordinator/coordinator.hpp"
#include "coordinator/gateway/address.hpp"

#include <cstdint>
#include <optional>

namespace {

using sdfleet::coordinator::Milliseconds;

void add_milliseconds(CLI::App& app, const std::string& flag, Milliseconds& value, const std::string& text)
{
    constexpr std::int64_t day_ms = 86'400'000;
    app.add_option(flag, value.count, text)->check(CLI::Range(std::int64_t{10}, day_ms))->capture_default_str();
}

/// Numbers about a fleet are no secret to the machine it runs on, but others need not read them.
std::optional<sdfleet::base::Error> find_http_fault(const sdfleet::coordinator::Settings& settings)
{
    if (!settings.http) {
        return std::nullopt;
    }
    const auto address = sdfleet::coordinator::gateway::parse_address(*settings.http);
    if (!address) {
        return address.error();
    }
    if (!address->address().is_loopback() && !settings.allows_insecure_listen) {
        return sdfleet::base::Error{sdfleet::base::ExitCode::usage,
                                    "--http " + *settings.http +
                                        ": other machines could read it, unencrypted and without keys; give a loopback "
                                        "address (127.0.0.1:7421), or add --insecure-listen to take that risk"};
    }
    return std::nullopt;
}

} // namespace

int main(int argc, char** argv)
{
    namespace base = sdfleet::base;
    if (!base::die_with_parent()) {
        return base::to_int(base::ExitCode::failed); // the program that wanted a coordinator of its own is gone
    }
    sdfleet::coordinator::Settings settings;
    auto& options = settings.options;
    CLI::App app("Takes jobs of prompts and gives them to the agents of a fleet");
    base::add_common_options(app, "coordinator");
    app.add_option("--data-dir", settings.data_dir, "Folder for jobs and pictures; made when missing")->required();
    app.add_option("--listen", settings.listen,
                   "tcp://ADDRESS:PORT (PORT * = any free one) or ipc://PATH; beyond this machine only members with a "
                   "key connect (sdctl keys issue)")
        ->capture_default_str();
    app.add_flag("--insecure-listen", settings.allows_insecure_listen,
                 "Listen beyond this machine without keys: neither encrypted nor authenticated");
    app.add_flag(
        "--allow-programs", settings.allows_programs,
        "Let clients that need no key run programs on the nodes (sdctl launch); with keys it is the key that allows "
        "it (sdctl keys issue --may-launch)");
    app.add_option(
        "--http", settings.http,
        "ADDRESS:PORT, such as 127.0.0.1:7421: answer GET /metrics (Prometheus), /healthz and /readyz there");
    app.add_option("--endpoint-file", settings.endpoint_file,
                   "Write the endpoint into this file once it listens; removed at the end");
    add_milliseconds(app, "--lease-ms", options.lease, "A node silent for this long is lost");
    add_milliseconds(app, "--heartbeat-interval-ms", options.heartbeat_interval, "What agents are told to keep");
    add_milliseconds(app, "--brake-timeout-ms", options.brake_timeout,
                     "When most of 4 or more nodes fall silent at once their work is held for them this long");
    app.add_option("--keep-jobs", settings.limits.finished_jobs, "Finished jobs to keep; the oldest go first")
        ->check(CLI::Range(0, 100'000))
        ->capture_default_str();
    app.add_option("--keep-items", settings.limits.finished_items,
                   "Items of finished jobs to keep; beyond it the oldest jobs go, but not the newest")
        ->check(CLI::Range(0, 2'000'000))
        ->capture_default_str();
    app.add_option("--keep-bytes", settings.limits.artifact_bytes,
                   "Results to keep, such as 50GiB; beyond it the oldest finished jobs go. Default: all")
        ->transform(CLI::AsSizeValue(false));
    add_milliseconds(app, "--progress-timeout-ms", options.progress_timeout,
                     "An item without progress for this long is given to another actor");
    add_milliseconds(app, "--unservable-timeout-ms", options.unservable_timeout,
                     "Items that no live actor can serve for this long fail");

    return base::parse_and_run(app, argc, argv, [&settings] {
        if (!settings.listen.starts_with("tcp://") && !settings.listen.starts_with("ipc://")) {
            return base::report("coordinator",
                                {base::ExitCode::usage,
                                 "--listen " + settings.listen + ": an endpoint is tcp://ADDRESS:PORT or ipc://PATH"});
        }
        if (settings.options.heartbeat_interval.count * 2 >= settings.options.lease.count) {
            return base::report("coordinator", {base::ExitCode::usage,
                                                "--lease-ms must be more than twice --heartbeat-interval-ms, or every "
                                                "lost heartbeat would lose a node"});
        }
        if (const auto fault = find_http_fault(settings)) {
            return base::report("coordinator", *fault);
        }
        auto coordinator = sdfleet::coordinator::Coordinator::open(settings);
        if (!coordinator) {
            return base::report("coordinator", coordinator.error());
        }
        (*coordinator)->run();
        return base::ExitCode::ok;
    });
}
