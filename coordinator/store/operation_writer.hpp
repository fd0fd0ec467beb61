// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/store_operation.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

namespace sdfleet::coordinator {

/// Puts operations into the tables, within the caller's transaction, with statements that are prepared once. Throws
/// SQLite::Exception.
class OperationWriter {
public:
    explicit OperationWriter(SQLite::Database& database);

    void write(const StoreOperation& operation);

    /// After an exception.
    void reset();

private:
    void write(const InsertJob& operation);
    void write(const SettleItems& operation);
    void write(const MarkJobCancelled& operation);
    void write(const ForgetJobs& operation);
    void write(const SetNodePolicy& operation);

    SQLite::Statement insert_job_;
    SQLite::Statement insert_rank_;
    SQLite::Statement insert_outcome_;
    SQLite::Statement insert_artifact_;
    SQLite::Statement cancel_job_;
    SQLite::Statement delete_outcomes_;
    SQLite::Statement delete_artifact_;
    SQLite::Statement delete_ranks_;
    SQLite::Statement delete_job_;
    SQLite::Statement set_node_;
};

} // namespace sdfleet::coordinator
