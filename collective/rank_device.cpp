// SPDX-License-Identifier: Apache-2.0
#include "collective/rank_device.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>

namespace sdfleet::collective {

namespace {

constexpr const char* plug_in = "libsdfleet_cuda.so";

std::string variable(const char* name)
{
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

/// The words that accelerate takes for yes.
bool is_yes(std::string text)
{
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text == "1" || text == "true" || text == "yes" || text == "y" || text == "t" || text == "on";
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
        count += name.size() > prefix.size() && name.starts_with(prefix) &&
                 std::all_of(name.begin() + prefix.size(), name.end(), is_digit);
    }
    return count;
}

/// How many GPUs CUDA_VISIBLE_DEVICES lists; nothing where it is not set. As CUDA reads it, the list ends at "-1".
std::optional<std::uint32_t> count_visible()
{
    const char* list = std::getenv("CUDA_VISIBLE_DEVICES");
    if (list == nullptr) {
        return std::nullopt;
    }
    const std::string text = list;
    if (text.empty() || text.starts_with("-1")) {
        return 0;
    }
    const auto used = text.substr(0, text.find(",-1"));
    return static_cast<std::uint32_t>(1 + std::count(used.begin(), used.end(), ','));
}

} // namespace

std::string rank_device(std::uint32_t local_rank)
{
    if (is_yes(variable("ACCELERATE_USE_CPU")) || !has_plug_in()) {
        return "cpu";
    }
    const std::uint32_t files = count_device_files();
    const std::uint32_t gpus = std::min(files, count_visible().value_or(files));
    return gpus == 0 ? "cpu" : "cuda:" + std::to_string(local_rank % gpus);
}

} // namespace sdfleet::collective
