// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/ids.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace sdfleet::collective {

enum class Backend : std::uint8_t {
    zmq, ///< any machine; CPU memory
    nccl ///< GPUs: tensors on a GPU go over NCCL, everything else as with zmq. Needs the GPU plug-in
};

/// Where ranks meet. In a program that `sdctl launch` started, the agent of this node (which asks the coordinator);
/// elsewhere rank 0, which listens on master_address:master_port while the group is formed.
struct ViaAgent {
    std::string endpoint;   ///< "ipc://..."
    std::string program_id; ///< the group is called PROGRAM/NAME
};
struct ViaMaster {
    std::string address;
    std::uint16_t port = 0;
    /// What the ranks share to know each other by; every key is derived from it. Empty is allowed only on a loopback address.
    std::string secret;
};

struct NcclOptions {
    std::string
        library; ///< path of the GPU plug-in; empty = libsdfleet_cuda.so beside the program, then the loader's path
    /// This rank's, as CUDA numbers them in this process; default: where the environment says which rank this is, LOCAL_RANK
    /// (with more ranks than GPUs they take turns), else 0.
    std::optional<int> device;
    std::string network;                             ///< NCCL_NET, "Socket" for one; empty = NCCL's choice
    std::string interface;                           ///< NCCL_SOCKET_IFNAME; empty = NCCL's choice
    std::size_t buffer_bytes = 0;                    ///< NCCL_BUFFSIZE; 0 = NCCL's choice. Smaller ones save GPU memory
    int max_ctas = 0;                                ///< of a communicator; 0 = NCCL's choice
    std::chrono::milliseconds abort_patience{5'000}; ///< an abort that takes longer ends the process (SIGKILL)
};

struct InitOptions {
    std::chrono::milliseconds timeout{300'000}; ///< of forming the group, and of every operation that names none
    proto::Epoch epoch;                         ///< of this try; members of an older one are refused
    std::string group_name = "default";
    std::optional<std::string> listen_address; ///< where this rank listens for the others; default: found by itself
    NcclOptions nccl;
};

/// What torchrun, accelerate and `sdctl launch` tell a process by its environment: RANK, WORLD_SIZE, LOCAL_RANK,
/// LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT; from `sdctl launch` also SDFLEET_AGENT, SDFLEET_PROGRAM and SDFLEET_EPOCH;
/// SDFLEET_GROUP_SECRET is ViaMaster::secret.
struct RankEnvironment {
    std::uint32_t rank = 0;
    std::uint32_t world_size = 1;
    std::uint32_t local_rank = 0;
    std::uint32_t local_world_size = 1;
    proto::Epoch epoch;
    std::optional<ViaAgent> agent;
    std::optional<ViaMaster> master;
};

} // namespace sdfleet::collective
