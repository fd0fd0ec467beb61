// SPDX-License-Identifier: Apache-2.0
#include "agent/core/rank_environment.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string_view>
#include <utility>

namespace sdfleet::agent {

namespace {

using Variables = std::vector<std::pair<std::string, std::string>>;

/// Of two values for one name a process finds the first: there must be one alone.
void set(Variables& variables, const std::string& name, const std::string& value)
{
    const auto found = std::ranges::find(variables, name, &Variables::value_type::first);
    if (found == variables.end()) {
        variables.emplace_back(name, value);
    } else {
        found->second = value;
    }
}

constexpr std::string_view prefix = "cuda:";

/// Our cuda:N is the N-th of the devices that we see ourselves.
std::string cuda_name(const Settings& settings, const std::string& device)
{
    const auto number = device.substr(prefix.size());
    std::size_t index = 0;
    std::from_chars(number.data(), number.data() + number.size(), index);
    return index < settings.cuda_names.size() ? settings.cuda_names[index] : number;
}

/// The GPUs of the slots, each once.
std::vector<std::string> gpus_of(const Settings& settings, const std::vector<proto::Slot>& slots)
{
    std::vector<std::string> names;
    for (const auto slot : slots) {
        const auto& device = settings.actor_devices.at(slot.value);
        if (!device.starts_with(prefix)) {
            continue;
        }
        if (auto name = cuda_name(settings, device); std::ranges::find(names, name) == names.end()) {
            names.push_back(std::move(name));
        }
    }
    return names;
}

/// "GPU-a,GPU-b": what this rank may see.
std::string cuda_devices(const Settings& settings, const proto::StartRanks& order, const proto::RankPlace& own)
{
    std::vector<proto::Slot> slots;
    for (const auto& place : order.places) {
        slots.insert(slots.end(), place.slots.begin(), place.slots.end());
    }
    auto names = gpus_of(settings, slots);
    // Of several instances CUDA shows a process the first alone.
    if (std::ranges::any_of(names, [](const std::string& name) { return name.starts_with("MIG-"); })) {
        names = gpus_of(settings, own.slots);
    }
    std::string text;
    for (const auto& name : names) {
        text += (text.empty() ? "" : ",") + name;
    }
    return text;
}

} // namespace

std::vector<std::pair<std::string, std::string>> rank_environment(const Settings& settings,
                                                                  const proto::StartRanks& order,
                                                                  const proto::RankPlace& place,
                                                                  std::uint16_t master_port)
{
    const auto rank = std::to_string(place.rank.value);
    const auto world_size = std::to_string(order.spec.ranks);
    auto variables = settings.rank_defaults;
    const std::vector<std::pair<std::string, std::string>> fixed{
        {"RANK", rank},
        {"WORLD_SIZE", world_size},
        {"LOCAL_RANK", std::to_string(place.local_rank)},
        {"LOCAL_WORLD_SIZE", std::to_string(order.places.size())},
        {"GROUP_RANK", std::to_string(order.node_rank)},
        {"GROUP_WORLD_SIZE", std::to_string(order.node_count)},
        {"ROLE_RANK", rank},
        {"ROLE_WORLD_SIZE", world_size},
        {"ROLE_NAME", "default"},
        {"MASTER_ADDR", order.master_address},
        {"MASTER_PORT", std::to_string(master_port)},
        {"TORCHELASTIC_RESTART_COUNT", std::to_string(order.run.epoch.value - 1)},
        {"TORCHELASTIC_MAX_RESTARTS", std::to_string(order.spec.max_restarts)},
        {"TORCHELASTIC_RUN_ID", order.run.program_id.value},
        {"TORCHELASTIC_USE_AGENT_STORE", "False"},
        {"SDFLEET_PROGRAM", order.run.program_id.value},
        {"SDFLEET_EPOCH", std::to_string(order.run.epoch.value)},
        {"SDFLEET_AGENT", settings.rank_endpoint}};
    for (const auto& [name, value] : fixed) {
        set(variables, name, value);
    }
    if (const auto devices = cuda_devices(settings, order, place); !devices.empty()) {
        set(variables, "CUDA_VISIBLE_DEVICES", devices);
        set(variables, "CUDA_DEVICE_ORDER", "PCI_BUS_ID");
    }
    for (const auto& [name, value] : order.spec.environment) {
        set(variables, name, value);
    }
    return variables;
}

} // namespace sdfleet::agent
