# SPDX-License-Identifier: Apache-2.0
"""Parts of scripts/gpu-check about our own kernels: `kernels` and `sanitizer`."""

import json
import os
import re

from gpu_part import Result, find_tool, last_line, run_command, skip

SKIPPED = 77
SANITIZER_ERROR = 99  # what compute-sanitizer is told to end with


def kernel_test_command(context, *arguments):
    return [context.build_dir / "tests" / "kernels_gpu_test", context.bin / "libsdfleet_cuda.so", *arguments]


def why_no_test(context):
    """Why there is nothing to run: "" where there is."""
    program = kernel_test_command(context)[0]
    return "" if program.is_file() else f"{program} is not there (a build without nvcc, or a bundle)"


def kernel_rows(report):
    """One row for each kernel and shape of `kernels_gpu_test --bench`, with the share of the bandwidth that the best of them reached."""
    best = max((entry["gigabytes_per_second"] for entry in report["kernels"]), default=0)
    return [
        (f"{entry['kernel']} {entry['shape']}", f"{entry['microseconds']:.1f} us, {entry['gigabytes_per_second']:.0f} GB/s "
         f"({100 * entry['gigabytes_per_second'] / best:.0f} % of the best), {entry['cached_microseconds']:.1f} us from the cache")
        for entry in report["kernels"]
    ]  # fmt: skip


def kernels(context):
    if why := why_no_test(context):
        return skip(why)
    log = context.out / "kernels.json"
    code, text = run_command(kernel_test_command(context), context.patience(90), log)
    if code == SKIPPED:
        return skip(json.loads(text).get("skipped", "") if text.strip() else last_line(log.with_suffix(".err")))
    if not text.strip():
        return Result(ok=False, why=last_line(log.with_suffix(".err")) or f"kernels_gpu_test ended with {code}")
    report = json.loads(text)
    faults = report.get("faults", []) + ([report["error"]] if "error" in report else [])
    result = Result(ok=code == 0 and not faults, why="; ".join(faults[:5]), facts={"checks": report})
    result.rows = [("checks against the CPU's kernels", f"{report.get('checks', 0)}, {len(faults)} failed")]
    if result.ok:
        log = context.out / "kernels_bench.json"
        code, text = run_command(kernel_test_command(context, "--bench"), context.patience(90), log)
        if code != 0:
            return Result(ok=False, why=f"--bench: {last_line(log.with_suffix('.err')) or text.strip()[:200]}", facts=result.facts, rows=result.rows)
        result.facts["bench"] = json.loads(text)
        result.rows += kernel_rows(result.facts["bench"])
    return result


def findings(text):
    """How many errors or hazards the tool counted; None where its summary is missing, as when it broke off."""
    counts = re.findall(r"(?:ERROR|RACECHECK) SUMMARY: (\d+) (?:error|hazard)", text)
    return sum(int(count) for count in counts) if counts else None


def sanitizer(context, environment=None):
    if why := why_no_test(context):
        return skip(why)
    tool = find_tool("compute-sanitizer", os.environ if environment is None else environment)
    if not tool:
        return skip("compute-sanitizer is not installed (it comes with the CUDA toolkit: PATH or CUDA_HOME)")
    result, faults = Result(ok=True), []
    for check in ("memcheck", "racecheck"):
        log = context.out / f"sanitizer_{check}.log"
        command = [tool, "--tool", check, "--error-exitcode", SANITIZER_ERROR, *kernel_test_command(context, "--quick")]
        code, text = run_command(command, context.patience(150), log)
        count = findings(text)
        result.rows.append((check, "no summary" if count is None else f"{count} found"))
        result.facts[check] = {"exit_code": code, "found": count}
        if code != 0 or count != 0:
            faults.append(f"{check}: {'it broke off' if count is None else f'{count} found'}, exit code {code} (all of it: {log})")
    result.ok = not faults
    result.why = "; ".join(faults)
    return result
