# SPDX-License-Identifier: Apache-2.0
"""The parts of scripts/gpu-check, in the table PARTS at the end. To add one: a function of the context that returns a Result (as
gpu_part.py says), and a line in the table with the CMake targets that it needs."""

import json
import shutil
import subprocess

import gpu_bundle
import gpu_fleet
import gpu_kernels
import gpu_pictures
import gpu_profile
from gpu_part import Part, Result, last_line, run_command, skip


def version_text(number, unit):
    """'13.0' of CUDA's 13000 (unit 1000, ten a minor); '2.28.9' of NCCL's 22809 (unit 10000)."""
    if unit == 1000:
        return f"{number // 1000}.{number % 1000 // 10}"
    return f"{number // unit}.{number % unit // 100}.{number % 100}"


def is_target(context, name):
    """Whether the configured build has it: kernels need nvcc."""
    asked = subprocess.run(["ninja", "-C", context.build_dir, "-t", "query", name], capture_output=True, timeout=60, check=False)
    return asked.returncode == 0


def build(context):
    log = context.out / "build.log"
    err = log.with_suffix(".err")
    optional = [target for target in context.targets if target in NEED_NVCC]
    wanted = [target for target in context.targets if target not in NEED_NVCC] or ["sdfleet_cuda"]
    code, _ = run_command([context.repo / "scripts" / "build", "cuda", *wanted], 3600, log, cwd=context.repo)
    missing = [target for target in optional if not is_target(context, target)]
    if code == 0 and (more := [target for target in optional if target not in missing]):
        code, _ = run_command([context.repo / "scripts" / "build", "cuda", *more], 3600, log, cwd=context.repo)
    why = f"left out, as this build has no nvcc: {', '.join(missing)}" if missing else ""
    return Result(ok=code == 0, why=why if code == 0 else f"{last_line(err)} (all of it: {err})", facts={"targets": context.targets})


def smi_facts():
    """What nvidia-smi says of each GPU; nothing where it is not installed."""
    fields = ["name", "driver_version", "memory.total", "compute_cap", "power.limit", "clocks.max.sm", "pcie.link.gen.max"]
    if not shutil.which("nvidia-smi"):
        return []
    command = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        return []
    return [dict(zip(fields, (value.strip() for value in line.split(",")))) for line in done.stdout.splitlines() if line.strip()]


def nccl_test_command(context, *arguments):
    return [context.build_dir / "tests" / "nccl_test", *arguments, context.build_dir / "bin" / "libsdfleet_cuda.so"]


def why_no_nccl_test(context):
    program = nccl_test_command(context)[0]
    return "" if program.is_file() else f"{program} is not there (a bundle has no tests)"


def device(context):
    if why := why_no_nccl_test(context):
        return skip(why)
    log = context.out / "device.json"
    code, text = run_command(nccl_test_command(context, "facts"), context.patience(120), log)
    if code != 0:
        return Result(ok=False, why=last_line(log.with_suffix(".err")))
    facts = json.loads(text)
    facts["nvidia_smi"] = smi_facts()
    rows = [
        ("GPU", f"{facts['device_name']}, {facts['device_memory_bytes'] / 2**30:.1f} GiB, compute capability {facts['compute_capability'] / 10}"),
        ("GPUs", str(facts["device_count"])),
        ("CUDA of the driver", version_text(facts["driver_version"], 1000)),
        ("CUDA of the plug-in", version_text(facts["runtime_version"], 1000)),
        ("NCCL", f"{version_text(facts['nccl_version'], 10000)}, {facts['nccl_path']}"),
    ]
    for index, gpu in enumerate(facts["nvidia_smi"]):
        rows.append((f"nvidia-smi, GPU {index}", ", ".join(f"{name} {value}" for name, value in gpu.items())))
    return Result(ok=True, facts=facts, rows=rows)


def nccl(context):
    if why := why_no_nccl_test(context):
        return skip(why)
    log = context.out / "nccl.json"
    code, text = run_command(nccl_test_command(context), context.patience(600), log)
    if code not in (0, 1) or not text.strip():
        return Result(ok=False, why=last_line(log.with_suffix(".err")) or f"nccl_test ended with {code}")
    report = json.loads(text)
    rows = [("ranks", str(report["ranks"])), ("GPUs", str(report["gpus"]))]
    faults = []
    for refusal in report.get("two_ranks_refused", []):
        rows.append((f"two ranks refused, rank {refusal['rank']}", refusal.get("why", "")))
    for rank in report["reports"] + report["group_reports"]:
        name = f"rank {rank['rank']}"
        checks = rank.get("checks", [])
        rows.append((f"{name}: checks", ", ".join(f"{check['name']} {'ok' if check['ok'] else 'FAILED'}" for check in checks)))
        rows += [(f"{name}: {figure}", f"{value:.3f}") for figure, value in rank.get("figures", {}).items()]
        faults += [f"{name}: {check['name']}: {check['detail']}" for check in checks if not check["ok"]]
        faults += [f"{name}: {rank['why']}"] if "why" in rank else []
    return Result(ok=code == 0 and report["ok"], why="; ".join(faults), facts=report, rows=rows)


NEED_NVCC = ("kernels_gpu_test",)
PLUGIN = ("sdfleet_cuda", "nccl_test")
KERNELS = ("sdfleet_cuda", "kernels_gpu_test")
ACTOR = ("actor", "sdfleet_cuda", "sdfleet_torch_cuda")
ALL_PROGRAMS = ("coordinator", "agent", "sdctl", *ACTOR)
# The budgets of those that need a GPU add up to 25 minutes.
PARTS = [
    Part("build", "configures the preset cuda and builds what the other parts need", build, needs_gpu=False),
    Part("bundle", "makes a bundle, unpacks it elsewhere, and draws with it", gpu_bundle.bundle, ALL_PROGRAMS, needs_gpu=False),
    Part("models", "makes models of SD 1.5's and SDXL's size with random weights (9 GB)", gpu_bundle.models, needs_gpu=False),
    Part("device", "what the GPU, its driver and NCCL are", device, PLUGIN, budget_s=30),
    Part("nccl", "NCCL alone and in process groups: every operation, a deadline, an abort, the next epoch", nccl, PLUGIN, budget_s=120),
    Part("kernels", "our own kernels against those of the CPU, and how fast they are", gpu_kernels.kernels, KERNELS, budget_s=90),
    Part("sanitizer", "the kernels under compute-sanitizer: memcheck and racecheck", gpu_kernels.sanitizer, KERNELS, budget_s=150),
    Part("pictures", "pictures drawn on the GPU in fp32, fp16 and bf16 beside those of the CPU", gpu_pictures.pictures, ACTOR, budget_s=60),
    Part("parity", "fast mode, reference mode and the CPU in fp32, with every model", gpu_pictures.parity, ACTOR, budget_s=210, needs_models=True),
    Part("bits", "graphs against kernel by kernel, a picture in a batch against itself alone", gpu_pictures.to_the_bit, ACTOR, budget_s=90, needs_models=True),
    Part("fleet", "coordinator, agent and an actor on each GPU, with every model", gpu_fleet.fleet, ALL_PROGRAMS, budget_s=120, needs_models=True),
    Part("profile", "which kernels the time goes to, by nsys", gpu_profile.profile, ACTOR, budget_s=90, needs_models=True),
    Part("bench", "bench/gpu.py: figures beside their targets, the floor, and diffusers", gpu_bundle.bench, ACTOR, budget_s=540, needs_models=True),
]
