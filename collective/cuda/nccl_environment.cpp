// SPDX-License-Identifier: Apache-2.0
#include "collective/cuda/nccl_environment.hpp"

#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>

namespace sdfleet::cuda {

namespace {

using Variables = std::map<std::string, std::string>;

Variables variables_of(const sdfleet_nccl_environment& environment)
{
    // Goes over the communicator's own option: with 1, a call could wait for ever, beyond every deadline.
    Variables variables{{"NCCL_COMM_BLOCKING", "0"}};
    if (environment.network != nullptr && *environment.network != '\0') {
        variables["NCCL_NET"] = environment.network;
    }
    if (environment.interface != nullptr && *environment.interface != '\0') {
        variables["NCCL_SOCKET_IFNAME"] = environment.interface;
    }
    if (environment.buffer_bytes > 0) {
        variables["NCCL_BUFFSIZE"] = std::to_string(environment.buffer_bytes);
    }
    return variables;
}

} // namespace

Outcome configure_nccl(const sdfleet_nccl_environment& environment)
{
    static std::mutex mutex;
    static std::optional<Variables> chosen;
    const std::lock_guard lock(mutex);
    const auto variables = variables_of(environment);
    if (!chosen) {
        for (const auto& [name, value] : variables) {
            if (::setenv(name.c_str(), value.c_str(), 1) != 0) {
                return {SDFLEET_NCCL_INVALID, "cannot set " + name};
            }
        }
        chosen = variables;
    }
    if (variables != *chosen) {
        return {SDFLEET_NCCL_INVALID,
                "NCCL reads its network, interface and buffer size once in a process, and an earlier "
                "group of this process chose others"};
    }
    return {};
}

} // namespace sdfleet::cuda
