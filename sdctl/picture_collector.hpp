// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "client/client.hpp"
#include "sdctl/manifest.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace sdfleet::sdctl {

/// A job, and which picture of the output folder each of its items is.
struct CollectedJob {
    std::string job_id;
    proto::JobSpec wanted; ///< all pictures of the folder
    std::string model_fingerprint;
    std::vector<std::uint32_t> index_of_item; ///< index in `wanted` of the job's item 0, 1, ...
};

/// Brings a job's results into an output folder as they come: one file a picture, one line in the manifest.
class PictureCollector {
public:
    PictureCollector(std::filesystem::path folder, Manifest manifest, CollectedJob job);

    /// Makes the folder and writes the manifest as it stands, so that later failures to write are rare.
    base::Result<void> prepare();

    /// Does what an item's new state asks for: a done one is fetched and written, a failed or cancelled one noted, any
    /// other, and one that was taken before, ignored. Returns the entry made, or nullptr.
    base::Result<const ManifestEntry*> take(client::Client& client, const proto::ItemReport& item);

    /// Sorts the manifest and draws the contact sheet.
    base::Result<void> finish() const;

    const Manifest& manifest() const { return manifest_; }
    const std::filesystem::path& folder() const { return folder_; }

private:
    base::Result<std::string> write_picture(client::Client& client, const ManifestEntry& entry) const;

    std::filesystem::path folder_;
    Manifest manifest_;
    CollectedJob job_;
    std::vector<bool> is_taken_; ///< by item of the job
};

} // namespace sdfleet::sdctl
