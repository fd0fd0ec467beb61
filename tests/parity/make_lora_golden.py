#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes two random LoRAs for models/tiny-shapes and what Python diffusers draws with them.

Writes, into golden/lora/ beside this file:
  peft.safetensors    rank 2, every attention projection and one convolution of the UNet, and the text encoder's
                      attention; in the names of diffusers and PEFT
  kohya.safetensors   rank 3 with alpha 1.5, attention, proj_in and time embeddings of the UNet, in the names of kohya-ss
  lora.safetensors    per case: latents before decoding and the picture
  lora.json           the cases and the versions of the libraries that made them

Needs: torch, diffusers, transformers (5), peft, safetensors. Run on one thread of a CPU, in fp32.
"""
import json
import os
import pathlib

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import diffusers  # noqa: E402
import peft  # noqa: E402
import torch  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "golden" / "lora"
MODEL = HERE.parents[1] / "models" / "tiny-shapes"
PROMPT = "a small yellow star above a blue square on a black background"
NEGATIVE = "red, blurry"
SEED = 1234
SCHEDULERS = {"ddim": diffusers.DDIMScheduler, "euler": diffusers.EulerDiscreteScheduler}
CASES = [
    {"name": "peft", "loras": [["peft", 0.8]], "scheduler": "ddim", "steps": 4},
    {"name": "kohya", "loras": [["kohya", 1.0]], "scheduler": "euler", "steps": 20},
    {"name": "both", "loras": [["peft", 0.6], ["kohya", -0.5]], "scheduler": "euler", "steps": 4},
]
GUIDANCE = 5


def factors(layer, rank, generator):
    """down and up for a linear layer or a convolution, small enough that the picture stays one."""
    weight = layer.weight
    if weight.dim() == 4:
        down = torch.randn(rank, *weight.shape[1:], generator=generator)
        up = torch.randn(weight.shape[0], rank, 1, 1, generator=generator)
    else:
        down = torch.randn(rank, weight.shape[1], generator=generator)
        up = torch.randn(weight.shape[0], rank, generator=generator)
    return down / down[0].numel() ** 0.5, 0.15 * up / rank


def layers(model, *endings):
    return [(name, module) for name, module in model.named_modules() if name.endswith(endings)]


def make_peft(pipe, path):
    generator = torch.Generator().manual_seed(1)
    chosen = [("unet." + name, layer) for name, layer in layers(pipe.unet, "to_q", "to_k", "to_v", "to_out.0", "conv_in")]
    chosen += [("text_encoder." + name, layer) for name, layer in layers(pipe.text_encoder, "q_proj", "v_proj", "out_proj")]
    tensors = {}
    for name, layer in chosen:
        down, up = factors(layer, 2, generator)
        tensors[name + ".lora_A.weight"] = down.half().contiguous()
        tensors[name + ".lora_B.weight"] = up.half().contiguous()
    save_file(tensors, path)


def make_kohya(pipe, path):
    generator = torch.Generator().manual_seed(2)
    tensors = {}
    for name, layer in layers(pipe.unet, "attn1.to_q", "attn2.to_v", "proj_in", "ff.net.2"):
        down, up = factors(layer, 3, generator)
        flat = "lora_unet_" + name.replace(".", "_")
        tensors[flat + ".lora_down.weight"] = down.half().contiguous()
        tensors[flat + ".lora_up.weight"] = up.half().contiguous()
        tensors[flat + ".alpha"] = torch.tensor(1.5)
    save_file(tensors, path)


def draw(pipe, case):
    pipe.scheduler = SCHEDULERS[case["scheduler"]].from_config(pipe.own_scheduler_config)
    pipe.set_adapters([name for name, _ in case["loras"]], [weight for _, weight in case["loras"]])
    kept = {}

    def keep(_pipe, _index, _timestep, kwargs):
        kept["latents"] = kwargs["latents"].clone()
        return kwargs

    image = pipe(PROMPT, negative_prompt=NEGATIVE, num_inference_steps=case["steps"], guidance_scale=GUIDANCE,
                 generator=torch.Generator("cpu").manual_seed(SEED), output_type="np",
                 callback_on_step_end=keep).images[0]
    return kept["latents"][0], torch.from_numpy((image * 255).round().astype("uint8"))


@torch.no_grad()
def main():
    OUT.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(MODEL, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    pipe.own_scheduler_config = pipe.scheduler.config
    make_peft(pipe, OUT / "peft.safetensors")
    make_kohya(pipe, OUT / "kohya.safetensors")
    for name in ("peft", "kohya"):
        pipe.load_lora_weights(OUT, weight_name=name + ".safetensors", adapter_name=name)
    tensors = {}
    for case in CASES:
        latents, image = draw(pipe, case)
        tensors[case["name"] + ".latents"] = latents.contiguous()
        tensors[case["name"] + ".image"] = image.contiguous()
    save_file(tensors, OUT / "lora.safetensors")
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "peft": peft.__version__}
    document = {"made_by": "make_lora_golden.py", "versions": versions, "prompt": PROMPT, "negative_prompt": NEGATIVE,
                "seed": SEED, "guidance_scale": GUIDANCE, "cases": CASES}
    (OUT / "lora.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
