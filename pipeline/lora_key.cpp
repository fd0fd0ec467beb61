// SPDX-License-Identifier: Apache-2.0
#include "pipeline/lora_key.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace sdfleet::pipeline {

namespace {

using Names = std::pair<std::string_view, std::string_view>;

std::string flat(std::string_view name)
{
    std::string text(name);
    std::ranges::replace(text, '.', '_');
    return text;
}

bool remove_prefix(std::string_view& text, std::string_view prefix)
{
    const bool has = text.starts_with(prefix);
    text.remove_prefix(has ? prefix.size() : 0);
    return has;
}

bool remove_suffix(std::string_view& text, std::string_view suffix)
{
    const bool has = text.ends_with(suffix);
    text.remove_suffix(has ? suffix.size() : 0);
    return has;
}

/// Longer endings before those that they end in.
constexpr std::array<std::pair<std::string_view, LoraPart>, 8> endings{{
    {"_lora_linear_layer_down_weight", LoraPart::down},
    {"_lora_linear_layer_up_weight", LoraPart::up},
    {"_lora_down_weight", LoraPart::down},
    {"_lora_up_weight", LoraPart::up},
    {"_lora_A_weight", LoraPart::down},
    {"_lora_B_weight", LoraPart::up},
    {"_lora_alpha", LoraPart::alpha},
    {"_alpha", LoraPart::alpha},
}};

constexpr std::array<std::pair<std::string_view, LoraTarget>, 8> beginnings{{
    {"lora_unet_", LoraTarget::unet},
    {"lora_te_", LoraTarget::text_encoder},
    {"lora_te1_", LoraTarget::text_encoder},
    {"lora_te2_", LoraTarget::text_encoder_2},
    {"unet_", LoraTarget::unet},
    {"text_encoder_2_", LoraTarget::text_encoder_2},
    {"text_encoder_", LoraTarget::text_encoder},
    {"diffusion_model_", LoraTarget::unet},
}};

/// Older diffusers named the projections of every attention as those of the UNet, and its output without the index.
std::string modern_module(LoraTarget target, std::string_view name)
{
    if (target != LoraTarget::unet) {
        remove_prefix(name, "text_model_"); // checkpoints have the prefix or not
        static constexpr std::array<Names, 4> projections{
            {{"_to_q", "_q_proj"}, {"_to_k", "_k_proj"}, {"_to_v", "_v_proj"}, {"_to_out", "_out_proj"}}};
        for (const auto& [old_name, new_name] : projections) {
            if (remove_suffix(name, old_name)) {
                return std::string(name) + std::string(new_name);
            }
        }
        return std::string(name);
    }
    std::string module(name);
    constexpr std::string_view processor = "_processor_";
    if (const std::size_t at = module.find(processor); at != std::string::npos) {
        module.replace(at, processor.size(), "_");
    }
    return module.ends_with("_to_out") ? module + "_0" : module;
}

/// Takes the number that `text` begins with, and a '_' behind it.
std::optional<std::size_t> take_number(std::string_view& text)
{
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    remove_prefix(text, "_");
    return value;
}

std::string within_resnet(std::string_view rest)
{
    static constexpr std::array<Names, 6> names{{{"in_layers_0", "norm1"},
                                                 {"in_layers_2", "conv1"},
                                                 {"emb_layers_1", "time_emb_proj"},
                                                 {"out_layers_0", "norm2"},
                                                 {"out_layers_3", "conv2"},
                                                 {"skip_connection", "conv_shortcut"}}};
    const auto* found = std::ranges::find(names, rest, &Names::first);
    return std::string(found == names.end() ? rest : found->second);
}

/// `block`: "down_blocks_1". A block's layers alternate between a residual block and, where it has one, an attention.
std::string within_block(const std::string& block, std::size_t layer, std::size_t position, std::string_view rest)
{
    if (rest == "op" || rest == "conv") { // the convolution of the down- or upsampling
        return block + (rest == "op" ? "_downsamplers_0_conv" : "_upsamplers_0_conv");
    }
    if (position == 0) {
        return block + "_resnets_" + std::to_string(layer) + "_" + within_resnet(rest);
    }
    return block + "_attentions_" + std::to_string(layer) + "_" + std::string(rest);
}

} // namespace

