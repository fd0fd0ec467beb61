// SPDX-License-Identifier: Apache-2.0
#include "pipeline/image_metadata.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <nlohmann/json.hpp>

namespace sdfleet::pipeline {

namespace {

/// The shortest text that reads back as the same number.
std::string number_text(double value)
{
    std::array<char, 32> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
    return {buffer.data(), end};
}

/// A value with a sign that separates pairs is written as a JSON text.
std::string quoted_where_needed(const std::string& value)
{
    return value.find_first_of(",:\n\"") == std::string::npos ? value : nlohmann::json(value).dump();
}

/// The names that the tools which write this text use for the same algorithms.
std::string sampler_name(const std::string& scheduler)
{
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> names{
        {{"ddim", "DDIM"},
         {"pndm", "PLMS"},
         {"euler", "Euler"},
         {"euler_a", "Euler a"},
         {"dpmpp_2m", "DPM++ 2M"},
         {"dpmpp_2m_karras", "DPM++ 2M Karras"},
         {"unipc", "UniPC"},
         {"lcm", "LCM"}}};
    const auto* found =
        std::find_if(names.begin(), names.end(), [&](const auto& name) { return name.first == scheduler; });
    return found == names.end() ? scheduler : std::string(found->second);
}

/// The tools count from 1: the last layer is "Clip skip: 1".
std::string clip_skip_text(const PictureParameters& p)
{
    return p.clip_skip.value_or(0) == 0 ? "" : ", Clip skip: " + std::to_string(*p.clip_skip + 1);
}

/// As those tools tell LoRAs apart: the first digits of the hash of the tensors, which leaves out the file's description.
std::string lora_hashes(const std::vector<LoraUse>& loras)
{
    constexpr std::size_t digits = 12;
    std::string hashes;
    for (const LoraUse& lora : loras) {
        hashes += (hashes.empty() ? "" : ", ") + lora.name + ": " + lora.data_sha256.substr(0, digits);
    }
    return hashes.empty() ? "" : ", Lora hashes: " + nlohmann::json(hashes).dump();
}

} // namespace

std::string parameters_text(const PictureParameters& p)
{
    std::string text = p.prompt;
    for (const LoraUse& lora : p.loras) {
        text += " <lora:" + lora.name + ":" + number_text(lora.weight) + ">";
    }
    if (p.negative_prompt && !p.negative_prompt->empty()) {
        text += "\nNegative prompt: " + *p.negative_prompt;
    }
    text += "\nSteps: " + std::to_string(p.steps) + ", Sampler: " + sampler_name(p.scheduler) +
            ", CFG scale: " + number_text(p.guidance_scale) + ", Seed: " + std::to_string(p.seed) +
            ", Size: " + std::to_string(p.width) + "x" + std::to_string(p.height) + clip_skip_text(p) +
            ", Model: " + quoted_where_needed(p.model_name) + lora_hashes(p.loras);
    if (p.strength) {
        text += ", Denoising strength: " + number_text(*p.strength);
    }
    return text + ", RNG: CPU, Version: sdfleet " SDFLEET_VERSION;
}

std::string replay_json(const PictureParameters& p)
{
    nlohmann::ordered_json replay{
        {"version", SDFLEET_VERSION},
        {"model", p.model_name},
        {"prompt", p.prompt},
        {"negative_prompt", p.negative_prompt ? nlohmann::ordered_json(*p.negative_prompt) : nlohmann::ordered_json()},
        {"seed", p.seed},
        {"steps", p.steps},
        {"guidance_scale", p.guidance_scale},
        {"width", p.width},
        {"height", p.height},
        {"scheduler", p.scheduler},
        {"dtype", p.dtype},
    };
    if (p.clip_skip) {
        replay["clip_skip"] = *p.clip_skip;
    }
    if (p.prompt_syntax != PromptSyntax::plain) {
        replay["prompt_syntax"] = prompt_syntax_name(p.prompt_syntax);
    }
    if (!p.init_image_sha256.empty()) {
        replay["init_image_sha256"] = p.init_image_sha256;
    }
    if (!p.mask_image_sha256.empty()) {
        replay["mask_image_sha256"] = p.mask_image_sha256;
    }
    if (p.strength) {
        replay["strength"] = *p.strength;
    }
    if (p.keep_unmasked) {
        replay["keep_unmasked"] = *p.keep_unmasked;
    }
    for (const LoraUse& lora : p.loras) {
        replay["loras"].push_back({{"name", lora.name}, {"sha256", lora.sha256}, {"weight", lora.weight}});
    }
    return replay.dump();
}

} // namespace sdfleet::pipeline
