#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The peer's side of bench/gpu.py: diffusers in fp16 on one GPU, eager or compiled, with what its guide says makes it fast. Prints
one JSON object with the fields of `actor bench --json`. On a CPU it computes in fp32: to try the script, not to measure."""
import argparse
import json
import time

began = time.monotonic()
import diffusers  # noqa: E402
import torch  # noqa: E402

PROMPT = "a photo of a red circle above a blue square on a white background"


class Clock:
    """Marks on the GPU's own time line, without making the program wait for it; on a CPU the wall's."""

    def __init__(self, device):
        self.on_gpu = device.type == "cuda"

    def mark(self):
        if not self.on_gpu:
            return time.monotonic()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def ms_between(self, first, last):
        """Only after wait()."""
        return first.elapsed_time(last) if self.on_gpu else 1000 * (last - first)

    def wait(self):
        if self.on_gpu:
            torch.cuda.synchronize()


def load(options, device):
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    pipe = diffusers.DiffusionPipeline.from_pretrained(options.model, torch_dtype=dtype, local_files_only=True).to(device)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def make_fast(pipe):
    """As diffusers' guide "Accelerate inference" does: channels last, QKV in one product, UNet and decoder compiled."""
    pipe.unet.to(memory_format=torch.channels_last)
    pipe.vae.to(memory_format=torch.channels_last)
    pipe.fuse_qkv_projections()
    pipe.unet = torch.compile(pipe.unet, mode="max-autotune", fullgraph=True)
    pipe.vae.decode = torch.compile(pipe.vae.decode, mode="max-autotune", fullgraph=True)


class Drawing:
    """Draws batches and remembers when the parts of the last one began and ended."""

    def __init__(self, pipe, options, clock):
        self.pipe, self.options, self.clock = pipe, options, clock
        self.text, self.steps, self.decode = [], [], []
        pipe.encode_prompt = self.noted(pipe.encode_prompt, self.text)
        pipe.vae.decode = self.noted(pipe.vae.decode, self.decode)

    def noted(self, function, marks):
        def run(*arguments, **named):
            marks.append(self.clock.mark())
            result = function(*arguments, **named)
            marks.append(self.clock.mark())
            return result

        return run

    def on_step(self, _pipe, _index, _timestep, tensors):
        self.steps.append(self.clock.mark())
        return tensors

    @torch.no_grad()
    def draw(self):
        """Milliseconds from the prompt to pictures on the CPU."""
        for marks in (self.text, self.steps, self.decode):
            marks.clear()
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in range(self.options.batch)]
        self.clock.wait()
        start = time.monotonic()
        self.pipe([PROMPT] * self.options.batch, num_inference_steps=self.options.steps, guidance_scale=7.5, generator=generators,
                  width=self.options.width, height=self.options.height, callback_on_step_end=self.on_step, output_type="pil")  # fmt: skip
        self.clock.wait()
        return 1000 * (time.monotonic() - start)

    def step_ms(self):
        return [self.clock.ms_between(first, last) for first, last in zip(self.steps, self.steps[1:])]


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def measure(options):
    device = torch.device(options.device)
    clock = Clock(device)
    pipe = load(options, device)
    clock.wait()
    load_ms = 1000 * (time.monotonic() - began)
    if options.mode == "compiled":
        make_fast(pipe)
    drawing = Drawing(pipe, options, clock)
    warm = time.monotonic()
    for _ in range(options.warm_ups):
        drawing.draw()
    warmup_ms = 1000 * (time.monotonic() - warm)
    rounds = []
    for _ in range(options.rounds):
        whole_ms = drawing.draw()
        rounds.append((whole_ms, clock.ms_between(*drawing.text[:2]), clock.ms_between(*drawing.decode[:2]), drawing.step_ms()))
    whole_ms, text_ms, decode_ms = (quantile([row[column] for row in rounds], 0.5) for column in range(3))
    steps = [step for row in rounds for step in row[3]]
    return {
        "load_ms": load_ms, "warmup_ms": warmup_ms, "text_encoder_ms": text_ms, "step_ms": {"p50": quantile(steps, 0.5), "p95": quantile(steps, 0.95)},
        "vae_decode_ms": decode_ms, "end_to_end_ms": whole_ms, "images_per_s": 1000 * options.batch / whole_ms,
        "peak_memory_bytes": torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "versions": {"torch": torch.__version__, "diffusers": diffusers.__version__},
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--mode", choices=("eager", "compiled"), required=True)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--height", type=int, required=True)
    parser.add_argument("--warm-ups", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    print(json.dumps(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
