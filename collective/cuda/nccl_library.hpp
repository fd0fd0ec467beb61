// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <nccl.h>
#include <tl/expected.hpp>

namespace sdfleet::cuda {

/// What we call of libnccl.so.2. It is opened at run time and not linked: a process may hold one NCCL only, so the one that
/// LibTorch brought, if it did, is used; and the plug-in can say in words what is missing instead of not loading.
struct NcclLibrary {
    // By hand, as headers before 2.28.3 do not declare them.
    using RootedFunction = ncclResult_t (*)(const void*, void*, std::size_t, ncclDataType_t, int, ncclComm_t,
                                            cudaStream_t);

    std::string path;
    int version = 0; ///< at run time; never older than the header

    decltype(&ncclGetVersion) get_version = nullptr;
    decltype(&ncclGetUniqueId) get_unique_id = nullptr;
    decltype(&ncclGetErrorString) get_error_string = nullptr;
    decltype(&ncclGetLastError) get_last_error = nullptr;
    decltype(&ncclCommInitRankConfig) comm_init_rank_config = nullptr;
    decltype(&ncclCommGetAsyncError) comm_get_async_error = nullptr;
    decltype(&ncclCommFinalize) comm_finalize = nullptr;
    decltype(&ncclCommAbort) comm_abort = nullptr;
    decltype(&ncclAllReduce) all_reduce = nullptr;
    decltype(&ncclBroadcast) broadcast = nullptr;
    decltype(&ncclAllGather) all_gather = nullptr;
    decltype(&ncclSend) send = nullptr;
    decltype(&ncclRecv) recv = nullptr;
    decltype(&ncclGroupStart) group_start = nullptr;
    decltype(&ncclGroupEnd) group_end = nullptr;
    RootedFunction gather = nullptr;  ///< from 2.28.3; else null
    RootedFunction scatter = nullptr; ///< the same
};

/// Opened at the first call, and kept; the error says why there is none. Thread-safe.
const tl::expected<NcclLibrary, std::string>& nccl_library();

/// "2.28.9" of 22809.
std::string nccl_version_text(int version);

} // namespace sdfleet::cuda
