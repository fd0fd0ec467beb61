// SPDX-License-Identifier: Apache-2.0
#include "agent/device_plan.hpp"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

#include <unistd.h>

namespace sdfleet::agent {

namespace {

constexpr std::size_t max_actors = 64;
constexpr const char* first_gpu = "/dev/nvidia0";

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

/// How many actors "cpu" or "cpu*N" asks for; nothing for another text.
std::optional<std::size_t> count_of_cpu(std::string_view text)
{
    if (text == "cpu") {
        return 1;
    }
    constexpr std::string_view prefix = "cpu*";
    if (!text.starts_with(prefix)) {
        return std::nullopt;
    }
    const auto digits = text.substr(prefix.size());
    std::size_t count = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    if (error != std::errc() || end != digits.data() + digits.size() || count == 0) {
        return std::nullopt;
    }
    return count;
}

} // namespace

base::Result<DevicePlan> plan_devices(const std::string& text)
{
    DevicePlan plan{{processor()}, {}, ""};
    if (text == "auto") {
        plan.actor_devices = {"cpu"};
        if (std::filesystem::exists(first_gpu)) {
            plan.note = "this build has no CUDA plug-in: the GPUs stay idle, one actor draws on the CPU";
        }
        return plan;
    }
    std::istringstream list(text);
    for (std::string part; std::getline(list, part, ',');) {
        if (part.starts_with("cuda")) {
            return base::fail(base::ExitCode::usage,
                              "--devices " + text + ": this build has no CUDA plug-in; use --devices cpu or cpu*N");
        }
        const auto count = count_of_cpu(part);
        if (!count) {
            return base::fail(base::ExitCode::usage,
                              "--devices " + text + ": '" + part +
                                  "' is no device; use auto, or a list of cpu, cpu*N and cuda:N");
        }
        if (*count > max_actors || plan.actor_devices.size() + *count > max_actors) {
            return base::fail(base::ExitCode::usage, "--devices " + text + ": more than " + std::to_string(max_actors) +
                                                         " actors on one node");
        }
        plan.actor_devices.insert(plan.actor_devices.end(), *count, "cpu");
    }
    if (plan.actor_devices.empty()) {
        return base::fail(base::ExitCode::usage, "--devices names no device");
    }
    return plan;
}

} // namespace sdfleet::agent
