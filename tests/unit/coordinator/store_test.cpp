// SPDX-License-Identifier: Apache-2.0
#include "base/atomic_file.hpp"
#include "base/sha256.hpp"
#include "coordinator/store/artifact_folder.hpp"
#include "coordinator/store/artifact_thread.hpp"
#include "coordinator/store/commit_thread.hpp"
#include "coordinator/store/content_reader.hpp"
#include "coordinator/store/data_folder.hpp"
#include "coordinator/store/database.hpp"
#include "coordinator/store/schema.hpp"
#include "tests/catch.hpp"
#include "tests/unit/coordinator/temporary_folder.hpp"

#include <future>

#include <sqlite3.h>

using namespace sdfleet;
using namespace sdfleet::coordinator;

namespace {

InsertJob sample_job(const std::string& id)
{
    proto::JobSpec spec;
    spec.model = "m";
    spec.split = proto::Split::contiguous;
    spec.items = {{"a red circle", 1, std::nullopt}, {"a blue square", 2, std::nullopt}};
    return {{id}, std::make_shared<const proto::JobSpec>(spec), 1'700'000'000'000, {{{"a"}, {0}}, {{"b"}, {3}}}};
}

ItemOutcome sample_outcome(std::uint32_t index)
{
    return {{index},
            proto::ItemState::done,
            {(1ULL << 63) | 5},
            {{"a"}, {2}},
            3,
            "image/png",
            std::string(64, 'a'),
            4096,
            250,
            "x"};
}

/// With the artifact that it is about.
SettleItems settle_with(const std::string& job, std::uint32_t index, const std::string& content)
{
    auto outcome = sample_outcome(index);
    outcome.sha256 = base::sha256_hex(content);
    outcome.bytes = content.size();
    return {{job}, {outcome}, proto::Blob::of(std::string(content))};
}

std::optional<std::string> find_text(ContentReader& reader, const std::string& content)
{
    const auto found = reader.find(base::sha256_hex(content));
    REQUIRE(found);
    if (!*found) {
        return std::nullopt;
    }
    const auto bytes = (*found)->bytes;
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

/// Different for each index, and not to be compressed.
std::string small_content(std::uint32_t index)
{
    std::string content;
    while (content.size() < 16'384) {
        content += base::sha256_hex(std::to_string(index) + "/" + std::to_string(content.size()));
    }
    return content;
}

void execute_sql(const std::filesystem::path& path, const char* sql)
{
    sqlite3* handle = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &handle) == SQLITE_OK);
    REQUIRE(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(handle);
}

std::int64_t query_number(const std::filesystem::path& path, const char* sql)
{
    sqlite3* handle = nullptr;
    sqlite3_stmt* statement = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &handle) == SQLITE_OK);
    REQUIRE(sqlite3_prepare_v2(handle, sql, -1, &statement, nullptr) == SQLITE_OK);
    REQUIRE(sqlite3_step(statement) == SQLITE_ROW);
    const std::int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(handle);
    return number;
}

/// What the release with schema version 1 wrote for a job of two items, both failed.
constexpr const char* version_1_store =
    R"sql(
CREATE TABLE jobs (
    number          INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    created_unix_ms INTEGER NOT NULL,
    is_cancelled    INTEGER NOT NULL DEFAULT 0,
    submit          BLOB NOT NULL
);
INSERT INTO jobs VALUES (1, 'old', 1795643251981, 0, X')sql"
    "84A776657273696F6E01A7636C7573746572A0A47479706528AB636F7272656C6174696F6E0082A66A6F625F6964A36F6C64"
    "A47370656384A56D6F64656CA16DA573706C697401AA706172616D657465727381A9646966667573696F6E88AF6E65676174"
    "6976655F70726F6D7074C0B36E756D5F696E666572656E63655F737465707332AE67756964616E63655F7363616C65CB401E"
    "000000000000A668656967687400A5776964746800A97363686564756C6572A0AD70726F6D70745F73796E74617800A9636C"
    "69705F736B697000A56974656D739283A670726F6D7074AC612072656420636972636C65A47365656400A472616E6BC083A6"
    "70726F6D7074AD6120626C756520737175617265A47365656401A472616E6BC0"
    R"sql(');
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES ('cluster', 'b273810fe3a60ea1'), ('epoch', '1'), ('schema_version', '1');
CREATE TABLE outcomes (
    job        TEXT NOT NULL,
    item       INTEGER NOT NULL,
    state      INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    node       TEXT NOT NULL,
    slot       INTEGER NOT NULL,
    tries      INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    bytes      INTEGER NOT NULL,
    elapsed_ms INTEGER NOT NULL,
    error      TEXT NOT NULL,
    PRIMARY KEY (job, item)
) WITHOUT ROWID;
INSERT INTO outcomes VALUES ('old', 0, 4, 4294967297, 'a', 0, 0, '', '', 0, 0, 'this actor does no diffusion work');
INSERT INTO outcomes VALUES ('old', 1, 4, 4294967298, 'a', 1, 0, '', '', 0, 0, 'this actor does no diffusion work');
CREATE TABLE ranks (
    job  TEXT NOT NULL,
    rank INTEGER NOT NULL,
    node TEXT NOT NULL,
    slot INTEGER NOT NULL,
    PRIMARY KEY (job, rank)
) WITHOUT ROWID;
INSERT INTO ranks VALUES ('old', 0, 'a', 0), ('old', 1, 'a', 1);
)sql";

} // namespace

