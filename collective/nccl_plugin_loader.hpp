// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/cuda/nccl_plugin.h"
#include "collective/error.hpp"

#include <string>

namespace sdfleet::collective {

/// The GPU plug-in, loaded and of our interface version. Copyable: the library stays loaded to the end of the process, as
/// neither CUDA nor NCCL bears being unloaded.
class NcclPlugin {
public:
    /// `library`: NcclOptions::library. Fails with BackendUnavailable and what was tried.
    static Result<NcclPlugin> load(const std::string& library);

    /// What the machine has, or BackendUnavailable where `device` cannot be used: no driver, no such device, no NCCL. Takes
    /// about as long as CUDA takes to start.
    Result<sdfleet_nccl_facts> probe(int device) const;

    const sdfleet_nccl_plugin& table() const { return *table_; }
    const std::string& path() const { return path_; }

private:
    NcclPlugin(const sdfleet_nccl_plugin& table, std::string path);

    const sdfleet_nccl_plugin* table_;
    std::string path_;
};

} // namespace sdfleet::collective
