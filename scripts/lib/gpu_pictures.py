# SPDX-License-Identifier: Apache-2.0
"""Parts of scripts/gpu-check that draw the same picture in several ways and compare: `pictures` and `parity`."""

import os

import picture_parity
from gpu_part import Result, last_line, run_command

# What a picture drawn on a GPU may differ from the one drawn on the CPU in fp32, after 20 steps. LibTorch convolves in TF32 there,
# unless it is told otherwise: fp32 is not exact.
MAX_LATENTS_REL_L2 = {"fp32": 5e-3, "fp16": 2e-2, "bf16": 1e-1}
MIN_PSNR_DB = {"fp32": 45, "fp16": 35, "bf16": 25}


def draw(context, name, device, dtype, *, model=None, mode="auto", prompts=("a red circle", "a blue square"), size=None, more=()):
    """Pictures of models/tiny-shapes or of another model; returns the tensor dump, or raises RuntimeError with the actor's own words."""
    out = context.out / "pictures" / name
    out.mkdir(parents=True, exist_ok=True)
    dump = out / "tensors.safetensors"
    log = out / "actor.json"
    command = [context.bin / "actor", "generate", "--model", model or context.repo / "models" / "tiny-shapes", "--steps", "20"]
    for prompt in prompts:
        command += ["--prompt", prompt]
    command += ["--device", device, "--dtype", dtype, "--mode", mode, "--out", out, "--dump-tensors", dump, "--json"]
    if size:
        command += ["--width", size, "--height", size]
    command += more
    if device == "cpu" and size:  # small models are slower with many threads, most of all where others compute, too
        command += ["--threads", os.cpu_count() or 1]
    code, _ = run_command(command, context.patience(300), log)
    if code != 0:
        raise RuntimeError(last_line(log.with_suffix(".err")) or f"actor ended with {code}")
    return dump


def compare(result, label, ours, reference, most_rel_l2, least_psnr_db):
    """Adds what two drawings differ by to the result; returns what is too much of it, one line, or ""."""
    parity = picture_parity.compare(ours, reference)
    result.facts[label] = {**vars(parity), "psnr_db": min(parity.psnr_db, 999.0), "most_rel_l2": most_rel_l2, "least_psnr_db": least_psnr_db}
    result.rows.append((label, f"latents rel-L2 {parity.latents_rel_l2:.2e}, PSNR {parity.psnr_db:.1f} dB"))
    if parity.latents_rel_l2 <= most_rel_l2 and parity.psnr_db >= least_psnr_db:
        return ""
    return f"{label}: rel-L2 {parity.latents_rel_l2:.2e} (at most {most_rel_l2}), PSNR {parity.psnr_db:.1f} dB (at least {least_psnr_db})"


def pictures(context, device=None):
    device = device or context.device
    reference = draw(context, "cpu-fp32", "cpu", "fp32", mode="reference")
    result = Result(ok=True)
    faults = []
    for dtype, most in MAX_LATENTS_REL_L2.items():
        name = f"{device.replace(':', '-')}-{dtype}"
        try:
            drawn = draw(context, name, device, dtype)
            faults.append(compare(result, f"{device} {dtype} against CPU fp32", drawn, reference, most, MIN_PSNR_DB[dtype]))
        except (RuntimeError, ValueError) as error:
            faults.append(f"{device} in {dtype}: {error}")
    faults = [fault for fault in faults if fault]
    result.ok = not faults
    result.why = "; ".join(faults)
    return result


FULL_SIZE_PIXELS = 256  # of the full models: the CPU's side takes a minute, not an hour


def parity_models(context):
    """(name, folder, pixels or None for the model's own)"""
    models = [("tiny-shapes", context.repo / "models" / "tiny-shapes", None)]
    for folder in sorted((context.out / "models").glob("*/model_index.json")):
        models.append((folder.parent.name, folder.parent, FULL_SIZE_PIXELS if folder.parent.name.endswith("-full") else None))
    return models


def parity(context, dtype="fp16"):
    """Fast mode against reference mode and both against the CPU in fp32, with every model that is there."""
    result, faults = Result(ok=True), []
    limits = MAX_LATENTS_REL_L2[dtype], MIN_PSNR_DB[dtype]
    for name, folder, pixels in parity_models(context):
        request = {"model": folder, "size": pixels, "prompts": ("a photo of a red circle above a blue square",)}
        try:
            on_cpu = draw(context, f"{name}-cpu", "cpu", "fp32", mode="reference", **request)
            fast = draw(context, f"{name}-fast", context.device, dtype, mode="fast", **request)
            reference = draw(context, f"{name}-reference", context.device, dtype, mode="reference", **request)
            faults.append(compare(result, f"{name}: fast against CPU fp32", fast, on_cpu, *limits))
            faults.append(compare(result, f"{name}: reference against CPU fp32", reference, on_cpu, *limits))
            faults.append(compare(result, f"{name}: fast against reference", fast, reference, *limits))
        except (RuntimeError, ValueError) as error:
            faults.append(f"{name}: {error}")
    faults = [fault for fault in faults if fault]
    result.ok = not faults
    result.why = "; ".join(faults)
    return result


def equal_tensors(one, other):
    """Whether two dumps hold the same numbers, bit by bit, as far as the one with fewer pictures goes."""
    ours, theirs = picture_parity.read_dump(one), picture_parity.read_dump(other)
    for name in ("latents", "image"):
        size = min(len(ours[name]), len(theirs[name]))
        if ours[name][:size].tobytes() != theirs[name][:size].tobytes():
            return False
    return True


def to_the_bit(context, dtype="fp16"):
    """Fast mode replayed from graphs against the same work launched kernel by kernel, and a picture in a full batch against the same
    alone in one. Without tuning, which may choose other algorithms in another process."""
    result, faults = Result(ok=True), []
    prompts = ("a red circle", "a blue square", "a green triangle")
    for name, folder, pixels in parity_models(context):
        request = {"model": folder, "size": pixels, "mode": "fast"}
        try:
            graphs = draw(context, f"{name}-graphs", context.device, dtype, prompts=prompts[:2], more=["--no-tune"], **request)
            eager = draw(context, f"{name}-eager", context.device, dtype, prompts=prompts[:2], more=["--no-tune", "--no-graphs"], **request)
            batch = ["--no-tune", "--batch-size", len(prompts)]
            together = draw(context, f"{name}-together", context.device, dtype, prompts=prompts, more=batch, **request)
            alone = draw(context, f"{name}-alone", context.device, dtype, prompts=prompts[:1], more=batch, **request)
        except (RuntimeError, ValueError) as error:
            faults.append(f"{name}: {error}")
            continue
        for label, same in ((f"{name}: graphs and kernel by kernel", equal_tensors(graphs, eager)),
                            (f"{name}: in a full batch and alone in one", equal_tensors(together, alone))):
            result.rows.append((label, "equal to the bit" if same else "differ"))
            result.facts[label] = same
            if not same:
                faults.append(f"{label} differ")
    result.ok = not faults
    result.why = "; ".join(faults)
    return result
