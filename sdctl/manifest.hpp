// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "sdctl/manifest_entry.hpp"

#include <cstddef>
#include <filesystem>
#include <map>

namespace sdfleet::sdctl {

/// manifest.jsonl of one output folder. While pictures arrive lines are appended, so that a crash loses at most the last
/// one; save() then writes the file anew, sorted. One program at a time may write it.
class Manifest {
public:
    using Entries = std::map<std::uint32_t, ManifestEntry>; ///< by index

    static constexpr const char* file_name = "manifest.jsonl";

    /// What the folder's manifest says; empty when there is none. Damaged lines are passed over: the pictures that they
    /// named count as missing. Of two lines with one index the later counts.
    static base::Result<Manifest> load(const std::filesystem::path& folder);

    const Entries& entries() const { return entries_; }

    /// In memory only, until save().
    void replace_all(Entries entries) { entries_ = std::move(entries); }

    /// Appends the entry to the file.
    base::Result<void> add(ManifestEntry entry);

    /// Writes the file anew: sorted by index, one line an entry.
    base::Result<void> save() const;

private:
    explicit Manifest(std::filesystem::path folder) : folder_(std::move(folder)) {}

    std::filesystem::path folder_;
    Entries entries_;
};

} // namespace sdfleet::sdctl
