// SPDX-License-Identifier: Apache-2.0
#include "sdctl/manifest.hpp"

#include "base/atomic_file.hpp"
#include "base/unique_fd.hpp"

#include <cerrno>
#include <cstring>
#include <span>
#include <string>
#include <system_error>

#include <fcntl.h>

namespace sdfleet::sdctl {

namespace {

std::string line_of(const ManifestEntry& entry)
{
    return to_json(entry).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

} // namespace

base::Result<Manifest> Manifest::load(const std::filesystem::path& folder)
{
    constexpr std::size_t max_bytes = std::size_t{4} << 30;
    Manifest manifest(folder);
    const auto file = folder / file_name;
    std::error_code error;
    if (!std::filesystem::exists(file, error)) {
        return manifest;
    }
    const auto content = base::read_file(file, max_bytes);
    if (!content) {
        return tl::unexpected(content.error());
    }
    std::string_view rest = *content;
    while (!rest.empty()) {
        const auto end = rest.find('\n');
        if (auto entry = parse_manifest_line(rest.substr(0, end))) {
            manifest.entries_.insert_or_assign(entry->index, std::move(*entry));
        }
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return manifest;
}

base::Result<void> Manifest::add(ManifestEntry entry)
{
    const auto path = folder_ / file_name;
    const auto line = line_of(entry);
    const base::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    // A line that is written by half (disk full) is passed over by load().
    if (!fd || ::write(fd.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
        return base::fail(base::ExitCode::failed, "cannot write " + path.string() + ": " + std::strerror(errno));
    }
    entries_.insert_or_assign(entry.index, std::move(entry));
    return {};
}

base::Result<void> Manifest::save() const
{
    std::string content;
    for (const auto& [index, entry] : entries_) {
        content += line_of(entry);
    }
    return base::write_file_atomically(folder_ / file_name, std::as_bytes(std::span(content)));
}

} // namespace sdfleet::sdctl
