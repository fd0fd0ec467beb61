// SPDX-License-Identifier: Apache-2.0
#include "agent/agent_program.hpp"

#include "agent/actor_check.hpp"
#include "agent/agent_shell.hpp"
#include "agent/device_plan.hpp"
#include "agent/node_address.hpp"
#include "agent/node_name.hpp"
#include "agent/ranks/rank_keeper.hpp"
#include "agent/runtime_dir.hpp"
#include "agent/served_model.hpp"
#include "base/die_with_parent.hpp"
#include "base/log.hpp"
#include "base/program_options.hpp"
#include "net/dial_key.hpp"
#include "proto/batch_key.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>
#include <unistd.h>

namespace sdfleet::agent {

namespace {

constexpr const char* program = "agent";
constexpr int max_threads = 1024;

struct AgentOptions {
    std::string coordinator;
    std::string node_id;
    std::string devices = "auto";
    std::filesystem::path key_file;
    std::vector<std::string> models;
    std::filesystem::path actor_bin;
    int threads = 1;
    std::uint32_t max_batch = 1;
    std::string batch_mode = "fixed";
    std::string mode = "auto";
    bool tune = true;
    std::string address;
    bool is_for_programs_only = false;
};

/// What is not an actor's default anyway: an actor program that knows nothing of it will do then.
std::vector<std::string> drawing_arguments(const AgentOptions& options)
{
    std::vector<std::string> arguments;
    if (options.max_batch > 1) {
        arguments = {"--max-batch", std::to_string(options.max_batch), "--batch-mode", options.batch_mode};
    }
    if (options.mode != "auto") {
        arguments.insert(arguments.end(), {"--mode", options.mode});
    }
    if (!options.tune) {
        arguments.emplace_back("--no-tune");
    }
    return arguments;
}

void add_options(CLI::App& app, AgentOptions& options)
{
    app.add_option("--coordinator", options.coordinator, "The coordinator's address, tcp://HOST:7420")->required();
    app.add_option("--key-file", options.key_file,
                   "This machine's key (sdctl keys issue), for a coordinator on another machine")
        ->envname("SDFLEET_KEY_FILE");
    app.add_option("--node-id", options.node_id, "This machine's name in the fleet (default: the host name)");
    app.add_option("--devices", options.devices,
                   "auto: every GPU that is well, else the processor. Or a list with commas between: cpu*K (K actors "
                   "on the processor), cuda (every GPU), cuda:N, cuda:N*K (K actors on one GPU)")
        ->capture_default_str();
    app.add_option("--model", options.models, "NAME=DIR: a model folder in diffusers layout to serve; may be repeated");
    app.add_option("--actor-bin", options.actor_bin, "The actors' program (default: actor, beside this one)");
    app.add_option(
           "--threads", options.threads,
           "Threads that draw one picture on a CPU actor; pictures may differ in their last bits between counts")
        ->check(CLI::Range(1, max_threads))
        ->capture_default_str();
    app.add_option("--max-batch", options.max_batch,
                   "Items that each actor draws at once, where their kind of work allows")
        ->check(CLI::Range(1U, proto::max_batch_limit))
        ->capture_default_str();
    app.add_option("--batch-mode", options.batch_mode,
                   "fixed: a batch always has its full size, so that no item depends on the others; dynamic: it is as "
                   "large as it must be, and the last bits of an item depend on how many there are")
        ->check(CLI::IsMember({"fixed", "dynamic"}))
        ->capture_default_str();
    app.add_option(
           "--mode", options.mode,
           "How pictures are computed: fast (own kernels), reference (LibTorch's operators in diffusers' order), "
           "or auto: fast on a GPU")
        ->check(CLI::IsMember({"auto", "fast", "reference"}))
        ->capture_default_str();
    app.add_flag(
           "--tune,!--no-tune", options.tune,
           "On a GPU, measure which of the library's algorithms is the fastest (default); --no-tune: the same bits "
           "in every process")
        ->default_str("true");
    app.add_option(
        "--address", options.address,
        "Where programs on other nodes reach this machine (sdctl launch over several nodes); default: its address "
        "on the way to the coordinator");
    app.add_flag("--programs-only", options.is_for_programs_only,
                 "Run no actors: the devices are for programs (sdctl launch) alone");
}

base::Result<std::filesystem::path> find_actor_program(const AgentOptions& options)
{
    std::error_code error;
    const auto path = options.actor_bin.empty()
                          ? std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "actor"
                          : std::filesystem::absolute(options.actor_bin);
    if (::access(path.c_str(), X_OK) != 0) {
        return base::fail(base::ExitCode::usage,
                          "there is no program " + path.string() + "; name the actors' program with --actor-bin");
    }
    return path;
}

base::Result<std::string> find_node_name(const AgentOptions& options)
{
    if (options.node_id.empty()) {
        return to_node_name(host_name());
    }
    if (!proto::is_valid_name(options.node_id)) {
        return base::fail(base::ExitCode::usage,
                          "--node-id " + options.node_id + ": a node's name has 1 to 64 of A-Z a-z 0-9 . _ -");
    }
    return options.node_id;
}

/// As --log-level takes it.
std::string log_level_name()
{
    switch (spdlog::get_level()) {
    case spdlog::level::warn:
        return "warn";
    case spdlog::level::err:
    case spdlog::level::critical:
        return "error";
    default:
        const auto name = spdlog::level::to_string_view(spdlog::get_level());
        return {name.data(), name.size()};
    }
}

/// As torchrun has it: ranks that share a machine do not each take all its cores. And Python shows what it prints at once.
std::vector<std::pair<std::string, std::string>> make_rank_defaults()
{
    std::vector<std::pair<std::string, std::string>> defaults;
    for (const char* name : {"OMP_NUM_THREADS", "PYTHONUNBUFFERED"}) {
        if (std::getenv(name) == nullptr) {
            defaults.emplace_back(name, "1");
        }
    }
    return defaults;
}

Settings make_settings(const AgentOptions& options, std::string node_name, DevicePlan plan,
                       const std::vector<ServedModel>& models, bool has_key)
{
    // Wall time: of two agents with one node id the one started later wins, on whatever machines they are.
    const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
    const auto incarnation = std::chrono::duration_cast<std::chrono::microseconds>(since_1970).count();
    Settings settings;
    settings.coordinator = options.coordinator;
    settings.silence_advice = net::key_advice(options.coordinator, has_key);
    settings.node_id.value = std::move(node_name);
    settings.incarnation.value = static_cast<std::uint64_t>(incarnation);
    settings.software = std::string("agent ") + SDFLEET_VERSION;
    settings.hostname = host_name();
    settings.pid = static_cast<std::uint64_t>(::getpid());
    settings.devices = std::move(plan.devices);
    for (const auto& slot : plan.slots) {
        settings.actor_devices.push_back(slot.device);
    }
    settings.runs_actors = !options.is_for_programs_only;
    settings.address = options.address.empty() ? find_node_address(options.coordinator) : options.address;
    settings.rank_defaults = make_rank_defaults();
    settings.cuda_names = std::move(plan.cuda_uuids);
    for (const auto& model : models) {
        settings.models.push_back({model.name, model.fingerprint});
    }
    return settings;
}

/// `actor_program`: of actors that will draw, in this `mode`; empty where there are none.
base::Result<DevicePlan> make_plan(const devices::DeviceRequest& request, const std::filesystem::path& actor_program,
                                   const std::string& mode)
{
    auto machine = look_at_machine(request);
    auto plan = plan_devices(request, machine);
    if (plan && plan->uses_gpus() && !actor_program.empty()) {
        const auto gpu = std::ranges::find_if(plan->slots, [](const auto& slot) { return !slot.uuid.empty(); });
        if (const auto checked = check_gpu_actor(actor_program, *gpu, mode); !checked) {
            machine.gpus = {{}, checked.error().message, true}; // as if there were none
            plan = plan_devices(request, machine);
        }
    }
    if (plan) {
        for (const auto& note : plan->notes) {
            spdlog::warn("{}", note);
        }
    }
    return plan;
}

base::Result<void> run_agent(const AgentOptions& options)
{
    auto node_name = find_node_name(options);
    if (!node_name) {
        return tl::unexpected(node_name.error());
    }
    const auto request = devices::parse_device_request(options.devices);
    if (!request) {
        return tl::unexpected(request.error());
    }
    const auto actor_program =
        options.is_for_programs_only ? base::Result<std::filesystem::path>() : find_actor_program(options);
    if (!actor_program) {
        return tl::unexpected(actor_program.error());
    }
    const auto key = net::find_dial_key(options.coordinator, options.key_file);
    if (!key) {
        return tl::unexpected(key.error());
    }
    const auto models = open_served_models(options.models);
    if (!models) {
        return tl::unexpected(models.error());
    }
    const bool draws = !options.is_for_programs_only && !models->empty();
    auto plan = make_plan(*request, draws ? *actor_program : std::filesystem::path(), options.mode);
    if (!plan) {
        return tl::unexpected(plan.error());
    }
    const auto runtime_dir = RuntimeDir::create();
    if (!runtime_dir) {
        return tl::unexpected(runtime_dir.error());
    }
    base::LogSubject subject;
    subject.node = *node_name;
    base::set_log_subject(std::move(subject));
    spdlog::info("node {} with {} actor(s) for the coordinator at {}", *node_name, plan->slots.size(),
                 options.coordinator);
    const auto slots = plan->slots;
    auto settings = make_settings(options, *node_name, std::move(*plan), *models, key->has_value());
    settings.rank_endpoint = runtime_dir->actor_endpoint();
    AgentShell shell(std::move(settings), *key,
                     {*actor_program, runtime_dir->actor_endpoint(), options.threads, drawing_arguments(options),
                      log_level_name(), base::log_format(), *models, slots});
    return shell.run();
}

} // namespace

int run_agent_program(int argc, char** argv)
{
    if (argc > 1 && argv[1] == keep_rank_argument) {
        return run_rank_keeper(argc, argv);
    }
    if (!base::die_with_parent()) {
        return base::to_int(base::ExitCode::failed);
    }
    CLI::App app("Runs this machine's actors for a coordinator");
    base::add_common_options(app, program);
    AgentOptions options;
    add_options(app, options);
    return base::parse_and_run(app, argc, argv, [&] {
        const auto ran = run_agent(options);
        return ran ? base::ExitCode::ok : base::report(program, ran.error());
    });
}

} // namespace sdfleet::agent
