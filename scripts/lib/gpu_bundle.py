# SPDX-License-Identifier: Apache-2.0
"""Parts of scripts/gpu-check around the others: `bundle`, `models`, and `bench`, which runs bench/gpu.py."""

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import bundle_make
from gpu_part import Result, last_line, run_command, skip

FAMILIES = ("sd15", "sdxl")


def libtorch_of(actor):
    """The folder of the LibTorch that a built actor runs with, or None."""
    paths = {need.name: need.path for need in bundle_make.dependencies_of(actor)}
    library = paths.get("libtorch_cpu.so")
    return Path(library).resolve().parent.parent if library else None


def bundle(context):
    """Makes a bundle of the build, unpacks it elsewhere, completes it with the build's LibTorch and draws with it."""
    if not (context.build_dir / "CMakeCache.txt").is_file():
        return skip(f"{context.build_dir} is no build: it may be a bundle itself")
    work = context.out / "bundle"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    log = work / "bundle.log"
    code, text = run_command([context.repo / "scripts" / "bundle", "--build-dir", context.build_dir, "--out", work], 300, log)
    if code != 0:
        return Result(ok=False, why=last_line(log.with_suffix(".err")))
    archive = Path(text.strip())
    (work / "unpacked").mkdir()
    with tarfile.open(archive) as packed:
        packed.extractall(work / "unpacked", filter="data")
    (folder,) = (work / "unpacked").iterdir()
    plain = {name: value for name, value in os.environ.items() if name not in ("LD_LIBRARY_PATH", "SDFLEET_LIBTORCH")}
    draw = [folder / "bin" / "sdctl", "run", "--local", 1, "--model", context.repo / "models" / "tiny-shapes", "--prompt", "a red circle", "--out", work / "out"]
    steps = [
        ("setup-libtorch", [folder / "setup-libtorch", libtorch_of(context.bin / "actor")]),
        ("check", [context.repo / "scripts" / "bundle", "--check", folder]),
        ("draw", draw),
    ]
    for name, command in steps:
        log = work / f"{name}.log"
        code, _ = run_command(command, 300, log, env=plain)
        if code != 0:
            return Result(ok=False, why=f"{name}: {last_line(log.with_suffix('.err'))}")
    size = bundle_make.size_of(folder)
    rows = [("archive", f"{archive.name}, {archive.stat().st_size / 2**20:.1f} MiB, unpacked {size / 2**20:.1f} MiB (at most 60)")]
    return Result(ok=True, facts={"bytes": size, "packed_bytes": archive.stat().st_size}, rows=rows)


def models(context, size="full"):
    """The models that parity, fleet and bench draw with, side by side as each takes one core."""
    folders = {family: context.out / "models" / f"{family}-{size}" for family in FAMILIES}
    makers = {}
    for family, folder in folders.items():
        if folder.exists() and not (folder / "model_index.json").exists():
            shutil.rmtree(folder)  # a run that was cut off
        command = ["python3", context.repo / "bench" / "random_model.py", "--family", family, "--size", size, folder]
        makers[family] = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = {family: maker.communicate()[1] for family, maker in makers.items()}
    faults = [f"{family}: {said[family].strip()[-200:]}" for family, maker in makers.items() if maker.returncode != 0]
    rows = [(family, f"{sum(file.stat().st_size for file in folder.rglob('*.safetensors')) / 1e9:.2f} GB") for family, folder in folders.items()]
    return Result(ok=not faults, why="; ".join(faults), rows=rows)


def peer_python(environment):
    """A Python with diffusers: SDFLEET_PEER_PYTHON, or python3 if it has it; None."""
    if named := environment.get("SDFLEET_PEER_PYTHON"):
        return named
    has_it = "import importlib.util as u, sys; sys.exit(not all(u.find_spec(name) for name in ('torch', 'diffusers', 'transformers')))"
    return "python3" if subprocess.run(["python3", "-c", has_it], check=False, timeout=60).returncode == 0 else None


def bench_rows(markdown):
    """The tables' rows of gpu.md as (figure, the rest)."""
    rows, model = [], ""
    for line in markdown.splitlines():
        if line.startswith("## "):
            model = line[3:].split(",")[0]
        elif line.startswith("| ") and not line.startswith("| |"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            names = ("target", "sdfleet", "reference", "eager", "compiled", "reached")
            rows.append((f"{model}: {cells[0]}", ", ".join(f"{name} {cell}" for name, cell in zip(names, cells[1:]) if cell not in ("", "–"))))
    return rows


def bench(context, extra=()):
    out = context.out / "bench"
    out.mkdir(parents=True, exist_ok=True)
    python = peer_python(os.environ)
    command = ["python3", context.repo / "bench" / "gpu.py", "--bin", context.bin, "--device", context.device, "--model-dir", context.out / "models", "--out", out, *extra]
    command += ["--budget", int(context.patience(1200)) - 15]
    command += ["--python", python] if python else ["--no-peers"]
    log = out / "bench.log"
    code, _ = run_command(command, context.patience(1200), log)
    if not (out / "gpu.json").is_file():
        return Result(ok=False, why=last_line(log.with_suffix(".err")))
    why = "" if python else "without diffusers: no python3 with it (SDFLEET_PEER_PYTHON names one)"
    if code != 0:
        why = last_line(log.with_suffix(".err"))
    facts = json.loads((out / "gpu.json").read_text(encoding="utf-8"))
    return Result(ok=code == 0, why=why, facts=facts, rows=bench_rows((out / "gpu.md").read_text(encoding="utf-8")))