const char* to_text(LoraTarget target)
{
    switch (target) {
    case LoraTarget::unet:
        return "unet";
    case LoraTarget::text_encoder:
        return "text_encoder";
    case LoraTarget::text_encoder_2:
        return "text_encoder_2";
    }
    return "";
}

std::optional<LoraKey> parse_lora_key(std::string_view key)
{
    const std::string text = flat(key);
    std::string_view name = text;
    remove_prefix(name, "base_model_model_");
    const auto* ending = std::ranges::find_if(endings, [&](const auto& e) { return remove_suffix(name, e.first); });
    if (ending == endings.end()) {
        return std::nullopt;
    }
    const auto* beginning =
        std::ranges::find_if(beginnings, [&](const auto& b) { return remove_prefix(name, b.first); });
    // Without a beginning: of a file for the UNet alone. Whether it has such a layer is seen when it is applied.
    const LoraTarget target = beginning == beginnings.end() ? LoraTarget::unet : beginning->second;
    return LoraKey{target, ending->second, modern_module(target, name)};
}

std::string_view other_adapter_kind(std::string_view key)
{
    static constexpr std::array<Names, 10> kinds{{{"dora_scale", "DoRA"},
                                                  {"lora_magnitude_vector", "DoRA"},
                                                  {"hada_", "LoHa"},
                                                  {"lokr_", "LoKr"},
                                                  {"lora_mid", "LoRA with a Tucker core"},
                                                  {"oft_", "OFT"},
                                                  {"w_norm", "LyCORIS norm"},
                                                  {"b_norm", "LyCORIS norm"},
                                                  {"on_input", "IA3"},
                                                  {".diff", "full difference"}}};
    const auto* found =
        std::ranges::find_if(kinds, [&](const Names& kind) { return key.find(kind.first) != std::string_view::npos; });
    return found == kinds.end() ? std::string_view() : found->second;
}

std::optional<std::string> flat_module_name(LoraTarget target, std::string_view parameter)
{
    if (!remove_suffix(parameter, ".weight")) {
        return std::nullopt;
    }
    if (target != LoraTarget::unet) {
        remove_prefix(parameter, "text_model.");
    }
    return flat(parameter);
}

bool is_checkpoint_module(std::string_view module)
{
    return module.starts_with("input_blocks_") || module.starts_with("middle_block_") ||
           module.starts_with("output_blocks_");
}

std::string from_checkpoint_module(std::string_view module, std::size_t resnets)
{
    static constexpr std::array<Names, 7> outside_blocks{{{"input_blocks_0_0", "conv_in"},
                                                          {"time_embed_0", "time_embedding_linear_1"},
                                                          {"time_embed_2", "time_embedding_linear_2"},
                                                          {"label_emb_0_0", "add_embedding_linear_1"},
                                                          {"label_emb_0_2", "add_embedding_linear_2"},
                                                          {"out_0", "conv_norm_out"},
                                                          {"out_2", "conv_out"}}};
    if (const auto* found = std::ranges::find(outside_blocks, module, &Names::first); found != outside_blocks.end()) {
        return std::string(found->second);
    }
    std::string_view rest = module;
    const std::size_t per_block = resnets + 1; // the down block's sampler, the up block's further residual block
    if (remove_prefix(rest, "middle_block_")) {
        const auto position = take_number(rest);
        return position && *position <= 2 ? within_block("mid_block", *position / 2, *position % 2, rest)
                                          : std::string(module);
    }
    const bool down = remove_prefix(rest, "input_blocks_");
    if (!down && !remove_prefix(rest, "output_blocks_")) {
        return std::string(module);
    }
    const auto block = take_number(rest);
    const auto position = take_number(rest);
    if (!block || !position || (down && *block == 0)) {
        return std::string(module);
    }
    const std::size_t index = down ? *block - 1 : *block;
    return within_block((down ? "down_blocks_" : "up_blocks_") + std::to_string(index / per_block), index % per_block,
                        *position, rest);
}

} // namespace sdfleet::pipeline
