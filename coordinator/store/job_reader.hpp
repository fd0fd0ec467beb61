// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "coordinator/core/store_operation.hpp"

#include <functional>

namespace SQLite {
class Database;
}

namespace sdfleet::coordinator {

/// Hands over all jobs, oldest first, some at a time, and with the last part what was decided about nodes. Throws
/// SQLite::Exception; fails when a job cannot be understood.
base::Result<void> read_jobs(SQLite::Database& database, const std::function<void(Restored)>& take);

} // namespace sdfleet::coordinator
