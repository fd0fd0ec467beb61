// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "coordinator/core/store_operation.hpp"
#include "proto/ids.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include <tl/expected.hpp>

namespace sdfleet::coordinator {

struct CommitError {
    bool is_of_operation = false; ///< one of them contradicts what is stored; else the disk is at fault
    std::string message;
};

/// The books: jobs, the outcomes of their items, and small artifacts, in SQLite (WAL, synchronous=FULL). Used by one
/// thread at a time. Queued and running items have no rows: whatever has no outcome is queued again after a restart.
class Database {
public:
    /// Creates the file when it is missing. Fails with one line for a file that is not ours, damaged, or written by a
    /// newer release.
    static base::Result<Database> open(const std::filesystem::path& path);

    Database(Database&&) noexcept;
    Database& operator=(Database&&) noexcept;
    ~Database();

    proto::ClusterId cluster() const;

    /// Grows by one with each call of open().
    std::uint64_t epoch() const;

    /// Hands over all jobs, oldest first, some at a time; with the last of them what was decided about nodes.
    base::Result<void> load(const std::function<void(Restored)>& take);

    /// The same in one piece.
    base::Result<Restored> load();

    /// All of them on disk when it succeeds, none of them when it fails.
    tl::expected<void, CommitError> commit(std::span<const StoreOperation> operations);

    /// Gives a little of the space of what was deleted back to the disk, within milliseconds. False when there is
    /// nothing more to do. To be called again and again while nothing else waits.
    bool tidy();

    /// A longer write-ahead log is cut by tidy().
    static constexpr std::uintmax_t long_wal_bytes = 64ULL << 20;

private:
    struct Impl;
    explicit Database(std::unique_ptr<Impl> impl);

    std::unique_ptr<Impl> impl_;
};

} // namespace sdfleet::coordinator
