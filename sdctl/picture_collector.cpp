// SPDX-License-Identifier: Apache-2.0
#include "sdctl/picture_collector.hpp"

#include "base/atomic_file.hpp"
#include "sdctl/contact_sheet.hpp"

#include <system_error>
#include <utility>

namespace sdfleet::sdctl {

PictureCollector::PictureCollector(std::filesystem::path folder, Manifest manifest, CollectedJob job)
    : folder_(std::move(folder)), manifest_(std::move(manifest)), job_(std::move(job)),
      is_taken_(job_.index_of_item.size())
{
}

base::Result<void> PictureCollector::prepare()
{
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    if (error) {
        return base::fail(base::ExitCode::failed,
                          "cannot make the folder " + folder_.string() + ": " + error.message());
    }
    return manifest_.save();
}

base::Result<const ManifestEntry*> PictureCollector::take(client::Client& client, const proto::ItemReport& item)
{
    const auto number = item.index.value;
    const bool is_done = item.state == proto::ItemState::done;
    const bool has_ended =
        is_done || item.state == proto::ItemState::failed || item.state == proto::ItemState::cancelled;
    if (!has_ended || number >= is_taken_.size() || is_taken_[number]) {
        return nullptr;
    }
    const auto index = job_.index_of_item[number];
    const auto& wanted = job_.wanted.items[index];
    ManifestEntry entry;
    entry.index = index;
    entry.prompt = wanted.prompt;
    entry.seed = wanted.seed;
    entry.model = job_.wanted.model;
    entry.model_fingerprint = job_.model_fingerprint;
    entry.parameters = job_.wanted.parameters;
    entry.node = item.node_id.value;
    entry.actor = item.node_id.value.empty() ? "" : to_string(proto::ActorId{item.node_id, item.slot});
    entry.elapsed_ms = item.elapsed_ms;
    entry.job = job_.job_id;
    if (is_done) {
        entry.sha256 = item.sha256;
        auto file = write_picture(client, entry);
        if (!file) {
            return tl::unexpected(std::move(file.error()));
        }
        entry.file = std::move(*file);
    } else {
        entry.error = item.state == proto::ItemState::cancelled ? "cancelled"
                      : item.error.empty()                      ? "failed"
                                                                : item.error;
    }
    if (auto added = manifest_.add(std::move(entry)); !added) {
        return tl::unexpected(std::move(added.error()));
    }
    is_taken_[number] = true;
    return &manifest_.entries().at(index);
}

/// Returns the file's name in the folder.
base::Result<std::string> PictureCollector::write_picture(client::Client& client, const ManifestEntry& entry) const
{
    const auto artifact = client.fetch_artifact(entry.sha256);
    if (!artifact) {
        return tl::unexpected(artifact.error());
    }
    auto file = picture_file_name(entry.index, entry.seed, is_png(artifact->bytes) ? ".png" : ".bin");
    if (auto written = base::write_file_atomically(folder_ / file, artifact->bytes); !written) {
        return tl::unexpected(std::move(written.error()));
    }
    return file;
}

base::Result<void> PictureCollector::finish() const
{
    if (auto saved = manifest_.save(); !saved) {
        return saved;
    }
    std::vector<std::string> files;
    for (const auto& [index, entry] : manifest_.entries()) {
        if (entry.error.empty()) {
            files.push_back(entry.file);
        }
    }
    return write_contact_sheet(folder_, files);
}

} // namespace sdfleet::sdctl
