// SPDX-License-Identifier: Apache-2.0
#include "collective/core/rank_device.hpp"

#include <algorithm>
#include <cctype>

namespace sdfleet::collective {

namespace {

/// The words that accelerate takes for yes.
bool is_yes(std::string text)
{
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text == "1" || text == "true" || text == "yes" || text == "y" || text == "t" || text == "on";
}

/// How many GPUs a CUDA_VISIBLE_DEVICES lists. CUDA reads it up to the first "-1".
std::uint32_t count_listed(const std::string& list)
{
    if (list.empty() || list.starts_with("-1")) {
        return 0;
    }
    const auto used = list.substr(0, list.find(",-1"));
    return static_cast<std::uint32_t>(1 + std::count(used.begin(), used.end(), ','));
}

} // namespace

std::string rank_device(const DeviceFacts& facts, std::uint32_t local_rank)
{
    if (is_yes(facts.use_cpu) || !facts.has_plug_in) {
        return "cpu";
    }
    const std::uint32_t listed = facts.visible_devices ? count_listed(*facts.visible_devices) : facts.device_files;
    const std::uint32_t gpus = std::min(facts.device_files, listed);
    return gpus == 0 ? "cpu" : "cuda:" + std::to_string(local_rank % gpus);
}

} // namespace sdfleet::collective
