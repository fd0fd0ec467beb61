// SPDX-License-Identifier: Apache-2.0
#include "collective/device_facts.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace sdfleet::collective {

namespace {

constexpr const char* plug_in = "libsdfleet_cuda.so";

std::optional<std::string> variable(const char* name)
{
    const char* value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

bool has_plug_in()
{
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    const auto folder = program.parent_path();
    return !error && (std::filesystem::exists(folder / plug_in, error) ||
                      std::filesystem::exists(folder.parent_path() / plug_in, error));
}

/// /dev/nvidia0, /dev/nvidia3, ...: a container may be given any of them.
std::uint32_t count_device_files()
{
    constexpr std::string_view prefix = "nvidia";
    std::uint32_t count = 0;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/dev", error)) {
        const auto name = entry.path().filename().string();
        const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
        const bool is_gpu = name.size() > prefix.size() && name.starts_with(prefix) &&
                            std::all_of(name.begin() + prefix.size(), name.end(), is_digit);
        count += is_gpu ? 1 : 0;
    }
    return count;
}

} // namespace

DeviceFacts read_device_facts()
{
    return {has_plug_in(), count_device_files(), variable("CUDA_VISIBLE_DEVICES"),
            variable("ACCELERATE_USE_CPU").value_or("")};
}

} // namespace sdfleet::collective
