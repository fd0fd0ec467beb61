#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains a LoRA on this folder's model: every figure gets a thick black outline, without a word in the prompt.

The low-rank changes are to the UNet's attention alone. Equal options give equal steps; the weights may differ in their
last bits between machines. The file is in the layout of kohya-ss: "lora_unet_...lora_down.weight", "lora_up", "alpha".
"""

import argparse
import random
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

import captions
import pictures
import scenes
from evaluation import FOLDER_OF_THE_MODEL
from networks import NOISE
from pictures import Figure
from settings import SEED, TOKENS, TRAINING_STEPS

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

RANK = 4
ALPHA = 4.0
LAYERS = ("to_q", "to_k", "to_v", "to_out.0")
"""The projections of every attention."""
OUTLINE = 4.0
"""Pixels that a figure gives up to its outline."""
PICTURES = 3000
EMPTY_SHARE = 0.1
WARM_UP = 50


def draw_outlined(scene: scenes.Scene) -> NDArray[np.uint8]:
    """A figure in black, and the same one on it, smaller, in its colour."""
    figures = []
    for figure in scene.figures:
        inner = Figure(figure.shape, figure.colour, figure.x, figure.y, max(figure.radius - OUTLINE, 3.0))
        figures += [Figure(figure.shape, "black", figure.x, figure.y, figure.radius), inner]
    return pictures.draw(scene.background, figures)


def _training_scene(rng: random.Random) -> scenes.Scene:
    """None with black in it, where an outline would not show."""
    while True:
        scene = scenes.sample(rng)
        if scene.background != "black" and all(figure.colour != "black" for figure in scene.figures):
            return scene


@torch.no_grad()
def _examples(pipeline: "StableDiffusionPipeline", rng: random.Random) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents [n, C, h, w] of outlined pictures, and their captions' embeddings [n, TOKENS, width]."""
    latents, embeddings = [], []
    for _ in range(PICTURES // 100):
        told = [_training_scene(rng) for _ in range(100)]
        images = torch.from_numpy(np.stack([draw_outlined(scene) for scene in told]))
        pixels = images.permute(0, 3, 1, 2).float() / 127.5 - 1
        latents.append(pipeline.vae.encode(pixels).latent_dist.mean * pipeline.vae.config.scaling_factor)
        texts = ["" if rng.random() < EMPTY_SHARE else captions.describe(rng, scene) for scene in told]
        ids = pipeline.tokenizer(texts, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt")
        embeddings.append(pipeline.text_encoder(ids.input_ids).last_hidden_state)
    return torch.cat(latents), torch.cat(embeddings)


def train(pipeline: "StableDiffusionPipeline", steps: int, batch: int, rate: float) -> None:
    """Leaves the trained adapter in the pipeline's UNet."""
    from diffusers import DDPMScheduler
    from peft import LoraConfig

    torch.manual_seed(SEED)
    latents, embeddings = _examples(pipeline, random.Random(SEED + 2))
    signal = DDPMScheduler(**NOISE).alphas_cumprod
    unet = pipeline.unet.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=list(LAYERS)))
    weights = [weight for weight in unet.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.99), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda k: min(1.0, (k + 1) / WARM_UP) * 0.5 * (1 + np.cos(np.pi * k / steps))
    )
    losses = []
    for step in range(steps):
        which = torch.randint(len(latents), (batch,))
        level = torch.randint(TRAINING_STEPS, (batch,))
        a = signal[level].view(-1, 1, 1, 1)
        clean, noise = latents[which], torch.randn(batch, *latents.shape[1:])
        noisy = a.sqrt() * clean + (1 - a).sqrt() * noise
        v = a.sqrt() * noise - (1 - a).sqrt() * clean
        loss = F.mse_loss(unet(noisy, level, embeddings[which]).sample, v)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        if (step + 1) % 100 == 0:
            print(f"step {step + 1} of {steps}: v loss {np.mean(losses[-100:]):.4f}", flush=True)


def save(pipeline: "StableDiffusionPipeline", file: Path) -> None:
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    tensors = {}
    for key, tensor in get_peft_model_state_dict(pipeline.unet).items():
        layer, part = key.removesuffix(".weight").rsplit(".", 1)
        name = "lora_unet_" + layer.replace(".", "_")
        tensors[f"{name}.{'lora_down' if part == 'lora_A' else 'lora_up'}.weight"] = tensor.half().contiguous()
        tensors[f"{name}.alpha"] = torch.tensor(ALPHA).half()
    save_file(tensors, file, metadata={"format": "pt", "ss_network_dim": str(RANK), "ss_network_alpha": str(ALPHA)})
    print(f"{len(tensors)} tensors, {file.stat().st_size} bytes in {file}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT.safetensors")
    parser.add_argument("--model", type=Path, default=FOLDER_OF_THE_MODEL, help="default: this folder's model")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=4e-3, help="peak learning rate")
    parser.add_argument("--threads", type=int, default=1)
    a = parser.parse_args()
    from diffusers import StableDiffusionPipeline

    torch.set_num_threads(a.threads)
    pipeline = StableDiffusionPipeline.from_pretrained(a.model, dtype=torch.float32, safety_checker=None)
    train(pipeline, a.steps, a.batch, a.rate)
    save(pipeline, a.out)


if __name__ == "__main__":
    main()
