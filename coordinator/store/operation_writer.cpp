// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/operation_writer.hpp"

#include "proto/codec.hpp"

#include <string>
#include <variant>

namespace sdfleet::coordinator {

namespace {

/// Texts are bound where they lie: they outlive the statement's run.
void bind(SQLite::Statement& statement, int index, const std::string& text)
{
    statement.bindNoCopy(index, text);
}

void bind(SQLite::Statement& statement, int index, std::uint64_t number)
{
    statement.bind(index, static_cast<std::int64_t>(number));
}

template <class... Values>
void run(SQLite::Statement& statement, const Values&... values)
{
    int index = 0;
    (bind(statement, ++index, values), ...);
    statement.exec();
    statement.reset();
}

} // namespace

OperationWriter::OperationWriter(SQLite::Database& database)
    : insert_job_(database, "INSERT INTO jobs (id, created_unix_ms, submit) VALUES (?, ?, ?)"),
      insert_rank_(database, "INSERT INTO ranks VALUES (?, ?, ?, ?)"),
      insert_outcome_(database, "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      insert_artifact_(database, "INSERT OR IGNORE INTO artifacts VALUES (?, ?)"),
      cancel_job_(database, "UPDATE jobs SET is_cancelled = 1 WHERE id = ?"),
      delete_outcomes_(database, "DELETE FROM outcomes WHERE job = ?"),
      delete_artifact_(database, "DELETE FROM artifacts WHERE sha256 = ?"),
      delete_ranks_(database, "DELETE FROM ranks WHERE job = ?"),
      delete_job_(database, "DELETE FROM jobs WHERE id = ?"),
      set_node_(database, "INSERT OR REPLACE INTO nodes VALUES (?, ?, ?)")
{
}

void OperationWriter::write(const StoreOperation& operation)
{
    std::visit([this](const auto& body) { write(body); }, operation);
}

void OperationWriter::reset()
{
    for (auto* statement : {&insert_job_, &insert_rank_, &insert_outcome_, &insert_artifact_, &cancel_job_,
                            &delete_outcomes_, &delete_artifact_, &delete_ranks_, &delete_job_, &set_node_}) {
        statement->tryReset();
    }
}

void OperationWriter::write(const InsertJob& operation)
{
    const std::string submit = proto::encode({}, proto::Submit{operation.job_id, *operation.spec});
    insert_job_.bindNoCopy(3, submit.data(), static_cast<int>(submit.size()));
    run(insert_job_, operation.job_id.value, operation.created_unix_ms);
    for (std::uint64_t rank = 0; rank < operation.ranks.size(); ++rank) {
        const auto& actor = operation.ranks[rank];
        run(insert_rank_, operation.job_id.value, rank, actor.node_id.value, std::uint64_t{actor.slot.value});
    }
}

void OperationWriter::write(const SettleItems& operation)
{
    for (const auto& outcome : operation.outcomes) {
        run(insert_outcome_, operation.job_id.value, std::uint64_t{outcome.index.value},
            static_cast<std::uint64_t>(outcome.state), outcome.attempt.value, outcome.actor.node_id.value,
            std::uint64_t{outcome.actor.slot.value}, std::uint64_t{outcome.tries}, outcome.media_type, outcome.sha256,
            outcome.bytes, outcome.elapsed_ms, outcome.error);
    }
    if (operation.content) {
        const auto& bytes = operation.content->bytes;
        insert_artifact_.bindNoCopy(2, bytes.empty() ? static_cast<const void*>("") : bytes.data(),
                                    static_cast<int>(bytes.size()));
        run(insert_artifact_, operation.outcomes.front().sha256);
    }
}

void OperationWriter::write(const MarkJobCancelled& operation)
{
    run(cancel_job_, operation.job_id.value);
}

void OperationWriter::write(const ForgetJobs& operation)
{
    for (const auto& [job] : operation.jobs) {
        run(delete_outcomes_, job);
        run(delete_ranks_, job);
        run(delete_job_, job);
    }
    for (const auto& sha256 : operation.artifacts) {
        run(delete_artifact_, sha256);
    }
}

void OperationWriter::write(const SetNodePolicy& operation)
{
    run(set_node_, operation.node_id.value, std::uint64_t{operation.is_draining ? 1U : 0U}, operation.fenced.value);
}

} // namespace sdfleet::coordinator
