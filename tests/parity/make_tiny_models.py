#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tiny model folders of every family, with random weights, as diffusers saves them.

What they draw means nothing, but it depends on every weight and every setting, so that two programs which draw the same
with them compute the same. Needs: torch, diffusers, transformers (5), safetensors.
"""
import argparse
import json
import os
import pathlib

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import diffusers  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer  # noqa: E402

FAMILIES = ("sd1", "sd2", "sdxl", "lcm")
START, END, WORD_END = "<|startoftext|>", "<|endoftext|>", "</w>"
TOKENS = 77
WORDS = "a an the red green blue yellow circle square triangle star on above below white black background photo of cat".split()

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
PUBLISHED = {**BETAS, "steps_offset": 1}
SCHEDULERS = {
    "sd1": ("PNDMScheduler", {**PUBLISHED, "set_alpha_to_one": False, "skip_prk_steps": True}),
    "sd2": ("DDIMScheduler", {**PUBLISHED, "set_alpha_to_one": False, "clip_sample": False,
                              "prediction_type": "v_prediction"}),
    "sdxl": ("EulerDiscreteScheduler", {**PUBLISHED, "timestep_spacing": "leading", "interpolation_type": "linear"}),
    "lcm": ("LCMScheduler", {**PUBLISHED, "clip_sample": False, "set_alpha_to_one": True, "original_inference_steps": 50}),
}


def byte_characters():
    """The printable stand-in of every byte, in the order in which CLIP's vocabulary begins."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(256 - len(printable))]


def vocabulary():
    """Token -> id, and the merges: enough of them that each of WORDS is one token."""
    tokens = byte_characters()
    tokens += [char + WORD_END for char in tokens]
    merges = []
    for word in WORDS:
        parts = [*word[:-1], word[-1] + WORD_END]
        while len(parts) > 1:
            pair = (parts[0], parts[1])
            if pair not in merges:
                merges.append(pair)
                tokens.append("".join(pair))
            parts[:2] = ["".join(pair)]
    # A word that begins like an earlier one makes the same token by the same merge.
    tokens = list(dict.fromkeys(tokens)) + [START, END]
    return {token: i for i, token in enumerate(tokens)}, merges


def write_tokenizer(folder, pad, layout):
    """layout: "json" (tokenizer.json, as transformers 5 saves it) or "files" (vocab.json and merges.txt)."""
    ids, merges = vocabulary()
    if layout == "json":
        CLIPTokenizer(vocab=ids, merges=merges, pad_token=pad, model_max_length=TOKENS).save_pretrained(folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": pad}
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": TOKENS, "do_lower_case": True, **special}
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(f"{a} {b}" for a, b in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n")


def text_config(ids, settings):
    config = {"vocab_size": len(ids), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3,
              "num_attention_heads": 4, "max_position_embeddings": TOKENS, "hidden_act": "quick_gelu",
              "projection_dim": 32, "bos_token_id": ids[START], "eos_token_id": ids[END], "pad_token_id": 1}
    return CLIPTextConfig(**{**config, **settings})


def unet_settings(family, text_width, pooled_width):
    settings = {"block_out_channels": [16, 24], "layers_per_block": 1, "norm_num_groups": 8, "sample_size": 8,
                "in_channels": 4, "out_channels": 4, "cross_attention_dim": text_width, "attention_head_dim": 4,
                "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
                "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"]}
    if family in ("sd2", "sdxl"):
        settings |= {"attention_head_dim": [2, 4], "use_linear_projection": True}
    if family == "sdxl":
        time_width = 8
        settings |= {"down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
                     "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"], "transformer_layers_per_block": [1, 2],
                     "addition_embed_type": "text_time", "addition_time_embed_dim": time_width,
                     "projection_class_embeddings_input_dim": 6 * time_width + pooled_width}
    if family == "lcm":
        settings["time_cond_proj_dim"] = 16
    return settings


def vae_settings(family):
    return {"block_out_channels": [8, 8, 16, 16], "layers_per_block": 1, "norm_num_groups": 4, "latent_channels": 4,
            "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4,
            "sample_size": 64, "scaling_factor": 0.13025 if family == "sdxl" else 0.18215}


def stir(model):
    """Biases and norms begin as zeros and ones, which would hide one that is left out."""
    for parameter in model.parameters():
        noise = torch.randn_like(parameter)
        parameter.data.add_(noise * (0.1 if parameter.dim() == 1 else 0.02))
    return model


def use_old_vae_names(folder):
    """The names that checkpoints had before diffusers 0.12."""
    for path in folder.glob("*.safetensors"):
        tensors = load_file(path)
        for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
            tensors = {name.replace(f".attentions.0.{new}.", f".attentions.0.{old}."): t for name, t in tensors.items()}
        save_file(tensors, path, metadata={"format": "pt"})


