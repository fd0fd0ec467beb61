// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "proto/job_spec.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace sdfleet::sdctl {

struct RunOptions {
    std::string coordinator;
    std::filesystem::path key_file; ///< as Program::key_file
    bool json = false;
    std::filesystem::path folder;
    int local_actors = 0;        ///< 0 = ask the coordinator's fleet
    std::string local_devices{}; ///< of the local actors, as agent --devices; empty: the processor
    std::uint32_t local_max_batch = 1;
    std::string job_id; ///< empty = made up
};

/// Draws what is missing of the wanted pictures and brings it into the folder: what `sdctl run` does. The first interrupt
/// cancels the job. When the folder cannot be written the job goes on without us, and the error says how to fetch it.
base::Result<base::ExitCode> draw_pictures(proto::JobSpec wanted, const RunOptions& options);

} // namespace sdfleet::sdctl
