// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/artifact_folder.hpp"

#include "base/atomic_file.hpp"
#include "base/sha256.hpp"
#include "base/test_fault.hpp"
#include "base/unique_fd.hpp"
#include "proto/packet.hpp"

#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace sdfleet::coordinator {

namespace {

constexpr std::size_t prefix_length = 2;

/// Without this a new subfolder may be gone after a power cut, with the files in it.
void sync_folder(const std::filesystem::path& folder)
{
    const base::UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd) {
        ::fsync(fd.get());
    }
}

} // namespace

std::optional<std::string> find_corruption(const std::string& sha256, const proto::Blob& content)
{
    const auto actual = base::sha256_hex(content.bytes);
    return actual == sha256
               ? std::nullopt
               : std::optional("the result's SHA-256 is " + actual + ", not " + sha256 + " as its sender says");
}

ArtifactFolder::ArtifactFolder(std::filesystem::path folder) : folder_(std::move(folder))
{
    std::error_code error;
    for (const auto& subfolder : std::filesystem::directory_iterator(folder_, error)) {
        for (const auto& file : std::filesystem::directory_iterator(subfolder.path(), error)) {
            if (file.path().filename().string().starts_with(".")) { // a temporary of write_file_atomically
                std::filesystem::remove(file.path(), error);
            }
        }
    }
}

std::filesystem::path ArtifactFolder::path_of(const std::string& sha256) const
{
    return folder_ / sha256.substr(0, prefix_length) / sha256;
}

std::variant<std::monostate, ArtifactFolder::Corrupt, ArtifactFolder::Unwritable>
ArtifactFolder::save(const std::string& sha256, const proto::Blob& content)
{
    if (auto fault = find_corruption(sha256, content)) {
        return Corrupt{std::move(*fault)};
    }
    const auto path = path_of(sha256);
    std::error_code error;
    if (std::filesystem::file_size(path, error) == content.bytes.size() && !error &&
        base::sha256_hex_of_file(path) == sha256) {
        return std::monostate{};
    }
    if (std::filesystem::create_directory(path.parent_path(), error)) {
        sync_folder(folder_);
    }
    if (base::test_fault("artifact.save")) {
        return Unwritable{"input/output error at " + path.string()};
    }
    if (auto written = base::write_file_atomically(path, content.bytes); !written) {
        return Unwritable{written.error().message};
    }
    (void)base::test_fault("artifact.saved"); // an exit only: it is on disk
    return std::monostate{};
}

base::Result<proto::Blob> ArtifactFolder::load(const std::string& sha256) const
{
    auto content = base::read_file(path_of(sha256), proto::max_blob_bytes);
    if (!content) {
        return tl::unexpected(content.error());
    }
    if (base::sha256_hex(*content) != sha256) {
        return base::fail(base::ExitCode::failed, path_of(sha256).string() + " was damaged on disk");
    }
    return proto::Blob::of(std::move(*content));
}

std::unordered_set<std::string> ArtifactFolder::names() const
{
    std::unordered_set<std::string> names;
    std::error_code error;
    for (const auto& subfolder : std::filesystem::directory_iterator(folder_, error)) {
        for (const auto& file : std::filesystem::directory_iterator(subfolder.path(), error)) {
            if (auto name = file.path().filename().string(); base::is_sha256_hex(name)) {
                names.insert(std::move(name));
            }
        }
    }
    return names;
}

void ArtifactFolder::remove(const std::string& sha256)
{
    std::error_code error;
    std::filesystem::remove(path_of(sha256), error);
}

} // namespace sdfleet::coordinator