def use_text_prefix(folder):
    """The names that checkpoints have which transformers before 5 saved."""
    for path in folder.glob("*.safetensors"):
        tensors = {name if name.startswith(("text_model.", "text_projection.")) else "text_model." + name: tensor
                   for name, tensor in load_file(path).items()}
        tensors["text_model.embeddings.position_ids"] = torch.arange(TOKENS).unsqueeze(0)
        save_file(tensors, path, metadata={"format": "pt"})


def make_model(family, folder, seed=0, *, dtype=torch.float32, tokenizer_layout="json", scheduler=None,
               scheduler_config=None, text=None, text_2=None, unet=None, vae=None, index=None, variant=None,
               max_shard_size=None, old_vae_names=False, text_prefix=False):
    """Writes a model of `family` (one of FAMILIES) into `folder` and returns its path.

    scheduler            name of a diffusers class, instead of the family's own
    scheduler_config     keys over those of the family
    text, text_2, unet, vae, index   keys over those of the part's config, or of model_index.json (and so of the pipeline)
    variant, max_shard_size   as of save_pretrained: "fp16"; "50KB"
    old_vae_names, text_prefix   tensor names as older libraries wrote them
    """
    torch.manual_seed(seed)
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    folder = pathlib.Path(folder)
    ids, _ = vocabulary()
    gelu = {"hidden_act": "gelu"}
    first = text_config(ids, (gelu if family == "sd2" else {}) | (text or {}))
    parts = {"text_encoder": stir(CLIPTextModel(first))}
    pads = {"tokenizer": "!" if family == "sd2" else END}
    width, pooled = first.hidden_size, 0
    if family == "sdxl":
        # eos_token_id 2 is what the published file says, and it has a meaning of its own.
        second = text_config(ids, {"hidden_size": 48, "intermediate_size": 96, "projection_dim": 40, "eos_token_id": 2,
                                   **gelu, **(text_2 or {})})
        parts["text_encoder_2"] = stir(CLIPTextModelWithProjection(second))
        pads["tokenizer_2"] = "!"
        width, pooled = width + second.hidden_size, second.projection_dim
    parts["unet"] = stir(diffusers.UNet2DConditionModel(**{**unet_settings(family, width, pooled), **(unet or {})}))
    parts["vae"] = stir(diffusers.AutoencoderKL(**{**vae_settings(family), **(vae or {})}))
    class_name, config = SCHEDULERS[family]
    scheduler_class = getattr(diffusers, scheduler or class_name)
    config = {**config, **(scheduler_config or {})}
    if scheduler and scheduler != class_name:
        known = scheduler_class().config
        config = {key: value for key, value in config.items() if key in known}
    for name, part in parts.items():
        part.to(dtype).save_pretrained(folder / name, variant=variant,
                                       **({"max_shard_size": max_shard_size} if max_shard_size else {}))
    scheduler_class(**config).save_pretrained(folder / "scheduler")
    for name, pad in pads.items():
        write_tokenizer(folder / name, pad, tokenizer_layout)
    if old_vae_names:
        use_old_vae_names(folder / "vae")
    if text_prefix:
        for name in parts.keys() & {"text_encoder", "text_encoder_2"}:
            use_text_prefix(folder / name)
    write_index(family, folder, parts, scheduler_class, index or {})
    return folder


def write_index(family, folder, parts, scheduler_class, extra):
    pipeline = {"sdxl": "StableDiffusionXLPipeline", "lcm": "LatentConsistencyModelPipeline"}
    index = {"_class_name": pipeline.get(family, "StableDiffusionPipeline"), "_diffusers_version": diffusers.__version__}
    if family == "sdxl":
        index |= {"force_zeros_for_empty_prompt": True, "add_watermarker": None, "tokenizer_2": ["transformers", "CLIPTokenizer"]}
    else:
        index |= {"requires_safety_checker": False, "safety_checker": [None, None]}
    index |= {"feature_extractor": [None, None], "image_encoder": [None, None],
              "scheduler": ["diffusers", scheduler_class.__name__], "tokenizer": ["transformers", "CLIPTokenizer"]}
    for name, part in parts.items():
        index[name] = ["transformers" if name.startswith("text") else "diffusers", type(part).__name__]
    (folder / "model_index.json").write_text(json.dumps({**index, **extra}, indent=2, sort_keys=True) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path, help="folder for one folder per family")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=FAMILIES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fp16", action="store_true", help="half the size")
    options = parser.parse_args()
    for family in options.families:
        print(make_model(family, options.out / family, options.seed,
                         dtype=torch.float16 if options.fp16 else torch.float32))


if __name__ == "__main__":
    main()
