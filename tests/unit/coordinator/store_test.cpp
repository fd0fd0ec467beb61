// SPDX-License-Identifier: Apache-2.0
#include "base/atomic_file.hpp"
#include "base/sha256.hpp"
#include "coordinator/store/artifact_folder.hpp"
#include "coordinator/store/commit_thread.hpp"
#include "coordinator/store/data_folder.hpp"
#include "coordinator/store/database.hpp"
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

void execute_sql(const std::filesystem::path& path, const char* sql)
{
    sqlite3* handle = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &handle) == SQLITE_OK);
    REQUIRE(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(handle);
}

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
        REQUIRE(database->commit(std::vector<StoreOperation>{
            sample_job("j1"), sample_job("j2"), SettleItems{{"j1"}, {sample_outcome(1)}}, MarkJobCancelled{{"j2"}}}));
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
        sample_job("j"), SettleItems{{"j"}, {sample_outcome(0), sample_outcome(1)}}, ForgetJob{{"j"}}}));
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
