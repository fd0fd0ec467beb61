// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/job_spec.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace sdfleet::sdctl {

/// One line of manifest.jsonl: which picture this is, all that its bytes depend on, and how it came about. The keys are
/// part of sdctl's interface and independent of the wire.
struct ManifestEntry {
    std::uint32_t index = 0; ///< place among the prompts, from 0
    std::string prompt;
    std::uint64_t seed = 0;
    std::string model;
    std::string model_fingerprint; ///< empty = not known
    proto::Parameters parameters;
    std::string file;   ///< name inside the folder; empty when it failed
    std::string sha256; ///< of the file
    std::string node;
    std::string actor; ///< "node-a/0"
    std::uint64_t elapsed_ms = 0;
    std::string job;
    std::string error; ///< why there is no picture; empty when there is one

    bool operator==(const ManifestEntry&) const = default;
};

nlohmann::ordered_json to_json(const ManifestEntry& entry);

/// Nothing when the line is not a whole entry, for instance because a crash cut it short.
std::optional<ManifestEntry> parse_manifest_line(std::string_view line);

/// "000002-44.png". `extension` has its dot.
std::string picture_file_name(std::uint32_t index, std::uint64_t seed, std::string_view extension);

} // namespace sdfleet::sdctl
