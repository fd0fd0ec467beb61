# SPDX-License-Identifier: Apache-2.0
"""The parts of scripts/gpu-check, in the table PARTS at the end. To add one: a function of the context that returns a Result,
and a line in the table with the CMake targets that it needs."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import picture_parity


@dataclass
class Context:
    repo: Path
    build_dir: Path
    out: Path  # each part may leave files here
    targets: list[str]  # of all parts that were chosen


@dataclass
class Result:
    ok: bool
    why: str = ""  # one line, when it is not ok or says something at a glance
    facts: dict = field(default_factory=dict)  # goes into report.json as it is
    rows: list[tuple[str, str]] = field(default_factory=list)  # what report.md shows
    seconds: float = 0.0

    @property
    def word(self):
        return "ok" if self.ok else "FAILED"


@dataclass
class Part:
    name: str
    what: str
    run: Callable[[Context], Result]
    targets: tuple[str, ...] = ()


def run_command(command, timeout_s, log, **options):
    """Runs it with both outputs kept in files beside `log`; returns (exit code, stdout)."""
    with open(log.with_suffix(".err"), "w", encoding="utf-8") as err:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=err, text=True, timeout=timeout_s, check=False, **options)
    log.write_text(done.stdout, encoding="utf-8")
    return done.returncode, done.stdout


def last_line(path):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def version_text(number, unit):
    """'13.0' of CUDA's 13000 (unit 1000, ten a minor); '2.28.9' of NCCL's 22809 (unit 10000)."""
    if unit == 1000:
        return f"{number // 1000}.{number % 1000 // 10}"
    return f"{number // unit}.{number % unit // 100}.{number % 100}"


def build(context):
    log = context.out / "build.log"
    command = [context.repo / "scripts" / "build", "cuda", *context.targets]
    code, _ = run_command(command, 3600, log, cwd=context.repo)
    err = log.with_suffix(".err")
    return Result(ok=code == 0, why="" if code == 0 else f"{last_line(err)} (all of it: {err})", facts={"targets": context.targets})


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


def device(context):
    log = context.out / "device.json"
    code, text = run_command(nccl_test_command(context, "facts"), 120, log)
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
    log = context.out / "nccl.json"
    code, text = run_command(nccl_test_command(context), 600, log)
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


# What a picture drawn on a GPU may differ from the one drawn on the CPU in fp32, after 20 steps. LibTorch convolves in TF32 there,
# unless it is told otherwise: fp32 is not exact.
MAX_LATENTS_REL_L2 = {"fp32": 5e-3, "fp16": 2e-2, "bf16": 1e-1}
MIN_PSNR_DB = {"fp32": 45, "fp16": 35, "bf16": 25}


def draw(context, name, device, dtype):
    """Two pictures of models/tiny-shapes; returns the tensor dump, or raises RuntimeError with the actor's own words."""
    out = context.out / "pictures" / name
    out.mkdir(parents=True, exist_ok=True)
    dump = out / "tensors.safetensors"
    log = out / "actor.json"
    command = [context.build_dir / "bin" / "actor", "generate", "--model", context.repo / "models" / "tiny-shapes", "--steps", "20"]
    command += ["--prompt", "a red circle", "--prompt", "a blue square", "--device", device, "--dtype", dtype]
    code, _ = run_command([*command, "--out", out, "--dump-tensors", dump, "--json"], 300, log)
    if code != 0:
        raise RuntimeError(last_line(log.with_suffix(".err")) or f"actor ended with {code}")
    return dump


def pictures(context, device="cuda:0"):
    reference = draw(context, "cpu-fp32", "cpu", "fp32")
    result = Result(ok=True)
    faults = []
    for dtype, most in MAX_LATENTS_REL_L2.items():
        name = f"{device.replace(':', '-')}-{dtype}"
        try:
            parity = picture_parity.compare(draw(context, name, device, dtype), reference)
        except (RuntimeError, ValueError) as error:
            faults.append(f"{device} in {dtype}: {error}")
            continue
        result.facts[dtype] = {**vars(parity), "psnr_db": min(parity.psnr_db, 999.0)}
        result.rows.append((f"{device} {dtype} against CPU fp32", f"latents rel-L2 {parity.latents_rel_l2:.2e}, PSNR {parity.psnr_db:.1f} dB"))
        if parity.latents_rel_l2 > most or parity.psnr_db < MIN_PSNR_DB[dtype]:
            faults.append(f"{device} in {dtype}: rel-L2 {parity.latents_rel_l2:.2e} (at most {most}), PSNR {parity.psnr_db:.1f} dB (at least {MIN_PSNR_DB[dtype]})")
    result.ok = not faults
    result.why = "; ".join(faults)
    return result


PLUGIN = ("sdfleet_cuda", "nccl_test")
PARTS = [
    Part("build", "configures the preset cuda and builds what the other parts need", build),
    Part("device", "what the GPU, its driver and NCCL are", device, PLUGIN),
    Part("nccl", "NCCL alone and in process groups: every operation, a deadline, an abort, the next epoch", nccl, PLUGIN),
    Part("pictures", "pictures drawn on the GPU in fp32, fp16 and bf16 beside those of the CPU", pictures, ("actor",)),
]
