#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes golden/<family>/ beside this file: a tiny random model of the family and what Python diffusers draws with it.

Writes, per family: model/ (see make_tiny_models.py), golden.json (the cases) and golden.safetensors (per case: embeddings,
latents before decoding, picture). Needs torch, diffusers, transformers (5), safetensors. One thread of a CPU, fp32.
"""
import inspect
import json
import pathlib
import platform
import shutil

import diffusers
import torch
import transformers
from make_tiny_models import make_model
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
PROMPT = "a red circle above a blue square, photo!"
SEED = 20
# The weights are fp16 to save space. SDXL's second tokenizer and the old names are for the loader's sake.
MODELS = {
    "sd2": {"tokenizer_layout": "files", "text_prefix": True},
    "sdxl": {"text_prefix": True, "old_vae_names": True},
    "lcm": {"tokenizer_layout": "files"},
}
CASES = {
    "sd2": [
        {"name": "guided", "negative_prompt": "yellow", "guidance_scale": 7.5},
        {"name": "unguided", "guidance_scale": 1},
        {"name": "clip-skip", "negative_prompt": "yellow", "guidance_scale": 5, "clip_skip": 2},
    ],
    "sdxl": [
        {"name": "negative", "negative_prompt": "yellow", "guidance_scale": 7.5},
        {"name": "no-negative", "guidance_scale": 7.5},
        {"name": "empty-negative", "negative_prompt": "", "guidance_scale": 7.5},
        {"name": "unguided", "guidance_scale": 1},
        {"name": "clip-skip", "negative_prompt": "yellow", "guidance_scale": 5, "clip_skip": 1},
        {"name": "oblong", "guidance_scale": 5, "height": 72, "width": 40},
    ],
    "lcm": [
        {"name": "default", "guidance_scale": 8.5},
        {"name": "one", "guidance_scale": 1},
        {"name": "clip-skip", "guidance_scale": 2.5, "clip_skip": 1},
    ],
}
STEPS = 4


def conditioning(pipe, case):
    """Name -> tensor of what the text became, without the dimension of the batch."""
    known = inspect.signature(pipe.encode_prompt).parameters
    guided = case["guidance_scale"] > 1 and pipe.unet.config.time_cond_proj_dim is None
    arguments = {"prompt": PROMPT, "device": "cpu", "num_images_per_prompt": 1, "do_classifier_free_guidance": guided,
                 "negative_prompt": case.get("negative_prompt"), "clip_skip": case.get("clip_skip")}
    encoded = pipe.encode_prompt(**{key: value for key, value in arguments.items() if key in known})
    names = ["prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds"]
    return {name: tensor[0].contiguous() for name, tensor in zip(names, encoded) if tensor is not None}


def draw(pipe, case):
    kept = {}

    def keep(_pipe, _index, _timestep, kwargs):
        kept["latents"] = kwargs["latents"].clone()
        return kwargs

    arguments = {key: value for key, value in case.items() if key != "name"}
    image = pipe(PROMPT, num_inference_steps=STEPS, generator=torch.Generator("cpu").manual_seed(SEED),
                 output_type="np", callback_on_step_end=keep, **arguments).images[0]
    return {"latents": kept["latents"][0], "image": torch.from_numpy((image * 255).round().astype("uint8"))}


def make(family):
    folder = HERE / "golden" / family
    shutil.rmtree(folder, ignore_errors=True)
    make_model(family, folder / "model", dtype=torch.float16, **MODELS[family])
    pipe = diffusers.DiffusionPipeline.from_pretrained(folder / "model", torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    # clip_skip looks for the final norm where transformers before 5 had it.
    vars(pipe.text_encoder).setdefault("text_model", pipe.text_encoder)
    tensors = {}
    for case in CASES[family]:
        for name, tensor in {**conditioning(pipe, case), **draw(pipe, case)}.items():
            tensors[f"{case['name']}.{name}"] = tensor.contiguous()
    save_file(tensors, folder / "golden.safetensors")
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__,
                "transformers": transformers.__version__, "python": platform.python_version()}
    document = {"made_by": "make_family_golden.py", "versions": versions, "prompt": PROMPT, "seed": SEED,
                "steps": STEPS, "cases": CASES[family]}
    (folder / "golden.json").write_text(json.dumps(document, indent=1) + "\n")
    print(f"{len(CASES[family])} cases -> {folder}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    with torch.no_grad():
        for each in MODELS:
            make(each)
