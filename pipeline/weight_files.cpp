// SPDX-License-Identifier: Apache-2.0
#include "pipeline/weight_files.hpp"

#include "pipeline/config_reader.hpp"

#include <algorithm>
#include <cctype>

#include <nlohmann/json.hpp>

namespace sdfleet::pipeline {

namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path)
{
    std::error_code ignored; // a loop of links is no file
    return fs::is_regular_file(path, ignored);
}

fs::path single_file(const fs::path& folder, const std::string& stem, const std::string& variant)
{
    return folder / (stem + (variant.empty() ? "" : "." + variant) + ".safetensors");
}

fs::path index_file(const fs::path& folder, const std::string& stem, const std::string& variant)
{
    return folder / (stem + ".safetensors.index" + (variant.empty() ? "" : "." + variant) + ".json");
}

base::Result<WeightFiles> read_index(const fs::path& path)
{
    const auto bad = [&](const std::string& what) {
        return base::fail(base::ExitCode::bad_input, path.string() + ": " + what);
    };
    const auto reader = ConfigReader::open(path);
    if (!reader) {
        return tl::unexpected(reader.error());
    }
    const auto map = reader->json().find("weight_map");
    if (map == reader->json().end() || !map->is_object() || map->empty()) {
        return bad("it has no weight_map");
    }
    WeightFiles weights;
    weights.main = path;
    for (const auto& [tensor, shard] : map->items()) {
        const std::string name = shard.is_string() ? shard.get<std::string>() : "";
        // The name alone, beside the index: a downloaded index does not choose what else of this machine is read.
        if (name.empty() || name == "." || name == ".." || name.find_first_of("/\\") != std::string::npos ||
            name.find('\0') != std::string::npos) {
            return bad("the weight_map of tensor '" + tensor + "' is not the name of a file in the same folder");
        }
        const fs::path file = path.parent_path() / name;
        if (std::ranges::find(weights.files, file) == weights.files.end()) {
            if (!is_file(file)) {
                return bad("it names " + name + ", which is missing");
            }
            weights.files.push_back(file);
        }
        weights.index.emplace(tensor, name);
    }
    return weights;
}

base::Result<WeightFiles> missing(const fs::path& folder, const std::string& stem)
{
    const bool pickled = is_file(folder / "diffusion_pytorch_model.bin") || is_file(folder / "pytorch_model.bin");
    return base::fail(base::ExitCode::bad_input,
                      single_file(folder, stem, "").string() + ": file is missing" +
                          (pickled ? "; the folder has a .bin file, which must be saved as safetensors first"
                                   : "; a model folder in diffusers layout has it"));
}

} // namespace

base::Result<WeightFiles> find_weights(const fs::path& folder, const std::string& stem, const std::string& variant)
{
    const std::vector<std::string> order =
        variant.empty() ? std::vector<std::string>{"", "fp16"} : std::vector<std::string>{variant, ""};
    for (const std::string& wanted : order) {
        if (is_file(single_file(folder, stem, wanted))) {
            return WeightFiles(single_file(folder, stem, wanted));
        }
        if (is_file(index_file(folder, stem, wanted))) {
            return read_index(index_file(folder, stem, wanted));
        }
    }
    return missing(folder, stem);
}

bool has_variant(const fs::path& folder, const std::string& stem, const std::string& variant)
{
    return is_file(single_file(folder, stem, variant)) || is_file(index_file(folder, stem, variant));
}

base::Result<void> check_variant(const std::string& variant)
{
    const bool word = std::ranges::all_of(
        variant, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; });
    return word ? base::Result<void>{}
                : base::fail(base::ExitCode::usage, "variant '" + variant + "' is not a word such as fp16");
}

} // namespace sdfleet::pipeline
