// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "proto/blob.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace sdfleet::coordinator {

/// Reads small artifacts from the database through a connection of its own, while a Database writes to it. One thread.
class ContentReader {
public:
    /// Of a file that Database::open has prepared.
    static base::Result<ContentReader> open(const std::filesystem::path& path);

    ContentReader(ContentReader&&) noexcept;
    ContentReader& operator=(ContentReader&&) noexcept;
    ~ContentReader();

    /// Nothing when the database has no such artifact; fails when it was damaged on disk.
    base::Result<std::optional<proto::Blob>> find(const std::string& sha256);

private:
    struct Impl;
    explicit ContentReader(std::unique_ptr<Impl> impl);

    std::unique_ptr<Impl> impl_;
};

} // namespace sdfleet::coordinator
