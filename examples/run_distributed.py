# SPDX-License-Identifier: Apache-2.0
"""Prompts split between processes with accelerate and diffusers, as run_distributed.cpp does it without Python.

    pip install accelerate diffusers transformers
    build/release/bin/sdctl launch --local 2 -- python3 examples/run_distributed.py models/tiny-shapes

Nothing in it knows of sdctl: `accelerate launch --num_processes=2` and `torchrun --nproc_per_node=2` start it, too.

usage: run_distributed.py MODEL [PROMPT...]        (default: "a red circle" "a blue square")
"""

import sys

import torch
from accelerate import PartialState
from diffusers import DiffusionPipeline

model, *prompts = sys.argv[1:]
items = list(enumerate(prompts or ["a red circle", "a blue square"]))

# Told nothing, accelerate takes a process without a GPU for the only one, and every process draws everything.
distributed_state = PartialState(cpu=not torch.cuda.is_available())
dtype = torch.float16 if distributed_state.device.type == "cuda" else torch.float32
pipeline = DiffusionPipeline.from_pretrained(model, torch_dtype=dtype)
pipeline.to(distributed_state.device)
pipeline.set_progress_bar_config(disable=True)

with distributed_state.split_between_processes(items) as mine:
    for i, (seed, prompt) in enumerate(mine):
        generator = torch.Generator("cpu").manual_seed(seed)  # the same picture in whichever process
        options = {"num_inference_steps": 20, "guidance_scale": 4, "height": 64, "width": 64, "generator": generator}
        name = f"result_{distributed_state.process_index}{f'_{i}' if i else ''}.png"
        pipeline(prompt, **options).images[0].save(name)
        print(f"{name}: {prompt}", flush=True)

distributed_state.destroy_process_group()
