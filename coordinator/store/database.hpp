// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "coordinator/core/store_operation.hpp"
#include "proto/ids.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace sdfleet::coordinator {

/// The books: jobs and the outcomes of their items, in SQLite (WAL, synchronous=FULL). Used by one thread at a time.
/// Queued and running items have no rows: whatever has no outcome is queued again after a restart.
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

    /// All jobs, oldest first, and what was decided about nodes.
    base::Result<Restored> load();

    /// All of them on disk when it succeeds, none of them when it fails.
    base::Result<void> commit(std::span<const StoreOperation> operations);

private:
    struct Impl;
    explicit Database(std::unique_ptr<Impl> impl);

    std::unique_ptr<Impl> impl_;
};

} // namespace sdfleet::coordinator
