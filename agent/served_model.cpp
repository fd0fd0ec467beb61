// SPDX-License-Identifier: Apache-2.0
#include "agent/served_model.hpp"

#include "base/atomic_file.hpp"
#include "base/model_path.hpp"
#include "base/sha256.hpp"
#include "proto/ids.hpp"

#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>

namespace sdfleet::agent {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_text_bytes = 64u << 20; // tokenizer.json of large models has some MB

/// The files that a pipeline reads: model_index.json and those of the components that it names. Whatever else lies beside
/// them (a README, a training script's leavings) makes no other model of it.
std::map<std::string, fs::path> files_of_model(const fs::path& folder, const nlohmann::json& index)
{
    std::map<std::string, fs::path> files{{"model_index.json", folder / "model_index.json"}};
    for (const auto& [component, library_and_class] : index.items()) {
        const auto part = folder / component;
        if (!library_and_class.is_array() || !proto::is_valid_name(component) || !fs::is_directory(part)) {
            continue;
        }
        for (const auto& entry : fs::recursive_directory_iterator(part)) {
            if (entry.is_regular_file()) {
                files.emplace(entry.path().lexically_relative(folder).generic_string(), entry.path());
            }
        }
    }
    return files;
}

/// SHA-256 over the sorted file names and sizes, and the content of the text files. Weights count by their size only:
/// hashing gigabytes at every start would cost more than the mistake it could find.
base::Result<std::string> fingerprint_of(const std::map<std::string, fs::path>& files)
{
    std::string summary;
    for (const auto& [name, path] : files) {
        summary += name + '\n' + std::to_string(fs::file_size(path)) + '\n';
        if (path.extension() == ".json" || path.extension() == ".txt") {
            const auto content = base::read_file(path, max_text_bytes);
            if (!content) {
                return tl::unexpected(content.error());
            }
            summary += base::sha256_hex(*content) + '\n';
        }
    }
    return base::sha256_hex(summary);
}

base::Result<ServedModel> open_folder(std::string name, const fs::path& folder)
{
    const auto bad = [&](const std::string& why) {
        return base::fail(base::ExitCode::bad_input, "model " + name + ": " + why);
    };
    if (!fs::is_directory(folder)) {
        return bad("there is no folder " + folder.string());
    }
    const auto index = folder / "model_index.json";
    if (!fs::is_regular_file(index)) {
        return bad(folder.string() + " has no model_index.json; it must be a model folder in diffusers layout");
    }
    const auto content = base::read_file(index, max_text_bytes);
    if (!content) {
        return bad(content.error().message);
    }
    const auto parts = nlohmann::json::parse(*content, nullptr, false);
    if (!parts.is_object()) {
        return bad(index.string() + " is not a JSON object");
    }
    return fingerprint_of(files_of_model(folder, parts))
        .map([&](std::string fingerprint) {
            return ServedModel{name, folder, std::move(fingerprint)};
        })
        .map_error([&](base::Error error) {
            return base::Error{base::ExitCode::bad_input, "model " + name + ": " + error.message};
        });
}

} // namespace

base::Result<ServedModel> open_served_model(const std::string& text)
{
    const auto split = text.find('=');
    if (split == std::string::npos || split + 1 == text.size()) {
        return base::fail(base::ExitCode::usage, "--model takes NAME=DIR, not '" + text + "'");
    }
    const auto name = text.substr(0, split);
    if (!proto::is_valid_name(name)) {
        return base::fail(base::ExitCode::usage,
                          "--model " + text + ": a model's name has 1 to 64 of A-Z a-z 0-9 . _ -");
    }
    try {
        const auto folder = base::find_model_folder(text.substr(split + 1));
        if (!folder) {
            return base::fail(base::ExitCode::bad_input, "model " + name + ": " + folder.error().message);
        }
        return open_folder(name, fs::absolute(*folder).lexically_normal());
    } catch (const fs::filesystem_error& error) {
        return base::fail(base::ExitCode::bad_input, "model " + name + ": " + error.what());
    }
}

base::Result<std::vector<ServedModel>> open_served_models(const std::vector<std::string>& texts)
{
    std::vector<ServedModel> models;
    for (const auto& text : texts) {
        auto model = open_served_model(text);
        if (!model) {
            return tl::unexpected(model.error());
        }
        if (std::ranges::find(models, model->name, &ServedModel::name) != models.end()) {
            return base::fail(base::ExitCode::usage, "--model " + text + ": two models have this name");
        }
        models.push_back(std::move(*model));
    }
    return models;
}

} // namespace sdfleet::agent
