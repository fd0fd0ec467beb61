#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a model folder in diffusers layout with random fp16 weights: the sizes of Stable Diffusion 1.5 or SDXL, or small ones of
the same make. What it draws means nothing; it takes as long as the real one, and is finite.

    bench/random_model.py --family sd15|sdxl [--size full|small] [--seed 0] DIR

Plain Python. Equal arguments give equal bytes. Full sizes: sd15 2.1 GB, sdxl 6.9 GB, some 3 s a gigabyte on one core. A folder that
holds the model already is left alone, and one that holds anything else is refused.
"""

import argparse
import hashlib
import json
import random
import struct
import sys
from pathlib import Path
from statistics import NormalDist

import model_shapes

START, END, WORD_END = "<|startoftext|>", "<|endoftext|>", "</w>"
LETTERS = "etaoinshrdlcumwfgypbvkjxqz"
CHUNK_VALUES = 1 << 24

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "steps_offset": 1}
SCHEDULERS = {
    "sd15": {"_class_name": "DDIMScheduler", **BETAS, "clip_sample": False, "set_alpha_to_one": False, "prediction_type": "epsilon"},
    "sdxl": {"_class_name": "EulerDiscreteScheduler", **BETAS, "timestep_spacing": "leading", "interpolation_type": "linear", "prediction_type": "epsilon"},
}  # fmt: skip


def text_config(layers, width, heads, vocabulary, projection=None):
    """Of CLIPTextModel, or with `projection` of CLIPTextModelWithProjection."""
    return {
        "architectures": ["CLIPTextModelWithProjection" if projection else "CLIPTextModel"], "model_type": "clip_text_model",
        "vocab_size": vocabulary, "hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers,
        "num_attention_heads": heads, "max_position_embeddings": 77, "layer_norm_eps": 1e-5, "projection_dim": projection or width,
        "hidden_act": "gelu" if projection else "quick_gelu", "bos_token_id": vocabulary - 2, "eos_token_id": vocabulary - 1, "pad_token_id": 1,
    }  # fmt: skip


def unet_config(channels, layers, heads, context, attention_blocks, depths=1, linear=False, sample_size=64, extra=None):
    down = ["CrossAttnDownBlock2D" if with_attention else "DownBlock2D" for with_attention in attention_blocks]
    up = ["CrossAttnUpBlock2D" if with_attention else "UpBlock2D" for with_attention in reversed(attention_blocks)]
    return {
        "_class_name": "UNet2DConditionModel", "act_fn": "silu", "attention_head_dim": heads, "block_out_channels": channels,
        "cross_attention_dim": context, "down_block_types": down, "up_block_types": up, "in_channels": 4, "out_channels": 4,
        "layers_per_block": layers, "norm_num_groups": 32, "norm_eps": 1e-5, "sample_size": sample_size, "flip_sin_to_cos": True, "freq_shift": 0,
        "downsample_padding": 1, "transformer_layers_per_block": depths, "use_linear_projection": linear, **(extra or {}),
    }  # fmt: skip


def vae_config(channels, layers, scaling_factor, sample_size):
    return {
        "_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": channels, "layers_per_block": layers, "latent_channels": 4,
        "in_channels": 3, "out_channels": 3, "norm_num_groups": 32, "sample_size": sample_size, "scaling_factor": scaling_factor,
        "force_upcast": False, "down_block_types": ["DownEncoderBlock2D"] * len(channels), "up_block_types": ["UpDecoderBlock2D"] * len(channels),
    }  # fmt: skip


def sdxl_extra(time_width, pooled):
    return {"addition_embed_type": "text_time", "addition_time_embed_dim": time_width, "projection_class_embeddings_input_dim": 6 * time_width + pooled}


def configs_of(family, size):
    """part -> config. The small ones differ from the full ones in widths and depths only."""
    full = size == "full"
    vocabulary = 49408 if full else 1024
    channels = [320, 640, 1280, 1280] if full else [32, 64, 64, 64]
    vae_channels = [128, 256, 512, 512] if full else [32, 32, 64, 64]
    layers, pixels = (2, {"sd15": 512, "sdxl": 1024}[family]) if full else (1, 64)
    if family == "sd15":
        width = 768 if full else 64
        return {
            "text_encoder": text_config(12 if full else 2, width, 12 if full else 4, vocabulary),
            "unet": unet_config(channels, layers, 8 if full else 4, width, [True, True, True, False], sample_size=pixels // 8),
            "vae": vae_config(vae_channels, layers, 0.18215, pixels),
        }
    widths = (768, 1280) if full else (64, 96)
    heads, depths = ([5, 10, 20], [1, 2, 10]) if full else ([2, 4, 4], [1, 1, 2])
    return {
        "text_encoder": text_config(12 if full else 2, widths[0], 12 if full else 4, vocabulary),
        "text_encoder_2": text_config(32 if full else 2, widths[1], 20 if full else 4, vocabulary, projection=widths[1]),
        "unet": unet_config(channels[:3], layers, heads, sum(widths), [False, True, True], depths, linear=True, sample_size=pixels // 8,
                            extra=sdxl_extra(256 if full else 32, widths[1])),
        "vae": vae_config(vae_channels, layers, 0.13025, pixels),
    }  # fmt: skip


TENSORS_OF = {"text_encoder": model_shapes.text_encoder, "text_encoder_2": model_shapes.text_encoder, "unet": model_shapes.unet, "vae": model_shapes.vae}


def levels():
    """256 values whose even mixture is nearly a normal distribution of variance 1: a random byte picks one."""
    values = [NormalDist().inv_cdf((index + 0.5) / 256) for index in range(256)]
    deviation = (sum(value * value for value in values) / 256) ** 0.5
    return [value / deviation for value in values]


LEVELS = levels()
# What a residual adds is small beside what it is added to, as in trained models: else hundreds of additions leave fp16's range.
SCALES = {"weight": lambda tensor: tensor.fan_in**-0.5, "branch": lambda tensor: 0.5 * tensor.fan_in**-0.5, "bias": lambda _: 0.02,
          "table": lambda _: 0.1, "scale": lambda _: 0.05}  # fmt: skip


def fp16_chunks(tensor, seed):
    """The tensor's bytes, in pieces. Its own name and the seed decide them, not the tensors before it."""
    source = random.Random(hashlib.sha256(f"{seed} {tensor.name}".encode()).digest())
    middle = 1.0 if tensor.role == "scale" else 0.0
    words = [struct.pack("<e", middle + SCALES[tensor.role](tensor) * level) for level in LEVELS]
    low, high = (bytes(word[i] for word in words) for i in (0, 1))
    left = tensor.size
    while left > 0:
        count = min(left, CHUNK_VALUES)
        picks = source.randbytes(count)
        chunk = bytearray(2 * count)
        chunk[0::2] = picks.translate(low)
        chunk[1::2] = picks.translate(high)
        yield chunk
        left -= count


