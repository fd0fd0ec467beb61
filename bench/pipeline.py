#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The pipeline on a CPU beside Python diffusers, with the same threads, one after the other in the same run: text encoder, UNet
step and VAE decode of a Stable Diffusion 1.5-size model with random weights, its loading time and peak memory, and the cold
start of models/tiny-shapes (from the start of the process to the first picture after one step).

    bench/pipeline.py --python VENV/bin/python [--threads 2] [--size 512] [--steps 2] [--model-dir DIR]

--python is an environment with tests/parity/requirements.txt. The model, 2.1 GB of fp16, is made in a temporary folder, or in
--model-dir and kept; it needs 5 GB of memory. Both sides compute in fp32.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEER = ROOT / "bench/peers/diffusers_pipeline.py"


def measured(command, threads):
    """Standard output, wall seconds and peak MiB of a program."""
    environment = dict(os.environ, HF_HUB_OFFLINE="1", OMP_NUM_THREADS=str(threads), TOKENIZERS_PARALLELISM="false")
    begin = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return output, seconds, usage.ru_maxrss / 1024


def ours(options, model, size, steps, out):
    return [options.bin / "actor", "generate", "--model", model, "--prompt", "a red circle", "--steps", steps, "--scheduler", "ddim",
            "--guidance-scale", "7.5", *(["--height", size, "--width", size] if size else []), "--threads", options.threads, "--out", out, "--json"]


def theirs(options, model, size, steps, out):
    return [options.python, PEER, "--model", model, "--steps", steps, "--size", size, "--threads", options.threads, "--out", out]


def run_side(command_for, options, model, size, steps):
    with tempfile.TemporaryDirectory() as out:
        output, seconds, mib = measured(command_for(options, model, size, steps, pathlib.Path(out)), options.threads)
    picture = json.loads(output)["pictures"][0]
    drawing_s = (picture["text_ms"] + picture["denoise_ms"] + picture["decode_ms"]) / 1000
    return {"text encoder, ms": picture["text_ms"], "UNet step (guided), ms": picture["denoise_ms"] / steps, "VAE decode, ms": picture["decode_ms"],
            "drawing in all, s": drawing_s, "process in all, s": seconds, "start and load, s": seconds - drawing_s, "peak memory, MiB": mib}


def cold_start(command_for, options):
    times = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as out:
            times.append(measured(command_for(options, ROOT / "models/tiny-shapes", 0, 1, pathlib.Path(out)), 1)[1])
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="of the cold start; the median counts")
    parser.add_argument("--model-dir", type=pathlib.Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        model = options.model_dir or pathlib.Path(scratch) / "sd15"
        if not (model / "model_index.json").exists():
            print(f"making a model of Stable Diffusion 1.5's size in {model}", file=sys.stderr)
            subprocess.run([options.python, PEER, "--make", model], check=True, stderr=subprocess.DEVNULL)
        for folder in ("unet", "vae", "text_encoder"):  # both sides find the files in the page cache
            for file in (model / folder).glob("*.safetensors"):
                with open(file, "rb") as data:
                    while data.read(1 << 24):
                        pass
        rows = {"sdfleet": run_side(ours, options, model, options.size, options.steps),
                "diffusers": run_side(theirs, options, model, options.size, options.steps)}
    rows["sdfleet"]["cold start of tiny-shapes, s"] = cold_start(ours, options)
    rows["diffusers"]["cold start of tiny-shapes, s"] = cold_start(theirs, options)
    if options.json:
        print(json.dumps(rows))
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores; {options.threads} threads, {options.size}x{options.size}, {options.steps} steps, fp32")
    print(f"{'':30} {'sdfleet':>10} {'diffusers':>10} {'ratio':>7}")
    for name, value in rows["sdfleet"].items():
        peer = rows["diffusers"][name]
        print(f"{name:30} {value:10.2f} {peer:10.2f} {value / peer:7.2f}")


if __name__ == "__main__":
    main()
