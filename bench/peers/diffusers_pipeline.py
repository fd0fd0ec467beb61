#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The peer's side of bench/pipeline.py: makes the model (--make DIR), or draws one picture with diffusers and prints what each part took."""
import argparse
import json
import pathlib
import sys
import time

import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]


def make(folder):
    """Stable Diffusion 1.5's sizes, random weights, fp16; the tokenizer is that of tiny-shapes, made as long as CLIP's."""
    import diffusers
    from transformers import CLIPTextConfig, CLIPTextModel

    sys.path.insert(0, str(ROOT / "tests/parity"))
    from make_tiny_models import SCHEDULERS, write_index, write_tokenizer

    torch.manual_seed(0)
    text = CLIPTextConfig(vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
                          max_position_embeddings=77, hidden_act="quick_gelu", projection_dim=768, bos_token_id=49406, eos_token_id=49407)
    parts = {
        "text_encoder": CLIPTextModel(text),
        "unet": diffusers.UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8),
        "vae": diffusers.AutoencoderKL(block_out_channels=[128, 256, 512, 512], layers_per_block=2, sample_size=512, latent_channels=4,
                                       down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4),
    }
    for name, part in parts.items():
        part.half().save_pretrained(folder / name)
    class_name, config = SCHEDULERS["sd1"]
    scheduler_class = getattr(diffusers, class_name)
    scheduler_class(**config).save_pretrained(folder / "scheduler")
    write_tokenizer(folder / "tokenizer", "<|endoftext|>", "json")
    write_index("sd1", folder, parts, scheduler_class, {})


@torch.no_grad()
def draw(options):
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    torch.set_num_threads(options.threads)
    pipe = StableDiffusionPipeline.from_pretrained(options.model, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    spent = {"text_ms": 0.0, "denoise_ms": 0.0, "decode_ms": 0.0}

    def timed(name, function):
        def run(*arguments, **named):
            begin = time.monotonic()
            result = function(*arguments, **named)
            spent[name] += 1000 * (time.monotonic() - begin)
            return result

        return run

    pipe.encode_prompt = timed("text_ms", pipe.encode_prompt)
    pipe.vae.decode = timed("decode_ms", pipe.vae.decode)
    size = {"height": options.size, "width": options.size} if options.size else {}
    begin = time.monotonic()
    image = pipe("a red circle", num_inference_steps=options.steps, guidance_scale=7.5, generator=torch.Generator("cpu").manual_seed(0), **size).images[0]
    spent["denoise_ms"] = 1000 * (time.monotonic() - begin) - spent["text_ms"] - spent["decode_ms"]
    image.save(options.out / "0.png")
    print(json.dumps({"pictures": [spent]}))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--make", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--model", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--size", type=int, default=0, help="pixels; 0: the model's own")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    make(options.make) if options.make else draw(options)


if __name__ == "__main__":
    main()