TEST_CASE("what was committed is there when the store is opened again")
{
    const TemporaryFolder folder;
    const auto path = folder.path / "jobs.sqlite";
    proto::ClusterId cluster;
    {
        auto database = Database::open(path);
        REQUIRE(database);
        cluster = database->cluster();
        REQUIRE(database->commit(std::vector<StoreOperation>{sample_job("j1"), sample_job("j2"),
                                                             SettleItems{{"j1"}, {sample_outcome(1)}, {}},
                                                             MarkJobCancelled{{"j2"}}}));
    }
    auto database = Database::open(path);
    const auto restored = database->load();

    REQUIRE(restored);
    REQUIRE(database->cluster() == cluster);
    REQUIRE(restored->jobs.size() == 2);
    const auto& first = restored->jobs.at(0);
    REQUIRE(first.job.job_id.value == "j1");
    REQUIRE(*first.job.spec == *sample_job("j1").spec);
    REQUIRE(first.job.ranks == sample_job("j1").ranks);
    REQUIRE(first.job.created_unix_ms == 1'700'000'000'000);
    REQUIRE_FALSE(first.is_cancelled);
    REQUIRE(first.outcomes == std::vector<ItemOutcome>{sample_outcome(1)});
    REQUIRE(restored->jobs.at(1).is_cancelled);
}

TEST_CASE("each start of a coordinator has a higher epoch")
{
    const TemporaryFolder folder;
    REQUIRE(Database::open(folder.path / "d")->epoch() == 1);
    REQUIRE(Database::open(folder.path / "d")->epoch() == 2);
}

TEST_CASE("a group of operations is committed whole or not at all")
{
    const TemporaryFolder folder;
    auto database = Database::open(folder.path / "d");

    REQUIRE_FALSE(database->commit(std::vector<StoreOperation>{sample_job("j1"), sample_job("j1")}));
    REQUIRE(database->load()->jobs.empty());
    REQUIRE(database->commit(std::vector<StoreOperation>{sample_job("j1")}));

    REQUIRE(database->load()->jobs.size() == 1);
}

TEST_CASE("a forgotten job leaves nothing behind")
{
    const TemporaryFolder folder;
    auto database = Database::open(folder.path / "d");
    REQUIRE(database->commit(std::vector<StoreOperation>{
        sample_job("j"), SettleItems{{"j"}, {sample_outcome(0), sample_outcome(1)}, {}}, ForgetJobs{{{"j"}}, {}}}));
    REQUIRE(database->commit(std::vector<StoreOperation>{sample_job("j")}));
    REQUIRE(database->load()->jobs.at(0).outcomes.empty());
}

TEST_CASE("a store of a newer release is refused, and not touched")
{
    const TemporaryFolder folder;
    const auto path = folder.path / "d";
    REQUIRE(Database::open(path));
    execute_sql(path, "UPDATE meta SET value = '99' WHERE key = 'schema_version'");

    const auto database = Database::open(path);

    REQUIRE_FALSE(database);
    REQUIRE(database.error().message.find("schema version 99") != std::string::npos);
    execute_sql(path, "UPDATE meta SET value = '2' WHERE key = 'schema_version'");
    REQUIRE(Database::open(path)->epoch() == 2);
}

TEST_CASE("a file that is no store is refused with its name")
{
    const TemporaryFolder folder;
    const auto path = folder.path / "d";
    const std::string text(5000, 'x');
    REQUIRE(base::write_file_atomically(path, std::as_bytes(std::span(text))));

    const auto database = Database::open(path);

    REQUIRE_FALSE(database);
    REQUIRE(database.error().message.find(path.string()) != std::string::npos);
}

TEST_CASE("two coordinators cannot share a data folder")
{
    const TemporaryFolder folder;
    {
        const auto first = DataFolder::open(folder.path / "data");
        REQUIRE(first);
        const auto second = DataFolder::open(folder.path / "data");
        REQUIRE_FALSE(second);
        REQUIRE(second.error().message.find("in use by another coordinator") != std::string::npos);
    }
    REQUIRE(DataFolder::open(folder.path / "data"));
}

