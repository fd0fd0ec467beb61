#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the golden values of image to image and inpainting that image_parity_test compares the pipeline with, by running
Python diffusers on models/tiny-shapes.

Writes, into golden/ beside this file:
  init.png, mask.png            what the pictures start from: 80x72, so that they are scaled
  image_parity.safetensors      per case: latents before decoding and the picture
  image_parity.json             the cases and the versions of the libraries that made them

Needs: torch, diffusers, transformers (5), safetensors, pillow (below 13 or such that it scales rows first: see
tests/unit/pipeline/make_resize_golden.py). Run on one thread of a CPU, in fp32.
"""
import json
import os
import pathlib
import platform

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import diffusers  # noqa: E402
import PIL  # noqa: E402
import torch  # noqa: E402
from PIL import Image, ImageDraw  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parents[1] / "models" / "tiny-shapes"
PROMPT = "a blue circle on a white background"
NEGATIVE = "red"
SEED = 1234
GUIDANCE = 4
SIZE = 64
SCHEDULERS = {
    "pndm": diffusers.PNDMScheduler,
    "ddim": diffusers.DDIMScheduler,
    "euler": diffusers.EulerDiscreteScheduler,
    "euler_a": diffusers.EulerAncestralDiscreteScheduler,
    "dpmpp_2m": diffusers.DPMSolverMultistepScheduler,
    "unipc": diffusers.UniPCMultistepScheduler,
    "lcm": diffusers.LCMScheduler,
}
# kind, scheduler, steps, strength; "masked" is inpainting with a UNet that takes the mask as input
CASES = [
    ("image", "ddim", 4, 0.3), ("image", "pndm", 4, 0.75), ("image", "euler", 20, 0.75), ("image", "euler", 4, 1.0),
    ("image", "dpmpp_2m", 4, 0.75), ("image", "unipc", 4, 0.75), ("image", "euler_a", 4, 0.75), ("image", "lcm", 4, 0.75),
    ("inpaint", "ddim", 4, 0.75), ("inpaint", "pndm", 20, 0.3), ("inpaint", "euler", 4, 1.0),
    ("inpaint", "dpmpp_2m", 4, 0.75), ("inpaint", "euler_a", 4, 1.0), ("masked", "euler", 4, 1.0), ("masked", "ddim", 4, 0.75),
]


def draw_inputs():
    init = Image.new("RGB", (80, 72), (255, 255, 255))
    ImageDraw.Draw(init).ellipse((8, 14, 44, 50), fill=(220, 30, 30))
    mask = Image.new("L", (80, 72), 0)
    ImageDraw.Draw(mask).rectangle((38, 30, 79, 71), fill=255)
    init.save(HERE / "golden" / "init.png")
    mask.save(HERE / "golden" / "mask.png")
    return init, mask


def widen(unet):
    """Five more input channels, with weights that image_parity_test makes by the same rule."""
    old = unet.conv_in.weight
    values = (torch.arange(old.shape[0] * 5 * 9) * 7919 % 101 - 50).to(old.dtype) / 512
    wide = torch.nn.Conv2d(9, old.shape[0], 3, padding=1)
    wide.weight = torch.nn.Parameter(torch.cat([old, values.view(old.shape[0], 5, 3, 3)], 1))
    wide.bias = unet.conv_in.bias
    unet.conv_in = wide
    unet.register_to_config(in_channels=9)
    return unet


def draw(pipe, inputs, scheduler, steps, strength):
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = scheduler
    kept = {}

    def keep(_pipe, _index, _timestep, kwargs):
        kept["latents"] = kwargs["latents"].clone()
        return kwargs

    image = pipe(PROMPT, negative_prompt=NEGATIVE, strength=strength, num_inference_steps=steps, guidance_scale=GUIDANCE,
                 generator=torch.Generator("cpu").manual_seed(SEED), output_type="np", callback_on_step_end=keep,
                 **inputs).images[0]
    return kept["latents"][0].contiguous(), torch.from_numpy((image * 255).round().astype("uint8")).contiguous()


def main():
    torch.set_num_threads(1)
    init, mask = draw_inputs()
    text = diffusers.StableDiffusionPipeline.from_pretrained(MODEL, torch_dtype=torch.float32)
    parts = {**text.components, "safety_checker": None, "requires_safety_checker": False}
    wide = widen(diffusers.UNet2DConditionModel.from_pretrained(MODEL / "unet"))
    pipes = {"image": diffusers.StableDiffusionImg2ImgPipeline(**parts),
             "inpaint": diffusers.StableDiffusionInpaintPipeline(**parts),
             "masked": diffusers.StableDiffusionInpaintPipeline(**{**parts, "unet": wide})}
    inpaint_inputs = {"image": init, "mask_image": mask, "height": SIZE, "width": SIZE}
    inputs = {"image": {"image": init.resize((SIZE, SIZE), Image.LANCZOS)}, "inpaint": inpaint_inputs,
              "masked": inpaint_inputs}
    tensors, cases = {}, []
    for kind, scheduler, steps, strength in CASES:
        name = f"{kind}-{scheduler}-{steps}-{strength}"
        made = SCHEDULERS[scheduler].from_config(text.scheduler.config)
        latents, image = draw(pipes[kind], inputs[kind], made, steps, strength)
        tensors[name + ".latents"], tensors[name + ".image"] = latents, image
        cases.append({"name": name, "kind": kind, "scheduler": scheduler, "steps": steps, "strength": strength})
    save_file(tensors, HERE / "golden" / "image_parity.safetensors")
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "pillow": PIL.__version__,
                "python": platform.python_version()}
    document = {"made_by": "make_image_golden.py", "versions": versions, "prompt": PROMPT, "negative_prompt": NEGATIVE,
                "seed": SEED, "guidance_scale": GUIDANCE, "size": SIZE, "cases": cases}
    (HERE / "golden" / "image_parity.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    with torch.no_grad():
        main()
