// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sdfleet::pipeline {

/// The models of a pipeline that a LoRA can change.
enum class LoraTarget { unet, text_encoder, text_encoder_2 };

const char* to_text(LoraTarget target); ///< the name of its folder

/// What a tensor of a LoRA is to its layer.
enum class LoraPart { down, up, alpha };

/// A tensor's name, understood. All spellings in use come to the same: the trainers of kohya-ss write "lora_unet_" and
/// the layer's name with '_' for '.'; diffusers and PEFT write "unet." and the layer's name with its dots; older
/// diffusers hang "_lora" onto the layer's name, below a "processor".
struct LoraKey {
    LoraTarget target = LoraTarget::unet;
    LoraPart part = LoraPart::down;
    std::string module; ///< the layer's name in its model, '_' for '.': "mid_block_attentions_0_proj_in"
};

/// Nothing where `key` is not one of a LoRA's three parts.
std::optional<LoraKey> parse_lora_key(std::string_view key);

/// The kind of adapter that has tensors named like `key`, such as "DoRA"; empty if none is known.
std::string_view other_adapter_kind(std::string_view key);

/// A parameter's module as LoraKey::module spells it; nothing for a parameter that is not a layer's "weight".
std::optional<std::string> flat_module_name(LoraTarget target, std::string_view parameter);

/// True for a UNet layer named as in the single-file checkpoints: "input_blocks_4_1_proj_in".
bool is_checkpoint_module(std::string_view module);

/// Such a name in diffusers' words ("down_blocks_1_attentions_0_proj_in"), for a UNet with `resnets` residual blocks in
/// each down block; `module` itself where it follows no such scheme.
std::string from_checkpoint_module(std::string_view module, std::size_t resnets);

} // namespace sdfleet::pipeline