TEST_CASE("a data folder that cannot be made is explained")
{
    const TemporaryFolder folder;
    const std::string text = "a file";
    REQUIRE(base::write_file_atomically(folder.path / "file", std::as_bytes(std::span(text))));
    REQUIRE(DataFolder::open(folder.path / "file").error().message.find("cannot use the data folder") == 0);
}

TEST_CASE("the commit thread answers each operation in order, and one bad one does not harm the others")
{
    const TemporaryFolder folder;
    std::vector<Event> events;
    {
        CommitThread thread(std::move(*Database::open(folder.path / "d")),
                            [&](Event event) { events.push_back(std::move(event)); });
        thread.push({{1}, sample_job("j1")});
        thread.push({{2}, sample_job("j1")});
        thread.push({{3}, sample_job("j3")});
    }

    REQUIRE(events.size() == 3);
    REQUIRE(std::get<StoreCommitted>(events[0]).ticket.value == 1);
    REQUIRE(std::get<StoreFailed>(events[1]).ticket.value == 2);
    REQUIRE(std::get<StoreCommitted>(events[2]).ticket.value == 3);
    REQUIRE(Database::open(folder.path / "d")->load()->jobs.size() == 2);
}

TEST_CASE("an artifact comes back as it was saved, and is checked on both ways")
{
    const TemporaryFolder folder;
    ArtifactFolder artifacts(folder.path);
    const auto sha256 = base::sha256_hex("picture");

    REQUIRE(std::holds_alternative<std::monostate>(artifacts.save(sha256, proto::Blob::of("picture"))));
    REQUIRE(std::holds_alternative<std::monostate>(artifacts.save(sha256, proto::Blob::of("picture"))));
    REQUIRE(std::holds_alternative<ArtifactFolder::Corrupt>(artifacts.save(sha256, proto::Blob::of("other"))));
    const auto loaded = artifacts.load(sha256);
    REQUIRE(loaded);
    REQUIRE(base::sha256_hex(loaded->bytes) == sha256);

    const std::string damaged = "pictuRe";
    REQUIRE(base::write_file_atomically(folder.path / sha256.substr(0, 2) / sha256, std::as_bytes(std::span(damaged))));
    REQUIRE_FALSE(artifacts.load(sha256));
    REQUIRE(std::holds_alternative<std::monostate>(artifacts.save(sha256, proto::Blob::of("picture"))));
    REQUIRE(artifacts.load(sha256));
    artifacts.remove(sha256);
    REQUIRE_FALSE(artifacts.load(sha256));
}

TEST_CASE("what a killed process left half written is cleared away")
{
    const TemporaryFolder folder;
    std::filesystem::create_directories(folder.path / "ab");
    const std::string text = "half";
    REQUIRE(base::write_file_atomically(folder.path / "ab" / ".abc.X1Y2Z3", std::as_bytes(std::span(text))));

    const ArtifactFolder artifacts(folder.path);

    REQUIRE(std::filesystem::is_empty(folder.path / "ab"));
}

TEST_CASE("a store of version 1 is brought forward with all that is in it, and gives space back from then on")
{
    const TemporaryFolder folder;
    const auto path = folder.path / "d";
    execute_sql(path, version_1_store);
    {
        auto database = Database::open(path);
        REQUIRE(database);
        REQUIRE(database->cluster().value == "b273810fe3a60ea1");
        REQUIRE(database->epoch() == 2);
        REQUIRE(database->commit(std::vector<StoreOperation>{sample_job("new"), settle_with("new", 0, "small"),
                                                             SetNodePolicy{{"a"}, true, {5}}}));
    }
    const auto restored = Database::open(path)->load();

    REQUIRE(restored);
    REQUIRE(restored->jobs.size() == 2);
    REQUIRE(restored->jobs.at(0).job.job_id.value == "old");
    REQUIRE(restored->jobs.at(0).job.spec->items.at(0).prompt == "a red circle");
    REQUIRE(restored->jobs.at(0).job.ranks == std::vector<proto::ActorId>{{{"a"}, {0}}, {{"a"}, {1}}});
    REQUIRE(restored->jobs.at(0).outcomes.size() == 2);
    REQUIRE(restored->jobs.at(0).outcomes.at(1).attempt.value == 4294967298);
    REQUIRE(restored->jobs.at(0).outcomes.at(1).error == "this actor does no diffusion work");
    REQUIRE(restored->nodes == std::vector<SetNodePolicy>{{{"a"}, true, {5}}});
    REQUIRE(query_number(path, "PRAGMA auto_vacuum") == 2);
    REQUIRE(query_number(path, "SELECT value FROM meta WHERE key = 'schema_version'") == schema_version);
}

