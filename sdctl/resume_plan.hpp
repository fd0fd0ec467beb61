// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/job_spec.hpp"
#include "sdctl/manifest.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace sdfleet::sdctl {

/// Which of the wanted pictures are there already, and which are still to be drawn.
struct ResumePlan {
    Manifest::Entries kept;
    std::vector<std::uint32_t> missing; ///< indices, ascending
    std::size_t replaced = 0;           ///< pictures there under the same index that are not what is wanted now
};

/// The SHA-256 of a file in the output folder; nothing when it cannot be read.
using HashOfFile = std::function<std::optional<std::string>(const std::string& file)>;

/// True when both would give the same bytes, as far as the manifest can tell.
bool is_same_picture(const ManifestEntry& entry, const proto::JobSpec& wanted, std::uint32_t index,
                     const std::string& model_fingerprint);

/// Pure but for `hash_of_file`. A picture is kept when its entry wants the same bytes and its file has the entry's hash.
ResumePlan plan_resume(const proto::JobSpec& wanted, const std::string& model_fingerprint,
                       const Manifest::Entries& there, const HashOfFile& hash_of_file);

/// The job that draws only the items at `indices`.
proto::JobSpec select_items(const proto::JobSpec& spec, const std::vector<std::uint32_t>& indices);

} // namespace sdfleet::sdctl
