// SPDX-License-Identifier: Apache-2.0
#include "agent/ranks/process_table.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <system_error>

#include <unistd.h>

namespace sdfleet::agent {

namespace {

/// What the file holds; a process that ends between the opening and the reading leaves nothing. By the stream's own read,
/// which turns the buffer's exception about that into a state: an iterator over the buffer would let it through.
std::string read(const std::filesystem::path& path)
{
    std::ifstream file(path, std::ios::binary);
    std::string text;
    std::array<char, 4096> part{};
    while (file.read(part.data(), part.size()), file.gcount() > 0) {
        text.append(part.data(), static_cast<std::size_t>(file.gcount()));
    }
    return text;
}

template <class Visit>
void for_each_process(const Visit& visit)
{
    std::error_code error;
    for (std::filesystem::directory_iterator entry("/proc", error), end; !error && entry != end;
         entry.increment(error)) {
        const auto name = entry->path().filename().string();
        pid_t pid = 0;
        const auto [rest, fault] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (fault == std::errc() && rest == name.data() + name.size()) {
            visit(pid, entry->path());
        }
    }
}

/// Field 4 of /proc/PID/stat, behind the name, which may hold anything.
std::optional<pid_t> parent_of(const std::filesystem::path& folder)
{
    const auto stat = read(folder / "stat");
    const auto name_end = stat.rfind(')');
    if (name_end == std::string::npos) {
        return std::nullopt; // it ended meanwhile
    }
    std::istringstream fields(stat.substr(name_end + 1));
    std::string state;
    pid_t parent = 0;
    return fields >> state >> parent ? std::optional(parent) : std::nullopt;
}

bool has_all(std::string_view environment, const std::vector<std::string>& variables)
{
    return std::ranges::all_of(variables, [&](const std::string& variable) {
        for (auto rest = environment; !rest.empty();) {
            const auto entry = rest.substr(0, rest.find('\0'));
            if (entry == variable) {
                return true;
            }
            rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
        }
        return false;
    });
}

} // namespace

std::vector<pid_t> children_of(pid_t parent)
{
    std::vector<pid_t> children;
    for_each_process([&](pid_t pid, const std::filesystem::path& folder) {
        if (parent_of(folder) == parent) {
            children.push_back(pid);
        }
    });
    return children;
}

std::vector<pid_t> processes_with(const std::vector<std::string>& variables)
{
    std::vector<pid_t> found;
    for_each_process([&](pid_t pid, const std::filesystem::path& folder) {
        if (pid != ::getpid() && has_all(read(folder / "environ"), variables)) { // another user's cannot be read
            found.push_back(pid);
        }
    });
    return found;
}

} // namespace sdfleet::agent
