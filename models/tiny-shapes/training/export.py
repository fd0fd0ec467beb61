# SPDX-License-Identifier: Apache-2.0
"""The folder that diffusers loads, in half precision."""

import json
import shutil

import torch

from networks import NOISE, new_vae
from settings import Settings
from unet import load_trained


def make(settings: Settings) -> None:
    """Stage 'export'."""
    shutil.rmtree(settings.model, ignore_errors=True)
    settings.model.mkdir(parents=True)
    shutil.copytree(settings.work / "tokenizer", settings.model / "tokenizer")
    _export_scheduler(settings)
    _export_vae(settings)
    denoiser = load_trained(settings)
    denoiser.unet.half().save_pretrained(settings.model / "unet", safe_serialization=True)
    denoiser.text.half().save_pretrained(settings.model / "text_encoder", safe_serialization=True)
    _publish_text_encoder(settings)
    _write_index(settings)
    size = sum(file.stat().st_size for file in settings.model.rglob("*") if file.is_file())
    print(f"export: {size} bytes in {settings.model}")


def _export_scheduler(settings: Settings) -> None:
    from diffusers import EulerDiscreteScheduler

    scheduler = EulerDiscreteScheduler(**NOISE, timestep_spacing="leading", steps_offset=1)
    # For DDIM and PNDM, when somebody builds them from this config. DDIM would clip its guess of the clean latents to
    # -1..1, which these latents exceed.
    scheduler.register_to_config(clip_sample=False, set_alpha_to_one=False, skip_prk_steps=True)
    scheduler.save_pretrained(settings.model / "scheduler")


def _export_vae(settings: Settings) -> None:
    vae = new_vae()
    vae.load_state_dict(torch.load(settings.work / "vae-final.pt", map_location="cpu"))
    scale = torch.load(settings.work / "latents.pt", map_location="cpu", mmap=True)["scale"]
    vae.register_to_config(scaling_factor=round(float(scale), 5))
    vae.half().save_pretrained(settings.model / "vae", safe_serialization=True)


def _publish_text_encoder(settings: Settings) -> None:
    """Makes the text encoder look like the published ones: transformers 5 writes it otherwise in two respects."""
    from safetensors.torch import load_file, save_file

    folder = settings.model / "text_encoder"
    # Published files carry this prefix; readers of any version accept it.
    tensors = load_file(folder / "model.safetensors")
    tensors = {"text_model." + name.removeprefix("text_model."): tensor for name, tensor in tensors.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    # A config that says float16 makes a plain from_pretrained mix a half text encoder with a float UNet.
    config = json.loads((folder / "config.json").read_text()) | {"dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def _write_index(settings: Settings) -> None:
    import diffusers

    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": diffusers.__version__,
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (settings.model / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
