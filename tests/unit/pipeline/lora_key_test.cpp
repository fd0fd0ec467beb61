// SPDX-License-Identifier: Apache-2.0
#include "pipeline/lora_key.hpp"

#include "tests/catch.hpp"

#include <string>

using namespace sdfleet;
using pipeline::LoraPart;
using pipeline::LoraTarget;

namespace {

void check_key(const std::string& key, LoraTarget target, LoraPart part, const std::string& module)
{
    CAPTURE(key);
    const auto parsed = pipeline::parse_lora_key(key);
    REQUIRE(parsed);
    CHECK(parsed->target == target);
    CHECK(parsed->part == part);
    CHECK(parsed->module == module);
}

} // namespace

TEST_CASE("every spelling of a UNet layer comes to the same module")
{
    const std::string module = "down_blocks_0_attentions_1_transformer_blocks_0_attn1_to_q";
    check_key("lora_unet_down_blocks_0_attentions_1_transformer_blocks_0_attn1_to_q.lora_down.weight", LoraTarget::unet,
              LoraPart::down, module);
    check_key("lora_unet_down_blocks_0_attentions_1_transformer_blocks_0_attn1_to_q.lora_up.weight", LoraTarget::unet,
              LoraPart::up, module);
    check_key("lora_unet_down_blocks_0_attentions_1_transformer_blocks_0_attn1_to_q.alpha", LoraTarget::unet,
              LoraPart::alpha, module);
    check_key("unet.down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q.lora_A.weight", LoraTarget::unet,
              LoraPart::down, module);
    check_key("unet.down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q.lora_B.weight", LoraTarget::unet,
              LoraPart::up, module);
    check_key("unet.down_blocks.0.attentions.1.transformer_blocks.0.attn1.processor.to_q_lora.down.weight",
              LoraTarget::unet, LoraPart::down, module);
}

TEST_CASE("the output of an attention has its index, whoever wrote the name")
{
    const std::string module = "mid_block_attentions_0_transformer_blocks_0_attn2_to_out_0";
    check_key("unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0.lora_A.weight", LoraTarget::unet,
              LoraPart::down, module);
    check_key("unet.mid_block.attentions.0.transformer_blocks.0.attn2.processor.to_out_lora.up.weight",
              LoraTarget::unet, LoraPart::up, module);
}

TEST_CASE("text encoders are told apart, with and without text_model in the name")
{
    const std::string module = "encoder_layers_3_self_attn_q_proj";
    check_key("lora_te_text_model_encoder_layers_3_self_attn_q_proj.lora_down.weight", LoraTarget::text_encoder,
              LoraPart::down, module);
    check_key("lora_te1_text_model_encoder_layers_3_self_attn_q_proj.alpha", LoraTarget::text_encoder, LoraPart::alpha,
              module);
    check_key("lora_te2_text_model_encoder_layers_3_self_attn_q_proj.lora_up.weight", LoraTarget::text_encoder_2,
              LoraPart::up, module);
    check_key("text_encoder.text_model.encoder.layers.3.self_attn.q_proj.lora_A.weight", LoraTarget::text_encoder,
              LoraPart::down, module);
    check_key("text_encoder_2.encoder.layers.3.self_attn.q_proj.lora_B.weight", LoraTarget::text_encoder_2,
              LoraPart::up, module);
}

TEST_CASE("names of the single-file checkpoints are translated block by block")
{
    CHECK(pipeline::is_checkpoint_module("input_blocks_4_1_proj_in"));
    CHECK_FALSE(pipeline::is_checkpoint_module("down_blocks_1_attentions_0_proj_in"));
    CHECK(pipeline::from_checkpoint_module("input_blocks_4_1_proj_in", 2) == "down_blocks_1_attentions_0_proj_in");
    CHECK(pipeline::from_checkpoint_module("input_blocks_8_1_transformer_blocks_9_attn1_to_q", 2) ==
          "down_blocks_2_attentions_1_transformer_blocks_9_attn1_to_q");
    CHECK(pipeline::from_checkpoint_module("middle_block_1_proj_out", 2) == "mid_block_attentions_0_proj_out");
    CHECK(pipeline::from_checkpoint_module("output_blocks_3_1_proj_in", 2) == "up_blocks_1_attentions_0_proj_in");
    CHECK(pipeline::from_checkpoint_module("input_blocks_3_0_op", 2) == "down_blocks_0_downsamplers_0_conv");
}

TEST_CASE("what is no part of a LoRA is no key")
{
    for (const char* key : {"", "unet", "unet.conv_in.weight", "lora_unet_conv_in.dora_scale"}) {
        CAPTURE(key);
        CHECK_FALSE(pipeline::parse_lora_key(key));
    }
    CHECK_FALSE(pipeline::other_adapter_kind("lora_unet_conv_in.dora_scale").empty());
    CHECK_FALSE(pipeline::other_adapter_kind("lora_unet_conv_in.hada_w1_a").empty());
    CHECK_FALSE(pipeline::other_adapter_kind("lora_unet_conv_in.lokr_w1").empty());
    CHECK(pipeline::other_adapter_kind("unet.conv_in.weight").empty());
}
