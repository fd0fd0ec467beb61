// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/database.hpp"

#include "base/test_fault.hpp"
#include "coordinator/store/schema.hpp"
#include "proto/codec.hpp"

#include <map>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>

namespace sdfleet::coordinator {

namespace {

std::string make_cluster_id()
{
    constexpr int digits = 16;
    std::random_device random;
    std::uniform_int_distribution<int> digit(0, 15);
    std::string id;
    for (int i = 0; i < digits; ++i) {
        id += "0123456789abcdef"[digit(random)];
    }
    return id;
}

std::optional<std::string> read_meta(SQLite::Database& database, const std::string& key)
{
    SQLite::Statement query(database, "SELECT value FROM meta WHERE key = ?");
    query.bind(1, key);
    return query.executeStep() ? std::optional(query.getColumn(0).getString()) : std::nullopt;
}

void write_meta(SQLite::Database& database, const std::string& key, const std::string& value)
{
    SQLite::Statement query(database, "INSERT OR REPLACE INTO meta VALUES (?, ?)");
    query.bind(1, key);
    query.bind(2, value);
    query.exec();
}

std::int64_t to_sql(std::uint64_t number)
{
    return static_cast<std::int64_t>(number);
}

std::uint64_t to_unsigned(const SQLite::Column& column)
{
    return static_cast<std::uint64_t>(column.getInt64());
}

std::uint32_t to_uint32(const SQLite::Column& column)
{
    return static_cast<std::uint32_t>(column.getInt64());
}

/// Where a test may end the process or have the disk refuse.
void pass(const char* point)
{
    if (base::test_fault(point)) {
        throw std::runtime_error(std::string("input/output error at ") + point);
    }
}

} // namespace

struct Database::Impl {
    explicit Impl(const std::filesystem::path& path)
        : sqlite(path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
    {
        sqlite.exec("PRAGMA journal_mode=WAL");
        sqlite.exec("PRAGMA synchronous=FULL");
        sqlite.exec("PRAGMA cache_size=-2048"); // KiB: rows are written once and read at the start only
    }

    void prepare();
    void execute(const InsertJob& operation);
    void execute(const SettleItems& operation);
    void execute(const MarkJobCancelled& operation);
    void execute(const ForgetJob& operation);
    void execute(const SetNodePolicy& operation);

    std::vector<SetNodePolicy> load_nodes();
    std::map<std::string, std::vector<proto::ActorId>> load_ranks();
    std::map<std::string, std::vector<ItemOutcome>> load_outcomes();

    SQLite::Database sqlite;
    std::optional<SQLite::Statement> insert_job;
    std::optional<SQLite::Statement> insert_rank;
    std::optional<SQLite::Statement> insert_outcome;
    std::optional<SQLite::Statement> cancel_job;
    proto::ClusterId cluster;
    std::uint64_t epoch = 0;
};

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

base::Result<Database> Database::open(const std::filesystem::path& path)
{
    try {
        auto impl = std::make_unique<Impl>(path);
        auto& sqlite = impl->sqlite;
        SQLite::Transaction transaction(sqlite);
        if (!sqlite.tableExists("meta")) {
            sqlite.exec(create_schema);
            write_meta(sqlite, "schema_version", std::to_string(schema_version));
            write_meta(sqlite, "cluster", make_cluster_id());
            write_meta(sqlite, "epoch", "0");
        }
        int version = std::stoi(read_meta(sqlite, "schema_version").value_or("0"));
        if (version == 1) {
            sqlite.exec(migrate_from_1);
            version = schema_version;
            write_meta(sqlite, "schema_version", std::to_string(version));
        }
        if (version != schema_version) {
            return base::fail(base::ExitCode::failed, path.string() + " has schema version " + std::to_string(version) +
                                                          ", this release reads version " +
                                                          std::to_string(schema_version) +
                                                          "; run the release that wrote it, or a newer one");
        }
        impl->cluster = {read_meta(sqlite, "cluster").value()};
        impl->epoch = std::stoull(read_meta(sqlite, "epoch").value()) + 1;
        write_meta(sqlite, "epoch", std::to_string(impl->epoch));
        transaction.commit();
        impl->prepare();
        return Database(std::move(impl));
    } catch (const std::exception& error) {
        return base::fail(base::ExitCode::failed, "cannot use the store " + path.string() + ": " + error.what());
    }
}

proto::ClusterId Database::cluster() const
{
    return impl_->cluster;
}

std::uint64_t Database::epoch() const
{
    return impl_->epoch;
}

base::Result<void> Database::commit(std::span<const StoreOperation> operations)
{
    try {
        SQLite::Transaction transaction(impl_->sqlite);
        for (const auto& operation : operations) {
            pass("store.write");
            std::visit([this](const auto& body) { impl_->execute(body); }, operation);
        }
        pass("store.commit");
        transaction.commit();
        return {};
    } catch (const std::exception& error) {
        for (auto* statement : {&impl_->insert_job, &impl_->insert_rank, &impl_->insert_outcome, &impl_->cancel_job}) {
            (*statement)->tryReset();
        }
        return base::fail(base::ExitCode::failed, error.what());
    }
}

void Database::Impl::prepare()
{
    insert_job.emplace(sqlite, "INSERT INTO jobs (id, created_unix_ms, submit) VALUES (?, ?, ?)");
    insert_rank.emplace(sqlite, "INSERT INTO ranks VALUES (?, ?, ?, ?)");
    insert_outcome.emplace(sqlite, "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    cancel_job.emplace(sqlite, "UPDATE jobs SET is_cancelled = 1 WHERE id = ?");
}

void Database::Impl::execute(const InsertJob& operation)
{
    const std::string submit = proto::encode({}, proto::Submit{operation.job_id, *operation.spec});
    insert_job->bind(1, operation.job_id.value);
    insert_job->bind(2, to_sql(operation.created_unix_ms));
    insert_job->bindNoCopy(3, submit.data(), static_cast<int>(submit.size()));
    insert_job->exec();
    insert_job->reset();
    insert_job->clearBindings();
    for (std::uint32_t rank = 0; rank < operation.ranks.size(); ++rank) {
        insert_rank->bind(1, operation.job_id.value);
        insert_rank->bind(2, rank);
        insert_rank->bind(3, operation.ranks[rank].node_id.value);
        insert_rank->bind(4, operation.ranks[rank].slot.value);
        insert_rank->exec();
        insert_rank->reset();
    }
}

void Database::Impl::execute(const SettleItems& operation)
{
    for (const auto& outcome : operation.outcomes) {
        auto& row = *insert_outcome;
        row.bind(1, operation.job_id.value);
        row.bind(2, outcome.index.value);
        row.bind(3, static_cast<int>(outcome.state));
        row.bind(4, to_sql(outcome.attempt.value));
        row.bind(5, outcome.actor.node_id.value);
        row.bind(6, outcome.actor.slot.value);
        row.bind(7, outcome.tries);
        row.bind(8, outcome.media_type);
        row.bind(9, outcome.sha256);
        row.bind(10, to_sql(outcome.bytes));
        row.bind(11, to_sql(outcome.elapsed_ms));
        row.bind(12, outcome.error);
        row.exec();
        row.reset();
    }
}

void Database::Impl::execute(const MarkJobCancelled& operation)
{
    cancel_job->bind(1, operation.job_id.value);
    cancel_job->exec();
    cancel_job->reset();
}

void Database::Impl::execute(const ForgetJob& operation)
{
    for (const char* sql :
         {"DELETE FROM outcomes WHERE job = ?", "DELETE FROM ranks WHERE job = ?", "DELETE FROM jobs WHERE id = ?"}) {
        SQLite::Statement statement(sqlite, sql);
        statement.bind(1, operation.job_id.value);
        statement.exec();
    }
}

void Database::Impl::execute(const SetNodePolicy& operation)
{
    SQLite::Statement statement(sqlite, "INSERT OR REPLACE INTO nodes VALUES (?, ?, ?)");
    statement.bind(1, operation.node_id.value);
    statement.bind(2, operation.is_draining ? 1 : 0);
    statement.bind(3, to_sql(operation.fenced.value));
    statement.exec();
}

std::vector<SetNodePolicy> Database::Impl::load_nodes()
{
    std::vector<SetNodePolicy> nodes;
    SQLite::Statement query(sqlite, "SELECT id, is_draining, fenced FROM nodes");
    while (query.executeStep()) {
        nodes.push_back(
            {{query.getColumn(0).getString()}, query.getColumn(1).getInt() != 0, {to_unsigned(query.getColumn(2))}});
    }
    return nodes;
}

std::map<std::string, std::vector<proto::ActorId>> Database::Impl::load_ranks()
{
    std::map<std::string, std::vector<proto::ActorId>> ranks;
    SQLite::Statement query(sqlite, "SELECT job, node, slot FROM ranks ORDER BY job, rank");
    while (query.executeStep()) {
        ranks[query.getColumn(0).getString()].push_back(
            {{query.getColumn(1).getString()}, {to_uint32(query.getColumn(2))}});
    }
    return ranks;
}

std::map<std::string, std::vector<ItemOutcome>> Database::Impl::load_outcomes()
{
    std::map<std::string, std::vector<ItemOutcome>> outcomes;
    SQLite::Statement query(sqlite, "SELECT job, item, state, attempt, node, slot, tries, media_type, sha256, bytes, "
                                    "elapsed_ms, error FROM outcomes");
    while (query.executeStep()) {
        outcomes[query.getColumn(0).getString()].push_back(
            {{to_uint32(query.getColumn(1))},
             static_cast<proto::ItemState>(query.getColumn(2).getInt()),
             {to_unsigned(query.getColumn(3))},
             {{query.getColumn(4).getString()}, {to_uint32(query.getColumn(5))}},
             to_uint32(query.getColumn(6)),
             query.getColumn(7).getString(),
             query.getColumn(8).getString(),
             to_unsigned(query.getColumn(9)),
             to_unsigned(query.getColumn(10)),
             query.getColumn(11).getString()});
    }
    return outcomes;
}

base::Result<Restored> Database::load()
{
    try {
        auto ranks = impl_->load_ranks();
        auto outcomes = impl_->load_outcomes();
        std::vector<RestoredJob> jobs;
        SQLite::Statement query(impl_->sqlite,
                                "SELECT id, created_unix_ms, is_cancelled, submit FROM jobs ORDER BY number");
        while (query.executeStep()) {
            const std::string id = query.getColumn(0).getString();
            const auto submit = query.getColumn(3).getString();
            const auto decoded = proto::decode(std::as_bytes(std::span(submit)));
            const auto* message = decoded ? std::get_if<proto::Submit>(&decoded->message) : nullptr;
            if (message == nullptr) {
                return base::fail(base::ExitCode::failed, "job " + id + " in the store cannot be read: " +
                                                              (decoded ? "it is no job" : decoded.error().message));
            }
            jobs.push_back({{{id},
                             std::make_shared<const proto::JobSpec>(message->spec),
                             to_unsigned(query.getColumn(1)),
                             std::move(ranks[id])},
                            query.getColumn(2).getInt() != 0,
                            std::move(outcomes[id])});
        }
        return Restored{std::move(jobs), impl_->load_nodes()};
    } catch (const std::exception& error) {
        return base::fail(base::ExitCode::failed, std::string("cannot read the store: ") + error.what());
    }
}

} // namespace sdfleet::coordinator