def write_safetensors(path, tensors, seed):
    header, position = {"__metadata__": {"format": "pt"}}, 0
    for tensor in tensors:
        header[tensor.name] = {"dtype": "F16", "shape": tensor.shape, "data_offsets": [position, position + 2 * tensor.size]}
        position += 2 * tensor.size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors:
            for chunk in fp16_chunks(tensor, seed):
                file.write(chunk)


def byte_characters():
    """The printable stand-in of every byte, in the order in which CLIP's vocabulary begins."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(256 - len(printable))]


def merge_candidates():
    """Pairs in the order in which they are learnt: all of two letters, then of three, then of four."""
    pieces = [""]
    for length in range(1, 4):
        pieces = [piece + letter for piece in pieces for letter in LETTERS]
        for ending in ("", WORD_END):
            if length < 3 or ending:
                yield from ((piece, letter + ending) for piece in pieces for letter in LETTERS)


def vocabulary(size):
    """(token -> id, merges) of a byte-level BPE in CLIP's order: `size` tokens, start and end the last two."""
    tokens = byte_characters()
    tokens += [character + WORD_END for character in tokens]
    merges = [pair for pair, _ in zip(merge_candidates(), range(size - len(tokens) - 2))]
    tokens += [first + second for first, second in merges] + [START, END]
    return {token: index for index, token in enumerate(tokens)}, merges


def write_json(path, document):
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_tokenizer(folder, size, pad):
    folder.mkdir()
    ids, merges = vocabulary(size)
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": pad}
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("".join(["#version: 0.2\n", *(f"{a} {b}\n" for a, b in merges)]), encoding="utf-8")
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, **special})
    write_json(folder / "special_tokens_map.json", special)


def model_index(family, configs):
    index = {"_class_name": "StableDiffusionXLPipeline" if family == "sdxl" else "StableDiffusionPipeline", "feature_extractor": [None, None],
             "image_encoder": [None, None], "scheduler": ["diffusers", SCHEDULERS[family]["_class_name"]], "tokenizer": ["transformers", "CLIPTokenizer"],
             "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}  # fmt: skip
    for part in configs:
        if part.startswith("text_encoder"):
            index[part] = ["transformers", configs[part]["architectures"][0]]
    if family == "sdxl":
        return {**index, "tokenizer_2": ["transformers", "CLIPTokenizer"], "force_zeros_for_empty_prompt": True, "add_watermarker": None}
    return {**index, "safety_checker": [None, None], "requires_safety_checker": False}


def make(family, size, seed, folder):
    """model_index.json comes last: a folder that has it is whole."""
    configs = configs_of(family, size)
    folder.mkdir(parents=True, exist_ok=True)
    for part, config in configs.items():
        (folder / part).mkdir()
        write_json(folder / part / "config.json", config)
        name = "model" if part.startswith("text_encoder") else "diffusion_pytorch_model"
        write_safetensors(folder / part / f"{name}.safetensors", list(TENSORS_OF[part](config)), f"{seed} {part}")
    (folder / "scheduler").mkdir()
    write_json(folder / "scheduler" / "scheduler_config.json", SCHEDULERS[family])
    write_tokenizer(folder / "tokenizer", configs["text_encoder"]["vocab_size"], END)
    if family == "sdxl":
        write_tokenizer(folder / "tokenizer_2", configs["text_encoder_2"]["vocab_size"], "!")
    write_json(folder / "model_index.json", model_index(family, configs))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=SCHEDULERS, required=True)
    parser.add_argument("--size", choices=("full", "small"), default="full")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("folder", type=Path, metavar="DIR")
    options = parser.parse_args()
    if (options.folder / "model_index.json").exists():
        print(f"random_model.py: {options.folder} holds a model already", file=sys.stderr)
        return 0
    if options.folder.exists() and any(options.folder.iterdir()):
        print(f"random_model.py: {options.folder} is not empty, and holds no whole model: remove it first", file=sys.stderr)
        return 1
    make(options.family, options.size, options.seed, options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
