// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "proto/blob.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <unordered_set>
#include <variant>

namespace sdfleet::coordinator {

/// What is wrong with a result that does not match the hash that its sender says; nothing when it does.
std::optional<std::string> find_corruption(const std::string& sha256, const proto::Blob& content);

/// Large results as files, `<folder>/<first two digits>/<sha256>`. A file that is there is whole and durable. One thread.
class ArtifactFolder {
public:
    /// Clears away what a killed process left half written.
    explicit ArtifactFolder(std::filesystem::path folder);

    struct Corrupt { ///< the bytes do not match the hash: trying again will not help
        std::string message;
    };
    struct Unwritable { ///< the disk does not take them
        std::string message;
    };

    /// Durable when it returns without an error. Content that is there already is not written again.
    std::variant<std::monostate, Corrupt, Unwritable> save(const std::string& sha256, const proto::Blob& content);

    /// Fails when the file is missing or was damaged on disk.
    base::Result<proto::Blob> load(const std::string& sha256) const;

    /// The hashes of all files, by which those that nothing refers to are found after a crash.
    std::unordered_set<std::string> names() const;

    void remove(const std::string& sha256);

private:
    std::filesystem::path path_of(const std::string& sha256) const;

    std::filesystem::path folder_;
};

} // namespace sdfleet::coordinator
