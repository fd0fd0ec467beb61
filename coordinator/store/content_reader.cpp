// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/content_reader.hpp"

#include "base/sha256.hpp"

#include <exception>
#include <utility>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

namespace sdfleet::coordinator {

namespace {

constexpr int busy_timeout_ms = 5'000; ///< a writer is in the way for moments only

} // namespace

struct ContentReader::Impl {
    explicit Impl(const std::filesystem::path& path)
        : sqlite(path.string(), SQLite::OPEN_READONLY, busy_timeout_ms),
          select(sqlite, "SELECT content FROM artifacts WHERE sha256 = ?")
    {
        sqlite.exec("PRAGMA cache_size=-512"); // KiB
    }

    SQLite::Database sqlite;
    SQLite::Statement select;
};

ContentReader::ContentReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ContentReader::ContentReader(ContentReader&&) noexcept = default;
ContentReader& ContentReader::operator=(ContentReader&&) noexcept = default;
ContentReader::~ContentReader() = default;

base::Result<ContentReader> ContentReader::open(const std::filesystem::path& path)
{
    try {
        return ContentReader(std::make_unique<Impl>(path));
    } catch (const std::exception& error) {
        return base::fail(base::ExitCode::failed, "cannot use the store " + path.string() + ": " + error.what());
    }
}

base::Result<std::optional<proto::Blob>> ContentReader::find(const std::string& sha256)
{
    auto& select = impl_->select;
    try {
        select.bindNoCopy(1, sha256);
        std::optional<proto::Blob> content;
        if (select.executeStep()) {
            content = proto::Blob::of(select.getColumn(0).getString());
        }
        select.reset(); // ends the read, which would hold up checkpoints
        if (content && base::sha256_hex(content->bytes) != sha256) {
            return base::fail(base::ExitCode::failed, "artifact " + sha256 + " was damaged in the database");
        }
        return content;
    } catch (const std::exception& error) {
        select.tryReset();
        return base::fail(base::ExitCode::failed, std::string("cannot read the database: ") + error.what());
    }
}

} // namespace sdfleet::coordinator
