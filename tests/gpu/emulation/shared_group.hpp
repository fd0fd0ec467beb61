// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include <sys/types.h>

namespace sdfleet::emulation {

constexpr std::uint32_t most_ranks = 2;
constexpr std::size_t most_bytes = 8u << 20; ///< of a message

/// One message on its way.
struct Cell {
    std::atomic<bool> full;
    std::byte data[most_bytes];
};

/// What the processes of one emulated communicator share. A file in shared memory, zeroed at first; only what is written to
/// costs memory.
struct SharedGroup {
    std::atomic<std::uint32_t> joined;
    std::atomic<pid_t> pids[most_ranks];
    char host_ids[most_ranks][64];
    Cell cells[most_ranks][most_ranks]; ///< [from][to]

    /// Creates the file, and later opens it. `name` as shm_open takes it. Null: there is none.
    static bool create(const std::string& name);
    static SharedGroup* open(const std::string& name);
    void close();
    static void forget(const std::string& name);
};

} // namespace sdfleet::emulation
