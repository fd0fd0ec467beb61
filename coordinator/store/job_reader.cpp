// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/job_reader.hpp"

#include "proto/codec.hpp"

#include <string>
#include <utility>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

namespace sdfleet::coordinator {

namespace {

constexpr std::size_t items_per_part = 4'096;

std::uint64_t to_unsigned(const SQLite::Column& column)
{
    return static_cast<std::uint64_t>(column.getInt64());
}

std::uint32_t to_uint32(const SQLite::Column& column)
{
    return static_cast<std::uint32_t>(column.getInt64());
}

std::vector<SetNodePolicy> read_nodes(SQLite::Database& database)
{
    std::vector<SetNodePolicy> nodes;
    SQLite::Statement query(database, "SELECT id, is_draining, fenced FROM nodes");
    while (query.executeStep()) {
        nodes.push_back(
            {{query.getColumn(0).getString()}, query.getColumn(1).getInt() != 0, {to_unsigned(query.getColumn(2))}});
    }
    return nodes;
}

std::vector<proto::ActorId> read_ranks(SQLite::Statement& query, const std::string& job)
{
    std::vector<proto::ActorId> ranks;
    query.bindNoCopy(1, job);
    while (query.executeStep()) {
        ranks.push_back({{query.getColumn(0).getString()}, {to_uint32(query.getColumn(1))}});
    }
    query.reset();
    return ranks;
}

std::vector<ItemOutcome> read_outcomes(SQLite::Statement& query, const std::string& job)
{
    std::vector<ItemOutcome> outcomes;
    query.bindNoCopy(1, job);
    while (query.executeStep()) {
        outcomes.push_back({{to_uint32(query.getColumn(0))},
                            static_cast<proto::ItemState>(query.getColumn(1).getInt()),
                            {to_unsigned(query.getColumn(2))},
                            {{query.getColumn(3).getString()}, {to_uint32(query.getColumn(4))}},
                            to_uint32(query.getColumn(5)),
                            query.getColumn(6).getString(),
                            query.getColumn(7).getString(),
                            to_unsigned(query.getColumn(8)),
                            to_unsigned(query.getColumn(9)),
                            query.getColumn(10).getString()});
    }
    query.reset();
    return outcomes;
}

base::Result<RestoredJob> read_job(const SQLite::Statement& row)
{
    const std::string id = row.getColumn(0).getString();
    const auto submit = row.getColumn(3);
    const auto* bytes = static_cast<const std::byte*>(submit.getBlob());
    auto decoded = proto::decode({bytes, static_cast<std::size_t>(submit.getBytes())});
    auto* message = decoded ? std::get_if<proto::Submit>(&decoded->message) : nullptr;
    if (message == nullptr) {
        return base::fail(base::ExitCode::failed, "job " + id + " in the store cannot be read: " +
                                                      (decoded ? "it is no job" : decoded.error().message));
    }
    RestoredJob job;
    job.job = {
        {id}, std::make_shared<const proto::JobSpec>(std::move(message->spec)), to_unsigned(row.getColumn(1)), {}};
    job.is_cancelled = row.getColumn(2).getInt() != 0;
    return job;
}

} // namespace

base::Result<void> read_jobs(SQLite::Database& database, const std::function<void(Restored)>& take)
{
    SQLite::Statement jobs(database, "SELECT id, created_unix_ms, is_cancelled, submit FROM jobs ORDER BY number");
    SQLite::Statement ranks(database, "SELECT node, slot FROM ranks WHERE job = ? ORDER BY rank");
    SQLite::Statement outcomes(database, "SELECT item, state, attempt, node, slot, tries, media_type, sha256, bytes, "
                                         "elapsed_ms, error FROM outcomes WHERE job = ? ORDER BY item");
    Restored part{{}, {}, false};
    std::size_t items = 0;
    while (jobs.executeStep()) {
        auto job = read_job(jobs);
        if (!job) {
            return tl::unexpected(std::move(job.error()));
        }
        job->job.ranks = read_ranks(ranks, job->job.job_id.value);
        job->outcomes = read_outcomes(outcomes, job->job.job_id.value);
        items += job->job.spec->items.size();
        part.jobs.push_back(std::move(*job));
        if (items >= items_per_part) {
            take(std::exchange(part, {{}, {}, false}));
            items = 0;
        }
    }
    part.nodes = read_nodes(database);
    part.is_last = true;
    take(std::move(part));
    return {};
}

} // namespace sdfleet::coordinator