TEST_CASE("a small artifact is read back through another connection while the store is in use")
{
    const TemporaryFolder folder;
    auto database = Database::open(folder.path / "d");
    auto reader = ContentReader::open(folder.path / "d");
    REQUIRE(reader);
    const std::string binary("a\0b", 3);
    REQUIRE(database->commit(
        std::vector<StoreOperation>{sample_job("j"), settle_with("j", 0, binary), settle_with("j", 1, "")}));

    REQUIRE(find_text(*reader, binary) == binary);
    REQUIRE(find_text(*reader, "") == "");
    REQUIRE_FALSE(find_text(*reader, "never seen"));
    execute_sql(folder.path / "d", "UPDATE artifacts SET content = x'00' WHERE length(content) = 3");
    const auto damaged = reader->find(base::sha256_hex(binary));
    REQUIRE_FALSE(damaged);
    REQUIRE(damaged.error().message.find("damaged") != std::string::npos);
}

TEST_CASE("equal small artifacts are kept once, until the last job that has them leaves")
{
    const TemporaryFolder folder;
    const auto path = folder.path / "d";
    auto database = Database::open(path);
    auto reader = ContentReader::open(path);
    REQUIRE(database->commit(std::vector<StoreOperation>{sample_job("j1"), sample_job("j2"),
                                                         settle_with("j1", 0, "same"), settle_with("j2", 0, "same")}));
    REQUIRE(query_number(path, "SELECT count(*) FROM artifacts") == 1);

    REQUIRE(database->commit(std::vector<StoreOperation>{ForgetJobs{{{"j1"}}, {}}}));
    REQUIRE(find_text(*reader, "same") == "same");
    REQUIRE(database->commit(std::vector<StoreOperation>{ForgetJobs{{{"j2"}}, {base::sha256_hex("same")}}}));
    REQUIRE_FALSE(find_text(*reader, "same"));
}

TEST_CASE("a damaged small artifact is refused alone: what shares its commit is stored")
{
    const TemporaryFolder folder;
    std::vector<Event> events;
    auto damaged = settle_with("j", 0, "meant");
    damaged.content = proto::Blob::of("received");
    {
        CommitThread thread(std::move(*Database::open(folder.path / "d")),
                            [&](Event event) { events.push_back(std::move(event)); });
        thread.push({{1}, sample_job("j")});
        thread.push({{2}, damaged});
        thread.push({{3}, settle_with("j", 1, "whole")});
    }

    REQUIRE(events.size() == 3);
    std::size_t committed = 0;
    for (const auto& event : events) {
        if (const auto* refused = std::get_if<ArtifactNotSaved>(&event)) {
            REQUIRE(refused->ticket.value == 2);
            REQUIRE(refused->is_corrupt);
        } else {
            REQUIRE(std::holds_alternative<StoreCommitted>(event));
            ++committed;
        }
    }
    REQUIRE(committed == 2);
    const auto restored = Database::open(folder.path / "d")->load();
    REQUIRE(restored->jobs.at(0).outcomes.size() == 1);
    REQUIRE(restored->jobs.at(0).outcomes.at(0).index.value == 1);
    auto reader = ContentReader::open(folder.path / "d");
    REQUIRE(find_text(*reader, "whole") == "whole");
    REQUIRE_FALSE(find_text(*reader, "received"));
}

TEST_CASE("the file shrinks after jobs leave, and the write-ahead log is cut")
{
    const TemporaryFolder folder;
    const auto path = folder.path / "d";
    auto database = Database::open(path);
    constexpr std::uint32_t artifacts = 5'000; // 80 MiB
    std::vector<StoreOperation> operations{sample_job("j")};
    ForgetJobs forget{{{"j"}}, {}};
    for (std::uint32_t i = 0; i < artifacts; ++i) {
        const auto settled = settle_with("j", i, small_content(i));
        forget.artifacts.push_back(settled.outcomes.front().sha256);
        operations.emplace_back(settled);
    }
    REQUIRE(database->commit(operations));
    while (database->tidy()) {
    }
    const auto full = std::filesystem::file_size(path);
    REQUIRE(full > artifacts * 16'384ULL);

    REQUIRE(database->commit(std::vector<StoreOperation>{forget}));
    while (database->tidy()) {
    }

    REQUIRE(std::filesystem::file_size(path) < full / 10);
    REQUIRE(std::filesystem::file_size(path.string() + "-wal") <= Database::long_wal_bytes);
}

TEST_CASE("the names of all artifact files are found, and nothing else")
{
    const TemporaryFolder folder;
    ArtifactFolder artifacts(folder.path);
    const auto sha256 = base::sha256_hex("picture");
    REQUIRE(std::holds_alternative<std::monostate>(artifacts.save(sha256, proto::Blob::of("picture"))));
    const std::string text = "a note";
    REQUIRE(base::write_file_atomically(folder.path / sha256.substr(0, 2) / "README", std::as_bytes(std::span(text))));

    REQUIRE(artifacts.names() == std::unordered_set<std::string>{sha256});
}
