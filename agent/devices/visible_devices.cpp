// SPDX-License-Identifier: Apache-2.0
#include "agent/devices/visible_devices.hpp"

#include <algorithm>
#include <charconv>
#include <ranges>

namespace sdfleet::agent::devices {

namespace {

std::vector<ComputeDevice> devices_of(const Gpu& gpu)
{
    const auto diagnosis = diagnose(gpu);
    const bool is_exclusive = gpu.compute_mode == ComputeMode::exclusive;
    if (!gpu.is_in_mig_mode) {
        return {{gpu.uuid, gpu.name, gpu.memory_bytes, is_exclusive, diagnosis}};
    }
    std::vector<ComputeDevice> devices;
    for (const auto& instance : gpu.instances) {
        devices.push_back({instance.uuid, instance.name, instance.memory_bytes, is_exclusive, diagnosis});
    }
    return devices;
}

std::vector<ComputeDevice> all_devices(const std::vector<Gpu>& gpus)
{
    std::vector<ComputeDevice> all;
    for (const auto& gpu : gpus) {
        std::ranges::move(devices_of(gpu), std::back_inserter(all));
    }
    return all;
}

/// The one candidate whose UUID begins with `name`; null for none and for several.
template <class Candidates>
auto find_by_uuid(const Candidates& candidates, std::string_view name) -> decltype(&*candidates.begin())
{
    const auto is_it = [&](const auto& candidate) { return candidate.uuid.starts_with(name); };
    const auto found = std::ranges::find_if(candidates, is_it);
    const bool is_one = found != candidates.end() && std::none_of(std::next(found), candidates.end(), is_it);
    return is_one ? &*found : nullptr;
}

/// Nothing for a name that is no device's.
std::vector<ComputeDevice> devices_named(const std::vector<Gpu>& gpus, std::string_view name)
{
    if (name.starts_with("GPU-")) {
        const auto* gpu = find_by_uuid(gpus, name);
        return gpu == nullptr ? std::vector<ComputeDevice>() : devices_of(*gpu);
    }
    if (name.starts_with("MIG-")) {
        const auto all = all_devices(gpus);
        const auto* instance = find_by_uuid(all, name);
        return instance == nullptr ? std::vector<ComputeDevice>() : std::vector{*instance};
    }
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
    const bool is_number = error == std::errc() && end == name.data() + name.size();
    return is_number && index < gpus.size() ? devices_of(gpus[index]) : std::vector<ComputeDevice>();
}

std::string_view trimmed(std::string_view text)
{
    const auto begin = text.find_first_not_of(' ');
    return begin == std::string_view::npos ? "" : text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

} // namespace

std::vector<ComputeDevice> visible_devices(const std::vector<Gpu>& gpus, std::optional<std::string_view> names)
{
    if (!names) {
        return all_devices(gpus);
    }
    std::vector<ComputeDevice> visible;
    for (const auto part : std::views::split(*names, ',')) {
        const auto named = devices_named(gpus, trimmed(std::string_view(part.begin(), part.end())));
        if (named.empty()) {
            break;
        }
        for (const auto& device : named) {
            const bool is_new = std::ranges::find(visible, device.uuid, &ComputeDevice::uuid) == visible.end();
            if (is_new || device.uuid.empty()) {
                visible.push_back(device);
            }
        }
    }
    return visible;
}

} // namespace sdfleet::agent::devices
