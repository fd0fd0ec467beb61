#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Wall time from an empty process table to the last picture on disk: `sdctl run --local N` beside the equivalent script
for diffusers and accelerate, on the same folder, prompts and threads, one after the other in the same run.

    bench/wall_time.py --python VENV/bin/python        (an environment with torch, diffusers, transformers, accelerate)
"""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run_ours(options: argparse.Namespace, out: pathlib.Path) -> list[str]:
    return [str(options.bin / "sdctl"), "run", str(options.prompts), "--local", str(options.processes), "--model",
            str(options.model), "--steps", str(options.steps), "--guidance-scale", str(options.guidance_scale),
            "--out", str(out)]


def run_peer(options: argparse.Namespace, out: pathlib.Path) -> list[str]:
    return [options.python, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", str(options.processes),
            "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
            str(ROOT / "bench/peers/accelerate_split.py"), "--model", str(options.model), "--prompts",
            str(options.prompts), "--out", str(out), "--steps", str(options.steps), "--guidance-scale",
            str(options.guidance_scale), "--threads", "1"]


def seconds_of(command: list[str], pictures: int, out: pathlib.Path) -> float:
    environment = dict(os.environ, HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1")
    start = time.monotonic()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seconds = time.monotonic() - start
    drawn = len(list(out.glob("0*.png")))
    if done.returncode != 0 or drawn != pictures:
        raise SystemExit(f"{command[0]} ended with {done.returncode} and {drawn} of {pictures} pictures:\n{done.stdout}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="a python with torch, diffusers, transformers and accelerate")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models/tiny-shapes")
    parser.add_argument("--prompts", type=pathlib.Path, default=ROOT / "examples/prompts.txt")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance-scale", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    pictures = sum(1 for line in options.prompts.read_text(encoding="utf-8").splitlines() if line.strip())

    times: dict[str, list[float]] = {"sdfleet": [], "diffusers+accelerate": []}
    for _ in range(options.rounds):
        for name, command_for in (("sdfleet", run_ours), ("diffusers+accelerate", run_peer)):
            with tempfile.TemporaryDirectory() as folder:
                out = pathlib.Path(folder) / "out"
                times[name].append(seconds_of(command_for(options, out), pictures, out))
    best = {name: min(values) for name, values in times.items()}
    ratio = best["diffusers+accelerate"] / best["sdfleet"]
    print(f"{pictures} pictures, {options.processes} processes, {options.steps} steps, best of {options.rounds}")
    for name, values in times.items():
        print(f"{name:24} {best[name]:7.2f} s   all: " + " ".join(f"{value:.2f}" for value in values))
    print(f"{'ratio':24} {ratio:7.2f} x")
    print(json.dumps({"seconds": times, "ratio": ratio}))


if __name__ == "__main__":
    main()
