#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The pipeline on a GPU beside Python diffusers, eager and compiled (torch.compile, max-autotune), on the same GPU in the same run,
with the same folders: models of Stable Diffusion 1.5's size at 512x512, 50 steps, and of SDXL's at 1024x1024, 20 steps, fp16,
guided, random weights. Writes gpu.json and gpu.md, with the targets, into --out and prints gpu.md.

    bench/gpu.py [--python VENV/bin/python] [--models sd15 sdxl] [--batches 1 4 8] [--out DIR] [--model-dir DIR]

--python is an environment with diffusers, transformers and a torch that can use the GPU; without it, or with --no-peers, the peers'
columns stay empty. The models, 2.1 and 6.9 GB, are made in --model-dir (default: a temporary folder) by bench/random_model.py.
--size small --device cpu runs everything in small on a CPU: to try the script, not to measure.

Exit codes: 0 all runs are well, 1 a run of ours failed, 2 wrong usage. With --strict a missed target is a failure, too.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "scripts" / "lib")]
sys.dont_write_bytecode = True

import gpu_report  # noqa: E402
import gpu_table  # noqa: E402
import random_model  # noqa: E402

PEER = ROOT / "bench" / "peers" / "diffusers_gpu.py"
FIELDS = ("load_ms", "warmup_ms", "text_encoder_ms", "step_ms", "vae_decode_ms", "end_to_end_ms", "images_per_s", "peak_memory_bytes", "device")

MIN_STEPS = 4
LEAST_S = 5  # a run that has less is not begun


def say(text):
    print(f"gpu.py: {text}", file=sys.stderr, flush=True)


def card_name(device):
    """The GPU's name, its driver and its power limit, as nvidia-smi tells them; the device's own name where it does not."""
    index = device.partition(":")[2] or "0"
    command = ["nvidia-smi", f"--id={index}", "--query-gpu=name,driver_version,power.limit", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return device
    return done.stdout.strip() if device.startswith("cuda") and done.returncode == 0 else device


def command_of(side, options, folder, width, steps, batch):
    common = ["--model", folder, "--device", options.device, "--steps", steps, "--batch", batch, "--width", width, "--height", width]
    if side in (gpu_table.OURS, gpu_table.REFERENCE):
        return [options.bin / "actor", "bench", *common, "--mode", "fast" if side == gpu_table.OURS else "reference", "--json"]
    return [options.python, PEER, *common, "--mode", "eager" if side == gpu_table.EAGER else "compiled"]


def last_words(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def run_once(side, batch, command, timeout_s):
    """What the program printed, with side and batch; or those with "error", one line."""
    run = {"side": side, "batch": batch}
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        return {**run, "error": f"not done within {timeout_s:.0f} s"}
    except OSError as error:
        return {**run, "error": str(error)}
    if done.returncode != 0:
        return {**run, "error": last_words(done.stderr) or f"ended with {done.returncode}"}
    try:
        figures = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return {**run, "error": f"printed no JSON: {last_words(done.stdout)}"}
    if missing := [field for field in FIELDS if field not in figures]:
        return {**run, "error": f"printed no {', '.join(missing)}"}
    return {**run, **figures}


def plan(options):
    """(side, batch) in the order of running. Every batch for our fast mode; the smallest and the largest for diffusers; the
    smallest alone for the reference, which is there to compare with, and for what compiles for minutes."""
    batches = sorted(set(options.batches))
    sides = [(gpu_table.OURS, batch) for batch in batches] + [(gpu_table.REFERENCE, batches[0])]
    if options.python and not options.no_peers:
        sides += [(gpu_table.EAGER, batch) for batch in dict.fromkeys((batches[0], batches[-1]))] + [(gpu_table.COMPILED, batches[0])]
    return sides


def read_into_page_cache(folder):
    for file in folder.rglob("*.safetensors"):
        with open(file, "rb") as data:
            while data.read(1 << 24):
                pass


def make_models(options, scratch):
    """name -> (folder, what gpu_table knows of it, without runs)"""
    models = {}
    for name in options.models:
        setting = gpu_table.SETTINGS[name]
        folder = (options.model_dir or scratch) / f"{name}-{options.size}"
        if not (folder / "model_index.json").exists():
            say(f"making a {options.size} model of the family {name} in {folder}")
            random_model.make(name, options.size, 0, folder)
        width = setting.pixels if options.size == "full" else 64
        models[name] = folder, {"width": width, "height": width, "steps": options.steps or setting.steps, "size": options.size, "runs": []}
    return models


def schedule(options):
    """(name, side, batch): what compiles comes last, as a budget that is too small should cost that alone."""
    runs = [(name, side, batch) for name in options.models for side, batch in plan(options)]
    return sorted(runs, key=lambda run: run[1] == gpu_table.COMPILED)


def measure(options, name, side, batch, folder, model, left_s):
    if left_s < LEAST_S:
        return {"side": side, "batch": batch, "error": "not begun, as the time was over (--budget)"}
    say(f"{name}: {side}, batch {batch} ...")
    read_into_page_cache(folder)
    run = run_once(side, batch, command_of(side, options, folder, model["width"], model["steps"], batch), min(options.timeout, left_s))
    if "error" in run:
        say(f"{name}: {side}, batch {batch}: {run['error']}")
    return run


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--python", type=Path)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--models", nargs="+", choices=gpu_table.SETTINGS, default=list(gpu_table.SETTINGS))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4, 8])
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--size", choices=("full", "small"), default="full")
    parser.add_argument("--steps", type=int, help="instead of 50 and 20: then there are no targets")
    parser.add_argument("--timeout", type=float, default=420, help="seconds for one run; compiling takes the most")
    parser.add_argument("--budget", type=float, default=3600, help="seconds for everything; what is left then is not begun")
    parser.add_argument("--model-dir", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "gpu")
    parser.add_argument("--strict", action="store_true")
    options = parser.parse_args(arguments)
    if min(options.batches) < 1:
        parser.error("--batches are numbers from 1 on")
    if options.steps is not None and options.steps < MIN_STEPS:
        parser.error(f"--steps {options.steps}: at least {MIN_STEPS}, because the first ones and the last are not timed")
    return options


def write(document, out):
    (out / "gpu.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    (out / "gpu.md").write_text(gpu_table.markdown(document), encoding="utf-8")


def main():
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + options.budget
    when = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    with tempfile.TemporaryDirectory() as scratch:
        models = make_models(options, Path(scratch))
        document = {"commit": gpu_report.commit_of(ROOT), "when": when, "device": card_name(options.device), "models": {name: model for name, (_, model) in models.items()}}
        for name, side, batch in schedule(options):
            folder, model = models[name]
            model["runs"].append(measure(options, name, side, batch, folder, model, deadline - time.monotonic()))
            write(document, options.out)  # what is known so far outlives whatever ends this
    print(gpu_table.markdown(document), end="")
    failed = gpu_table.broken_runs(document) or (options.strict and gpu_table.missed_targets(document))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
