#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same job as `sdctl run --local N`, as a script for diffusers and accelerate.

Started by `accelerate launch --cpu --num_processes N accelerate_split.py ...`: each process takes its share of the
prompts, draws them one by one with the seed of the prompt's place in the list, and saves them under that place's number.
"""
import argparse
import pathlib

import torch
from accelerate import PartialState
from diffusers import DiffusionPipeline


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--prompts", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance-scale", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    state = PartialState(cpu=True)
    pipeline = DiffusionPipeline.from_pretrained(options.model, torch_dtype=torch.float32).to(state.device)
    pipeline.set_progress_bar_config(disable=True)
    options.out.mkdir(parents=True, exist_ok=True)
    prompts = [line for line in options.prompts.read_text(encoding="utf-8").splitlines() if line.strip()]
    with state.split_between_processes(list(enumerate(prompts))) as share:
        for index, prompt in share:
            generator = torch.Generator("cpu").manual_seed(options.seed + index)
            image = pipeline(prompt, num_inference_steps=options.steps, guidance_scale=options.guidance_scale,
                             generator=generator).images[0]
            image.save(options.out / f"{index:06d}-{options.seed + index}.png")


if __name__ == "__main__":
    main()
