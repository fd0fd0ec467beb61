# SPDX-License-Identifier: Apache-2.0
"""The tensors of a Stable Diffusion model, from its configs: their names and shapes as diffusers and transformers save them."""

from dataclasses import dataclass
from math import prod


@dataclass(frozen=True)
class Tensor:
    name: str
    shape: tuple[int, ...]
    role: str = "weight"  # "weight", "bias", "scale" (of a norm), "table" (of embeddings), "branch" (what a residual adds)

    @property
    def fan_in(self):
        return prod(self.shape[1:])

    @property
    def size(self):
        return prod(self.shape)


def affine(name, out, *into, role="weight", bias=True):
    yield Tensor(f"{name}.weight", (out, *into), role)
    if bias:
        yield Tensor(f"{name}.bias", (out,), "bias")


def norm(name, channels):
    yield Tensor(f"{name}.weight", (channels,), "scale")
    yield Tensor(f"{name}.bias", (channels,), "bias")


def resnet(name, into, out, time_width=0):
    yield from norm(f"{name}.norm1", into)
    yield from affine(f"{name}.conv1", out, into, 3, 3)
    if time_width:
        yield from affine(f"{name}.time_emb_proj", out, time_width)
    yield from norm(f"{name}.norm2", out)
    yield from affine(f"{name}.conv2", out, out, 3, 3, role="branch")
    if into != out:
        yield from affine(f"{name}.conv_shortcut", out, into, 1, 1)


def attention(name, width, context):
    for part, into in (("to_q", width), ("to_k", context), ("to_v", context)):
        yield from affine(f"{name}.{part}", width, into, bias=False)
    yield from affine(f"{name}.to_out.0", width, width, role="branch")


def transformer(name, width, context, layers, linear):
    kernel = () if linear else (1, 1)
    yield from norm(f"{name}.norm", width)
    yield from affine(f"{name}.proj_in", width, width, *kernel)
    for i in range(layers):
        block = f"{name}.transformer_blocks.{i}"
        yield from norm(f"{block}.norm1", width)
        yield from attention(f"{block}.attn1", width, width)
        yield from norm(f"{block}.norm2", width)
        yield from attention(f"{block}.attn2", width, context)
        yield from norm(f"{block}.norm3", width)
        yield from affine(f"{block}.ff.net.0.proj", 8 * width, width)
        yield from affine(f"{block}.ff.net.2", width, 4 * width, role="branch")
    yield from affine(f"{name}.proj_out", width, width, *kernel, role="branch")


def unet(config):
    channels, layers = config["block_out_channels"], config["layers_per_block"]
    depths = config["transformer_layers_per_block"]
    depths = depths if isinstance(depths, list) else [depths] * len(channels)
    context, linear, time_width = config["cross_attention_dim"], config["use_linear_projection"], 4 * channels[0]
    last = len(channels) - 1

    yield from affine("conv_in", channels[0], config["in_channels"], 3, 3)
    yield from affine("time_embedding.linear_1", time_width, channels[0])
    yield from affine("time_embedding.linear_2", time_width, time_width)
    if config.get("addition_embed_type") == "text_time":
        yield from affine("add_embedding.linear_1", time_width, config["projection_class_embeddings_input_dim"])
        yield from affine("add_embedding.linear_2", time_width, time_width)

    skips = [channels[0]]
    into = channels[0]
    for i, out in enumerate(channels):
        for j in range(layers):
            yield from resnet(f"down_blocks.{i}.resnets.{j}", into, out, time_width)
            if config["down_block_types"][i].startswith("CrossAttn"):
                yield from transformer(f"down_blocks.{i}.attentions.{j}", out, context, depths[i], linear)
            into = out
            skips.append(out)
        if i != last:
            yield from affine(f"down_blocks.{i}.downsamplers.0.conv", out, out, 3, 3)
            skips.append(out)

    for j in range(2):
        yield from resnet(f"mid_block.resnets.{j}", into, into, time_width)
    yield from transformer("mid_block.attentions.0", into, context, depths[-1], linear)

    for i, out in enumerate(reversed(channels)):
        for j in range(layers + 1):
            yield from resnet(f"up_blocks.{i}.resnets.{j}", into + skips.pop(), out, time_width)
            if config["up_block_types"][i].startswith("CrossAttn"):
                yield from transformer(f"up_blocks.{i}.attentions.{j}", out, context, depths[last - i], linear)
            into = out
        if i != last:
            yield from affine(f"up_blocks.{i}.upsamplers.0.conv", out, out, 3, 3)
    yield from norm("conv_norm_out", into)
    yield from affine("conv_out", config["out_channels"], into, 3, 3)


