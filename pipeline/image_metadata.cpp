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
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 3> names{
        {{"ddim", "DDIM"}, {"pndm", "PLMS"}, {"euler", "Euler"}}};
    const auto* found =
        std::find_if(names.begin(), names.end(), [&](const auto& name) { return name.first == scheduler; });
    return found == names.end() ? scheduler : std::string(found->second);
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
    if (!p.negative_prompt.empty()) {
        text += "\nNegative prompt: " + p.negative_prompt;
    }
    text += "\nSteps: " + std::to_string(p.steps) + ", Sampler: " + sampler_name(p.scheduler) +
            ", CFG scale: " + number_text(p.guidance_scale) + ", Seed: " + std::to_string(p.seed) +
            ", Size: " + std::to_string(p.width) + "x" + std::to_string(p.height) +
            ", Model: " + quoted_where_needed(p.model_name) + lora_hashes(p.loras) + ", RNG: CPU, Version: sdfleet " SDFLEET_VERSION;
    return text;
}

std::string replay_json(const PictureParameters& p)
{
    nlohmann::ordered_json replay{
        {"version", SDFLEET_VERSION},
        {"model", p.model_name},
        {"prompt", p.prompt},
        {"negative_prompt", p.negative_prompt},
        {"seed", p.seed},
        {"steps", p.steps},
        {"guidance_scale", p.guidance_scale},
        {"width", p.width},
        {"height", p.height},
        {"scheduler", p.scheduler},
        {"dtype", p.dtype},
    };
    for (const LoraUse& lora : p.loras) {
        replay["loras"].push_back({{"name", lora.name}, {"sha256", lora.sha256}, {"weight", lora.weight}});
    }
    return replay.dump();
}

} // namespace sdfleet::pipeline
