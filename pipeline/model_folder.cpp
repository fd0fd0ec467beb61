// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model_folder.hpp"

#include "pipeline/config_reader.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace sdfleet::pipeline {

namespace {

namespace fs = std::filesystem;

struct Component {
    std::string_view name;
    std::vector<std::string_view> classes; ///< empty: any, here or elsewhere checked
};

struct Family {
    std::string_view class_name;
    ModelFamily family;
};

constexpr std::array<Family, 7> families{{
    {"StableDiffusionPipeline", ModelFamily::stable_diffusion},
    {"StableDiffusionImg2ImgPipeline", ModelFamily::stable_diffusion},
    {"StableDiffusionInpaintPipeline", ModelFamily::stable_diffusion},
    {"StableDiffusionXLPipeline", ModelFamily::stable_diffusion_xl},
    {"StableDiffusionXLImg2ImgPipeline", ModelFamily::stable_diffusion_xl},
    {"StableDiffusionXLInpaintPipeline", ModelFamily::stable_diffusion_xl},
    {"LatentConsistencyModelPipeline", ModelFamily::latent_consistency},
}};

std::vector<Component> components(ModelFamily family)
{
    std::vector<Component> known{
        {"tokenizer", {"CLIPTokenizer", "CLIPTokenizerFast"}},
        {"text_encoder", {"CLIPTextModel"}},
        {"unet", {"UNet2DConditionModel"}},
        {"vae", {"AutoencoderKL"}},
        {"scheduler", {}}, // its own config names the class and is read for it
    };
    if (family == ModelFamily::stable_diffusion_xl) {
        known.push_back({"tokenizer_2", {"CLIPTokenizer", "CLIPTokenizerFast"}});
        known.push_back({"text_encoder_2", {"CLIPTextModelWithProjection"}});
    }
    return known;
}

/// The class of a component in model_index.json ([library, class]); empty when it is absent or [null, null].
std::string class_of(const nlohmann::json& index, std::string_view name)
{
    const auto entry = index.find(name);
    const bool named = entry != index.end() && entry->is_array() && entry->size() == 2 && (*entry)[1].is_string();
    return named ? (*entry)[1].get<std::string>() : std::string();
}

ModelFamily read_family(ConfigReader& reader)
{
    const std::string name = reader.text("_class_name", "");
    std::string known;
    for (const Family& family : families) {
        if (family.class_name == name) {
            return family.family;
        }
        known += (known.empty() ? "" : ", ") + std::string(family.class_name);
    }
    reader.problem("'_class_name' is '" + name + "', which this version does not know; it knows: " + known);
    return ModelFamily::stable_diffusion;
}

void check_index(ConfigReader& reader, ModelFolder& files)
{
    files.family = read_family(reader);
    if (files.family == ModelFamily::stable_diffusion_xl) {
        files.zeros_without_negative_prompt = reader.boolean("force_zeros_for_empty_prompt", true);
        reader.only("add_watermarker");           // true would change the pixels
        reader.only("requires_aesthetics_score"); // true: the refiner, which has other time ids
    }
    const nlohmann::json& index = reader.json();
    for (const Component& component : components(files.family)) {
        const std::string name(component.name);
        const std::string found = class_of(index, name);
        const auto& classes = component.classes;
        reader.ignore({name});
        if (found.empty()) {
            reader.problem("names no '" + name + "'");
        } else if (!classes.empty() && std::find(classes.begin(), classes.end(), found) == classes.end()) {
            reader.problem("'" + name + "' is of class " + found +
                           ", which this version does not know; it knows: " + std::string(classes.front()));
        }
    }
    // Present in the published folders and not run here.
    reader.ignore({"safety_checker", "feature_extractor", "requires_safety_checker"});
    reader.only("image_encoder", {"[null, null]"});
}

/// Where a component's weights go, and what their files are called.
struct Placed {
    const char* name;
    const char* stem;
    WeightFiles* weights;
};

base::Result<void> find_all_weights(const fs::path& folder, const std::string& variant, ModelFolder& files)
{
    std::vector<Placed> parts{{"text_encoder", "model", &files.text_encoder_weights},
                              {"unet", "diffusion_pytorch_model", &files.unet_weights},
                              {"vae", "diffusion_pytorch_model", &files.vae_weights}};
    if (files.family == ModelFamily::stable_diffusion_xl) {
        parts.push_back({"text_encoder_2", "model", &files.text_encoder_2_weights});
    }
    if (auto word = check_variant(variant); !word) {
        return word;
    }
    const auto of_variant = [&](const Placed& part) { return has_variant(folder / part.name, part.stem, variant); };
    if (!variant.empty() && std::none_of(parts.begin(), parts.end(), of_variant)) {
        return base::fail(base::ExitCode::bad_input, folder.string() + ": it has no weights of variant " + variant);
    }
    for (const Placed& part : parts) {
        auto found = find_weights(folder / part.name, part.stem, variant);
        if (!found) {
            return tl::unexpected(found.error());
        }
        *part.weights = std::move(*found);
    }
    return {};
}

} // namespace

base::Result<ModelFolder> ModelFolder::open(const fs::path& folder, const std::string& variant)
{
    std::error_code ignored;
    if (!fs::is_directory(folder, ignored)) {
        return base::fail(base::ExitCode::bad_input, folder.string() + ": no such model folder");
    }
    auto index = ConfigReader::open(folder / "model_index.json");
    if (!index) {
        return tl::unexpected(index.error());
    }
    ModelFolder files;
    check_index(*index, files);
    if (auto fine = index->finish(); !fine) {
        return tl::unexpected(fine.error());
    }
    files.tokenizer = folder / "tokenizer";
    files.scheduler_config = folder / "scheduler" / "scheduler_config.json";
    files.text_encoder_config = folder / "text_encoder" / "config.json";
    files.unet_config = folder / "unet" / "config.json";
    files.vae_config = folder / "vae" / "config.json";
    files.tokenizer_2 = folder / "tokenizer_2";
    files.text_encoder_2_config = folder / "text_encoder_2" / "config.json";
    return find_all_weights(folder, variant, files).map([&] { return files; });
}

std::string folder_name(const fs::path& folder)
{
    std::error_code ignored;
    const fs::path full = fs::weakly_canonical(folder, ignored);
    const std::string name = full.filename().string();
    return name.empty() ? "model" : name;
}

} // namespace sdfleet::pipeline