def vae_middle(name, width):
    yield from resnet(f"{name}.resnets.0", width, width)
    yield from norm(f"{name}.attentions.0.group_norm", width)
    for part in ("to_q", "to_k", "to_v"):
        yield from affine(f"{name}.attentions.0.{part}", width, width)
    yield from affine(f"{name}.attentions.0.to_out.0", width, width, role="branch")
    yield from resnet(f"{name}.resnets.1", width, width)


def vae(config):
    channels, layers, latents = config["block_out_channels"], config["layers_per_block"], config["latent_channels"]
    last = len(channels) - 1
    into = channels[0]
    yield from affine("encoder.conv_in", into, 3, 3, 3)
    for i, out in enumerate(channels):
        for j in range(layers):
            yield from resnet(f"encoder.down_blocks.{i}.resnets.{j}", into, out)
            into = out
        if i != last:
            yield from affine(f"encoder.down_blocks.{i}.downsamplers.0.conv", out, out, 3, 3)
    yield from vae_middle("encoder.mid_block", into)
    yield from norm("encoder.conv_norm_out", into)
    yield from affine("encoder.conv_out", 2 * latents, into, 3, 3)
    yield from affine("quant_conv", 2 * latents, 2 * latents, 1, 1)
    yield from affine("post_quant_conv", latents, latents, 1, 1)
    yield from affine("decoder.conv_in", into, latents, 3, 3)
    yield from vae_middle("decoder.mid_block", into)
    for i, out in enumerate(reversed(channels)):
        for j in range(layers + 1):
            yield from resnet(f"decoder.up_blocks.{i}.resnets.{j}", into, out)
            into = out
        if i != last:
            yield from affine(f"decoder.up_blocks.{i}.upsamplers.0.conv", out, out, 3, 3)
    yield from norm("decoder.conv_norm_out", into)
    yield from affine("decoder.conv_out", 3, into, 3, 3)


def text_encoder(config):
    """CLIPTextModel with the names of transformers before 5, which newer ones read, too; with a projection where the config's
    architecture has one."""
    width, wide = config["hidden_size"], config["intermediate_size"]
    yield Tensor("text_model.embeddings.token_embedding.weight", (config["vocab_size"], width), "table")
    yield Tensor("text_model.embeddings.position_embedding.weight", (config["max_position_embeddings"], width), "table")
    for i in range(config["num_hidden_layers"]):
        layer = f"text_model.encoder.layers.{i}"
        yield from norm(f"{layer}.layer_norm1", width)
        for part in ("q_proj", "k_proj", "v_proj"):
            yield from affine(f"{layer}.self_attn.{part}", width, width)
        yield from affine(f"{layer}.self_attn.out_proj", width, width, role="branch")
        yield from norm(f"{layer}.layer_norm2", width)
        yield from affine(f"{layer}.mlp.fc1", wide, width)
        yield from affine(f"{layer}.mlp.fc2", width, wide, role="branch")
    yield from norm("text_model.final_layer_norm", width)
    if config["architectures"] == ["CLIPTextModelWithProjection"]:
        yield from affine("text_projection", config["projection_dim"], width, bias=False)
