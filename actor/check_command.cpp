// SPDX-License-Identifier: Apache-2.0
#include "actor/check_command.hpp"

#include "base/program_options.hpp"
#include "pipeline/compute_mode.hpp"
#include "pipeline/gpu_plugin.hpp"
#include "pipeline/placement.hpp"
#include "pipeline/torch_cuda.hpp"

#include <memory>
#include <string>

namespace sdfleet::actor {

namespace {

struct CheckOptions {
    std::string device = "cuda:0";
    std::string mode = "auto";
};

base::Result<void> check(const CheckOptions& options)
{
    const auto mode = pipeline::parse_compute_mode(options.mode);
    if (!mode) {
        return tl::unexpected(mode.error());
    }
    if (options.device.starts_with("cuda")) {
        if (const auto count = pipeline::cuda_device_count(); !count) {
            return tl::unexpected(count.error()); // whatever its number
        }
    }
    const auto placement = pipeline::resolve_placement(options.device, pipeline::Dtype::automatic);
    if (!placement) {
        return tl::unexpected(placement.error());
    }
    if (placement->device().is_cuda() && *mode != pipeline::ComputeMode::reference) {
        return pipeline::gpu_kernels().and_then(
            [](const auto*) { return pipeline::gpu_recorder().map([](const auto&) {}); });
    }
    return {};
}

} // namespace

void add_check_command(CLI::App& app, std::function<base::ExitCode()>& run)
{
    CLI::App* command = app.add_subcommand("check", "Say whether pictures can be drawn on a device here");
    const auto o = std::make_shared<CheckOptions>();
    command->add_option("--device", o->device, "cpu or cuda:N")->capture_default_str();
    command->add_option("--mode", o->mode, "auto, fast or reference, as for generate")->capture_default_str();
    command->callback([&run, o] {
        run = [o] {
            const auto checked = check(*o);
            return checked ? base::ExitCode::ok : base::report("actor", checked.error());
        };
    });
}

} // namespace sdfleet::actor
