// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/ids.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace sdfleet::actor {

enum class BatchMode {
    fixed,   ///< always computed for as many items as there can be: what becomes of one does not depend on the others
    dynamic, ///< for as many as there are: faster while few are there, the last bits depend on how many
};

/// What the agent tells an actor process at its start.
struct ActorSettings {
    std::string agent; ///< the agent's private endpoint, ipc://...
    proto::Slot slot;
    std::string device = "cpu";
    int threads = 1;             ///< that one operation may use
    std::uint32_t max_batch = 1; ///< items to draw at once, where a kind can
    BatchMode batch_mode = BatchMode::fixed;
    std::string mode = "auto"; ///< how pictures are computed: auto, fast or reference
    bool tune = true;          ///< measure which of the library's algorithms is the fastest
    std::vector<std::pair<std::string, std::filesystem::path>>
        models; ///< name and folder; the first is loaded at start
};

} // namespace sdfleet::actor
