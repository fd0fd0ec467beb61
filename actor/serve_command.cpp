// SPDX-License-Identifier: Apache-2.0
#include "actor/serve_command.hpp"

#include "actor/actor_process.hpp"
#include "actor/exit_code.hpp"
#include "base/log.hpp"
#include "base/program_options.hpp"
#include "proto/batch_key.hpp"

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sdfleet::actor {

namespace {

constexpr const char* program = "actor";
constexpr int max_threads = 1024;

struct ServeOptions {
    ActorSettings settings;
    std::vector<std::string> models;
};

base::ExitCode serve(ServeOptions options, const KindRegistry& registry)
{
    for (const auto& model : options.models) {
        const auto split = model.find('=');
        if (split == std::string::npos || split == 0 || split + 1 == model.size()) {
            return base::report(program, {base::ExitCode::usage, "--model takes NAME=DIR, not " + model});
        }
        options.settings.models.emplace_back(model.substr(0, split), model.substr(split + 1));
    }
    base::LogSubject subject;
    subject.actor = options.settings.slot.value;
    base::set_log_subject(std::move(subject));
    ActorProcess process(options.settings, registry);
    const auto served = process.run();
    if (!served && served.error().code == device_lost) {
        // Without destructors: whatever they asked of the device would fail, or not return.
        std::_Exit(base::to_int(base::report(program, served.error())));
    }
    return served ? base::ExitCode::ok : base::report(program, served.error());
}

} // namespace

void add_serve_command(CLI::App& app, const KindRegistry& registry, std::function<base::ExitCode()>& run)
{
    CLI::App* command = app.add_subcommand("serve", "Work for an agent; started by the agent, not by hand");
    const auto o = std::make_shared<ServeOptions>();
    command->add_option("--agent", o->settings.agent, "The agent's private socket, ipc://PATH")->required();
    command->add_option("--slot", o->settings.slot.value, "The agent's number for this actor")->required();
    command->add_option("--device", o->settings.device, "cpu or cuda:N")->capture_default_str();
    command->add_option("--threads", o->settings.threads, "Threads that draw one picture")
        ->check(CLI::Range(1, max_threads))
        ->capture_default_str();
    command
        ->add_option("--mode", o->settings.mode, "How pictures are computed: auto (fast on a GPU), fast or reference")
        ->check(CLI::IsMember({"auto", "fast", "reference"}))
        ->capture_default_str();
    command->add_flag("--tune,!--no-tune", o->settings.tune, "Measure which of the library's algorithms is the fastest")
        ->default_str("true");
    command
        ->add_option(
            "--batch-mode", o->settings.batch_mode,
            "fixed: a batch always has its full size, so that no item depends on the others; dynamic: it is as "
            "large as it must be")
        ->transform(CLI::CheckedTransformer(
            std::map<std::string, BatchMode>{{"fixed", BatchMode::fixed}, {"dynamic", BatchMode::dynamic}}))
        ->default_str("fixed");
    command->add_option("--max-batch", o->settings.max_batch, "Items to draw at once, where the kind of work allows")
        ->check(CLI::Range(1U, proto::max_batch_limit))
        ->capture_default_str();
    command->add_option("--model", o->models, "NAME=DIR of a model to serve; the first is loaded at start");
    command->callback([&run, &registry, o] { run = [&registry, o] { return serve(*o, registry); }; });
}

} // namespace sdfleet::actor
