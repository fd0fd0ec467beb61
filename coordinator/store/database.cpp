// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/database.hpp"

#include "base/test_fault.hpp"
#include "coordinator/store/job_reader.hpp"
#include "coordinator/store/operation_writer.hpp"
#include "coordinator/store/schema.hpp"

#include <iterator>
#include <optional>
#include <random>
#include <system_error>
#include <utility>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <sqlite3.h>

namespace sdfleet::coordinator {

namespace {

constexpr int incremental = 2;         ///< of PRAGMA auto_vacuum
constexpr int pages_kept_free = 256;   ///< for what is written next
constexpr int pages_per_tidying = 256; ///< 1 MiB

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

int pragma(SQLite::Database& database, const char* name)
{
    return database.execAndGet(std::string("PRAGMA ") + name).getInt();
}

/// A database of version 1 was made without: it can be changed by writing it anew, which takes little because results
/// were not in it. When the disk is too full for that, deleted space is used again, but not given back.
void make_vacuum_incremental(SQLite::Database& database)
{
    if (pragma(database, "auto_vacuum") == incremental) {
        return;
    }
    try {
        database.exec("PRAGMA auto_vacuum=INCREMENTAL");
        database.exec("VACUUM");
    } catch (const SQLite::Exception&) { // NOLINT(bugprone-empty-catch): tried again at the next start
    }
}

/// The version that the file has afterwards.
int bring_forward(SQLite::Database& database)
{
    SQLite::Transaction transaction(database);
    if (!database.tableExists("meta")) {
        database.exec(create_schema);
        write_meta(database, "schema_version", std::to_string(schema_version));
        write_meta(database, "cluster", make_cluster_id());
        write_meta(database, "epoch", "0");
    }
    int version = std::stoi(read_meta(database, "schema_version").value_or("0"));
    if (version == 1) {
        database.exec(migrate_from_1);
        version = schema_version;
        write_meta(database, "schema_version", std::to_string(version));
    }
    if (version == schema_version) {
        write_meta(database, "epoch", std::to_string(std::stoull(read_meta(database, "epoch").value()) + 1));
        transaction.commit();
    }
    return version;
}

/// Where a test may end the process or have the disk refuse.
void pass(const char* point)
{
    if (base::test_fault(point)) {
        throw SQLite::Exception(std::string("input/output error at ") + point, SQLITE_IOERR);
    }
}

} // namespace

struct Database::Impl {
    explicit Impl(const std::filesystem::path& path)
        : sqlite(path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE), wal(path.string() + "-wal")
    {
        sqlite.exec("PRAGMA auto_vacuum=INCREMENTAL"); // of a file that has no table yet
        sqlite.exec("PRAGMA journal_mode=WAL");
        sqlite.exec("PRAGMA synchronous=FULL");
        sqlite.exec("PRAGMA cache_size=-4096");        // KiB
        sqlite.exec("PRAGMA wal_autocheckpoint=4096"); // pages, 16 MiB: a page that changes often is moved less often
    }

    SQLite::Database sqlite;
    std::filesystem::path wal;
    std::optional<OperationWriter> writer;
    proto::ClusterId cluster;
    std::uint64_t epoch = 0;
    bool is_vacuumed = false; ///< the file is still as long as it was
};

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

base::Result<Database> Database::open(const std::filesystem::path& path)
{
    try {
        auto impl = std::make_unique<Impl>(path);
        const int version = bring_forward(impl->sqlite);
        if (version != schema_version) {
            return base::fail(base::ExitCode::failed, path.string() + " has schema version " + std::to_string(version) +
                                                          ", this release reads version " +
                                                          std::to_string(schema_version) +
                                                          "; run the release that wrote it, or a newer one");
        }
        make_vacuum_incremental(impl->sqlite);
        impl->cluster = {read_meta(impl->sqlite, "cluster").value()};
        impl->epoch = std::stoull(read_meta(impl->sqlite, "epoch").value());
        impl->writer.emplace(impl->sqlite);
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

base::Result<void> Database::load(const std::function<void(Restored)>& take)
{
    try {
        return read_jobs(impl_->sqlite, take);
    } catch (const std::exception& error) {
        return base::fail(base::ExitCode::failed, std::string("cannot read the store: ") + error.what());
    }
}

base::Result<Restored> Database::load()
{
    Restored all;
    auto loaded = load([&all](Restored part) {
        std::ranges::move(part.jobs, std::back_inserter(all.jobs));
        std::ranges::move(part.nodes, std::back_inserter(all.nodes));
    });
    return loaded ? base::Result<Restored>(std::move(all)) : tl::unexpected(std::move(loaded.error()));
}

tl::expected<void, CommitError> Database::commit(std::span<const StoreOperation> operations)
{
    try {
        SQLite::Transaction transaction(impl_->sqlite);
        for (const auto& operation : operations) {
            pass("store.write");
            impl_->writer->write(operation);
        }
        pass("store.commit");
        transaction.commit();
        return {};
    } catch (const SQLite::Exception& error) {
        impl_->writer->reset();
        return tl::unexpected(CommitError{error.getErrorCode() == SQLITE_CONSTRAINT, error.what()});
    } catch (const std::exception& error) {
        impl_->writer->reset();
        return tl::unexpected(CommitError{true, error.what()});
    }
}

bool Database::tidy()
{
    auto& sqlite = impl_->sqlite;
    try {
        if (pragma(sqlite, "freelist_count") > pages_kept_free && pragma(sqlite, "auto_vacuum") == incremental) {
            sqlite.exec("PRAGMA incremental_vacuum(" + std::to_string(pages_per_tidying) + ")");
            impl_->is_vacuumed = true;
            return true;
        }
        if (std::exchange(impl_->is_vacuumed, false)) {
            sqlite.exec("PRAGMA wal_checkpoint(PASSIVE)"); // only this shortens the file
            return true;
        }
        std::error_code ignored;
        if (const auto size = std::filesystem::file_size(impl_->wal, ignored);
            !ignored && size > Database::long_wal_bytes) {
            sqlite.exec("PRAGMA wal_checkpoint(TRUNCATE)");
        }
        return false;
    } catch (const std::exception&) {
        return false; // the space is not lost: the next call tries again
    }
}

} // namespace sdfleet::coordinator
