// SPDX-License-Identifier: Apache-2.0
#include "agent/device_plan.hpp"

#include "agent/devices/nvml_reader.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <unistd.h>

namespace sdfleet::agent {

namespace {

std::string processor_name()
{
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("model name")) {
            const auto begin = line.find_first_not_of(" \t", line.find(':') + 1);
            return begin == std::string::npos ? "" : line.substr(begin);
        }
    }
    return "unknown processor"; // ARM kernels do not say
}

proto::DeviceInfo processor()
{
    const auto pages = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES));
    const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGE_SIZE));
    return {"cpu", processor_name(), pages * page_bytes};
}

} // namespace

bool DevicePlan::uses_gpus() const
{
    return std::ranges::any_of(slots, [](const auto& slot) { return !slot.uuid.empty(); });
}

Machine look_at_machine(const devices::DeviceRequest& request)
{
    Machine machine{processor(), {}, {}};
    if (request.concerns_gpus()) {
        machine.gpus = devices::read_gpus();
    }
    if (const char* names = std::getenv("CUDA_VISIBLE_DEVICES"); names != nullptr) {
        machine.cuda_visible_devices = names;
    }
    return machine;
}

base::Result<DevicePlan> plan_devices(const devices::DeviceRequest& request, const Machine& machine)
{
    auto choice = devices::choose_devices(request, machine.gpus, machine.cuda_visible_devices);
    if (!choice) {
        return tl::unexpected(choice.error());
    }
    DevicePlan plan{{machine.processor}, std::move(choice->slots), {}, std::move(choice->notes)};
    for (std::size_t index = 0; index < choice->visible.size(); ++index) {
        const auto& gpu = choice->visible[index];
        const auto name = "cuda:" + std::to_string(index);
        plan.cuda_uuids.push_back(gpu.uuid);
        if (std::ranges::find(plan.slots, name, &devices::Slot::device) != plan.slots.end()) {
            plan.devices.push_back({name, gpu.name + ", " + gpu.uuid, gpu.memory_bytes});
        }
    }
    return plan;
}

} // namespace sdfleet::agent
