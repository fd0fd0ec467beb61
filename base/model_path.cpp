// SPDX-License-Identifier: Apache-2.0
#include "base/model_path.hpp"

#include "base/atomic_file.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace sdfleet::base {

namespace {

namespace fs = std::filesystem;

std::optional<std::string> environment(const char* name)
{
    const char* value = std::getenv(name);
    return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

bool is_folder(const fs::path& path)
{
    std::error_code ignored;
    return fs::is_directory(path, ignored);
}

bool is_repository_part(std::string_view text)
{
    return !text.empty() && text != "." && text != ".." && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
               c == '-';
    });
}

struct Repository {
    std::string folder; ///< in the cache
    std::string revision;
};

/// "ORG/NAME" or "ORG/NAME@REVISION"; nothing for a text that can be no repository's.
std::optional<Repository> parse_repository(std::string_view text)
{
    Repository repository{{}, "main"};
    if (const auto at = text.find('@'); at != std::string_view::npos) {
        repository.revision = text.substr(at + 1);
        text = text.substr(0, at);
    }
    const auto slash = text.find('/');
    if (slash == std::string_view::npos || !is_repository_part(text.substr(0, slash)) ||
        !is_repository_part(text.substr(slash + 1)) || !is_repository_part(repository.revision)) {
        return std::nullopt;
    }
    repository.folder = "models--" + std::string(text.substr(0, slash)) + "--" + std::string(text.substr(slash + 1));
    return repository;
}

/// The commit that a branch or tag stands for, or the revision itself, which may be a commit.
std::string commit_of(const fs::path& folder, const std::string& revision)
{
    constexpr std::size_t longest = 100;
    const fs::path ref = folder / "refs" / revision;
    std::error_code ignored;
    if (!fs::is_regular_file(ref, ignored)) {
        return revision;
    }
    std::string commit = read_file(ref, longest).value_or("");
    commit.erase(std::min(commit.find_first_of(" \t\r\n"), commit.size()));
    return is_repository_part(commit) ? commit : revision;
}

} // namespace

fs::path huggingface_cache()
{
    if (const auto hub = environment("HF_HUB_CACHE")) {
        return *hub;
    }
    if (const auto home = environment("HF_HOME")) {
        return fs::path(*home) / "hub";
    }
    const auto cache = environment("XDG_CACHE_HOME");
    return (cache ? fs::path(*cache) : fs::path(environment("HOME").value_or("/")) / ".cache") / "huggingface" / "hub";
}

std::string repository_name(const std::string& text)
{
    const std::string repository = text.substr(0, text.find('@'));
    return repository.substr(repository.find('/') + 1); // all of it without a slash
}

Result<fs::path> find_model_folder(const std::string& text)
{
    if (is_folder(text)) {
        return fs::path(text);
    }
    const auto repository = parse_repository(text);
    if (!repository) {
        return fail(ExitCode::bad_input, text + ": no such model folder");
    }
    const fs::path folder = huggingface_cache() / repository->folder;
    if (!is_folder(folder)) {
        return fail(ExitCode::bad_input, text + ": no such model folder, and no such model in the cache " +
                                             huggingface_cache().string() + "; models are not downloaded");
    }
    fs::path snapshot = folder / "snapshots" / commit_of(folder, repository->revision);
    if (!is_folder(snapshot)) {
        return fail(ExitCode::bad_input, text + ": the cache has this model, but not its revision " +
                                             repository->revision + " (" + snapshot.string() + ")");
    }
    return snapshot;
}

} // namespace sdfleet::base
