// SPDX-License-Identifier: Apache-2.0
#include "pipeline/lora_scaling.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <string_view>

#include <c10/util/Half.h>
#include <nlohmann/json.hpp>

namespace sdfleet::pipeline {

namespace {

using nlohmann::json;

template <class T>
T first_of(const TensorView& view)
{
    T value;
    std::memcpy(&value, view.bytes.data(), sizeof(value)); // which may be unaligned
    return value;
}

std::string flat(std::string_view name)
{
    std::string text(name.starts_with('^') ? name.substr(1) : name);
    for (char& c : text) {
        c = c == '.' ? '_' : c;
    }
    return text;
}

} // namespace

std::optional<double> scalar_value(const TensorView& view)
{
    if (view.bytes.size() != safetensors_element_bytes(view.dtype) || view.bytes.empty()) {
        return std::nullopt;
    }
    std::optional<double> value;
    if (view.dtype == "F32") {
        value = first_of<float>(view);
    } else if (view.dtype == "F64") {
        value = first_of<double>(view);
    } else if (view.dtype == "F16") {
        value = c10::detail::fp16_ieee_to_fp32_value(first_of<std::uint16_t>(view));
    } else if (view.dtype == "BF16") {
        value = std::bit_cast<float>(std::uint32_t{first_of<std::uint16_t>(view)} << 16);
    } else if (view.dtype == "I64") {
        value = static_cast<double>(first_of<std::int64_t>(view));
    } else if (view.dtype == "I32") {
        value = first_of<std::int32_t>(view);
    }
    return value && std::isfinite(*value) ? value : std::nullopt;
}

base::Result<LoraScaling> LoraScaling::read(std::span<const std::byte> header, const std::string& where)
{
    const auto bad = [&](const std::string& what) {
        return base::fail(base::ExitCode::bad_input, where + ": its lora_adapter_metadata " + what);
    };
    const auto* text = reinterpret_cast<const char*>(header.data());
    const json document = json::parse(text, text + header.size(), nullptr, false);
    LoraScaling scaling;
    const auto metadata = document.find("__metadata__");
    if (metadata == document.end() || !metadata->is_object() || !metadata->contains("lora_adapter_metadata")) {
        return scaling;
    }
    const json& packed = metadata->at("lora_adapter_metadata");
    const json config = packed.is_string() ? json::parse(packed.get<std::string>(), nullptr, false) : json();
    if (!config.is_object()) {
        return bad("is not a JSON object");
    }
    // One object for all models of the pipeline: "unet.lora_alpha", "text_encoder.lora_alpha", ...
    for (const LoraTarget target : {LoraTarget::unet, LoraTarget::text_encoder, LoraTarget::text_encoder_2}) {
        const std::string prefix = std::string(to_text(target)) + ".";
        Config& of_target = scaling.configs_[target];
        for (const auto& [key, value] : config.items()) {
            if (key == prefix + "lora_alpha" && value.is_number()) {
                of_target.alpha = value.get<double>();
            } else if (key == prefix + "use_rslora" && value.is_boolean()) {
                of_target.by_root_of_rank = value.get<bool>();
            } else if (key == prefix + "use_dora" && value == json(true)) {
                return bad("asks for DoRA, which is not supported");
            } else if (key == prefix + "alpha_pattern" && value.is_object()) {
                for (const auto& [module, alpha] : value.items()) {
                    if (!alpha.is_number()) {
                        return bad("has an alpha that is not a number, for '" + module + "'");
                    }
                    of_target.alpha_of.emplace(flat(module), alpha.get<double>());
                }
            }
        }
    }
    return scaling;
}

double LoraScaling::scale(LoraTarget target, const std::string& module, double rank) const
{
    const auto found = configs_.find(target);
    if (found == configs_.end()) {
        return 1;
    }
    const Config& config = found->second;
    std::optional<double> alpha = config.alpha;
    for (const auto& [name, value] : config.alpha_of) {
        if (module == name || module.ends_with("_" + name)) {
            alpha = value;
        }
    }
    return alpha ? *alpha / (config.by_root_of_rank ? std::sqrt(rank) : rank) : 1;
}

} // namespace sdfleet::pipeline
