# SPDX-License-Identifier: Apache-2.0
"""The part `profile` of scripts/gpu-check: which kernels the GPU's time goes to while pictures are drawn, by NVIDIA's nsys."""

import csv
import io
import os
import re

from gpu_part import Result, find_tool, last_line, run_command, skip
from gpu_pictures import parity_models

# The first that fits counts. What LibTorch, cuDNN and cuBLAS call their kernels differs between versions: what fits nothing is
# listed by its own name.
CLASSES = [
    ("own kernels", r"sdfleet"),
    ("attention", r"flash|fmha|sdpa|attention|cudnn_generated_fort"),
    ("convolutions", r"conv|implicit|xmma_fprop|fprop|dgrad|winograd|nchwToNhwc|nhwcToNchw"),
    ("matrix products", r"gemm|cutlass|nvjet|cublas|splitK|xmma"),
    ("concatenations and copies", r"CatArray|cat_|copy|memcpy|memset|fill"),
    ("other elementwise", r"elementwise|vectorized|unrolled|reduce"),
]


def class_of(kernel):
    for name, pattern in CLASSES:
        if re.search(pattern, kernel, re.IGNORECASE):
            return name
    return kernel[:60]


def shares(text):
    """class -> (share of the time, launches), the largest first, from the csv of `nsys stats --report cuda_gpu_kern_sum`."""
    lines = text.splitlines()
    begin = next((i for i, line in enumerate(lines) if line.startswith("Time (%)")), None)
    if begin is None:
        raise ValueError("nsys listed no kernels")
    found, total = {}, 0
    for row in csv.DictReader(io.StringIO("\n".join(lines[begin:]))):
        time_ns, launches = int(row["Total Time (ns)"]), int(row["Instances"])
        known_ns, known_launches = found.get(class_of(row["Name"]), (0, 0))
        found[class_of(row["Name"])] = (known_ns + time_ns, known_launches + launches)
        total += time_ns
    ordered = sorted(found.items(), key=lambda entry: -entry[1][0])
    return {name: (time_ns / total, launches) for name, (time_ns, launches) in ordered}


def profile(context, environment=None):
    nsys = find_tool("nsys", os.environ if environment is None else environment)
    if not nsys:
        return skip("nsys is not installed (NVIDIA Nsight Systems, or the CUDA toolkit: PATH or CUDA_HOME)")
    result, faults = Result(ok=True), []
    for name, folder, _ in parity_models(context):
        report = context.out / f"profile-{name}"
        # Graphs node by node, or a whole step would be one entry.
        trace = [nsys, "profile", "--trace=cuda", "--cuda-graph-trace=node", "--force-overwrite=true", "--output", report]
        draw = [context.bin / "actor", "bench", "--model", folder, "--device", context.device, "--steps", "10", "--repeat", "1", "--json"]
        log = context.out / f"profile-{name}.json"
        code, _ = run_command([*trace, *draw], context.patience(120), log)
        if code != 0:
            faults.append(f"{name}: {last_line(log.with_suffix('.err')) or f'nsys ended with {code}'}")
            continue
        log = context.out / f"profile-{name}.csv"
        stats = [nsys, "stats", "--report", "cuda_gpu_kern_sum", "--format", "csv", "--force-export=true", f"{report}.nsys-rep"]
        _, text = run_command(stats, context.patience(120), log)
        try:
            found = shares(text)
        except (ValueError, KeyError) as error:
            faults.append(f"{name}: {error}")
            continue
        result.facts[name] = {kernel: {"share": share, "launches": launches} for kernel, (share, launches) in found.items()}
        result.rows += [(f"{name}: {kernel}", f"{100 * share:.1f} % of the time, {launches} launches") for kernel, (share, launches) in list(found.items())[:10]]
    result.ok = not faults
    result.why = "; ".join(faults)
    return result
