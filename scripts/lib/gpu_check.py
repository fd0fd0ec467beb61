# SPDX-License-Identifier: Apache-2.0
"""scripts/gpu-check: chooses the parts, runs them one after another, reports. What a part is: gpu_parts.py."""

import argparse
import ctypes
import subprocess
import sys
import time
from pathlib import Path

import gpu_report
from gpu_part import Context, Result
from gpu_parts import PARTS

REPO = Path(__file__).resolve().parents[2]
NO_GPU = 77


def why_no_gpu(library="libcuda.so.1"):
    """One line, or None where there is a GPU. Asks the driver itself: in containers nvidia-smi may be missing."""
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return f"there is no GPU driver ({library} does not load)"
    count = ctypes.c_int(0)
    if error := driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return f"the GPU driver finds no device (CUDA error {error})"
    return None if count.value > 0 else "the GPU driver finds no device"


def parse(arguments, usage):
    parser = argparse.ArgumentParser(prog="scripts/gpu-check", usage=usage.split("usage: ", 1)[-1].split("\n")[0].replace("%", "%%"))
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--out", type=Path, default=REPO / "out" / "gpu-check", metavar="DIR")
    parser.add_argument("--build-dir", type=Path, metavar="DIR")
    options = parser.parse_args(arguments)
    known = [part.name for part in PARTS]
    for name in options.parts:
        if name not in known:
            parser.error(f"there is no part '{name}': {', '.join(known)}")
    if options.build_dir and not options.build_dir.is_dir():
        parser.error(f"--build-dir {options.build_dir}: no such folder")
    return options


def choose(names, with_build):
    """The parts to run, in the table's order: those named, and before them the build and the models if one needs them."""
    named = [part for part in PARTS if not names or part.name in names]
    needs_models = any(part.needs_models for part in named)
    chosen = [part for part in PARTS if part in named or part.name == "models" and needs_models]
    needs_build = any(part.targets for part in chosen) or "build" in names
    return [part for part in PARTS if part in chosen and part.name != "build" or part.name == "build" and needs_build and with_build]


def without_gpu(names):
    """The parts that run all the same where there is no GPU: those that need none and were named. All others are skipped."""
    return [part for part in PARTS if part.name in names and not part.needs_gpu]


def run_part(part, context):
    began = time.monotonic()
    context.deadline = began + part.budget_s if part.needs_gpu else None
    try:
        result = part.run(context)
    except subprocess.TimeoutExpired as error:
        result = Result(ok=False, why=f"{Path(error.cmd[0]).name} was not done when the part's {part.budget_s} s were over")
    except Exception as error:  # a part's fault must not cost the others' results
        result = Result(ok=False, why=f"{type(error).__name__}: {error}")
    result.seconds = time.monotonic() - began
    return result


def main(arguments, usage, no_gpu=why_no_gpu):
    if {"-h", "--help"} & set(arguments):
        print(usage)
        return 0
    options = parse(arguments, usage)
    if options.list:
        for part in PARTS:
            print(f"{part.name:10} {part.what}")
        return 0
    parts = choose(options.parts, with_build=options.build_dir is None)
    missing = no_gpu()
    if missing:
        wanted, names = parts, [part.name for part in without_gpu(options.parts)]
        parts = choose(names, with_build=options.build_dir is None) if names else []
        for part in wanted:
            if part not in parts:
                print(f"gpu-check: {part.name}: skipped: no GPU: {missing}", file=sys.stderr)
        if not parts:
            return NO_GPU
    context = Context(
        repo=REPO,
        build_dir=(options.build_dir or REPO / "build" / "cuda").resolve(),
        out=options.out.resolve(),
        targets=sorted({target for part in parts for target in part.targets}),
    )
    context.out.mkdir(parents=True, exist_ok=True)
    results = []
    for part in parts:
        print(f"gpu-check: {part.name} ...", file=sys.stderr, flush=True)
        result = run_part(part, context)
        results.append((part, result))
        print(f"gpu-check: {part.name}: {result.word}{': ' + result.why if result.why else ''} ({result.seconds:.1f} s)", file=sys.stderr)
        gpu_report.write(context, results)
        if part.name == "build" and not result.ok:
            break
    print(context.out / "report.md")
    return 0 if all(result.ok for _, result in results) else 1
