#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Barriers and gathers of the zmq backend beside torch.distributed's gloo, ranks as processes on this machine, in one run; and how
soon survivors know that a rank was killed.

    bench/collective.py [--torch-python VENV/bin/python] [--ranks 2 --ranks 4] [--rounds 100] [--repeat 3] [--json FILE]

Without --torch-python the columns of gloo stay empty. Build first: scripts/build release collective_rank. The sides take turns, and
of --repeat turns the best median of each counts: what else the machine does strikes both.
"""

import argparse
import json
import os
import pathlib
import platform
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIZES = (64 << 10, 1 << 20, 3 << 20)
TIMEOUT_S = 300


def free_port():
    """Not one that the system gives to those who dial: dialling again and again, one would get it, and be connected to oneself."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def start(command, ranks):
    """One process for each rank, in torchrun's environment."""
    common = os.environ | {"WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "SDFLEET_PARENT_PID": str(os.getpid())}
    return [
        subprocess.Popen(command, env=common | {"RANK": str(rank)}, stdout=subprocess.PIPE, text=True) for rank in range(ranks)
    ]


def run(command, ranks):
    processes = start(command, ranks)
    outputs = [process.communicate(timeout=TIMEOUT_S)[0] for process in processes]
    if any(process.returncode for process in processes):
        sys.exit(f"{command}: a rank failed")
    return json.loads(outputs[0])


def percentile(numbers, fraction):
    return sorted(numbers)[min(len(numbers) - 1, int(len(numbers) * fraction))]


def measure(options, ranks):
    """{"zmq": {"barrier": (p50, p99), "gather BYTES": ...}, "gloo": ...}, microseconds, best of the turns."""
    work = [str(options.rounds), *map(str, SIZES)]
    sides = {"zmq": [str(options.build / "bench/collective_rank"), *work]}
    if options.torch_python:
        sides["gloo"] = [options.torch_python, str(ROOT / "bench/peers/gloo_rank.py"), *work]
    best = {side: {} for side in sides}
    for _ in range(options.repeat):
        for side, command in sides.items():
            result = run(command, ranks)
            named = {"barrier": result["barrier_us"]} | {f"gather {size}": took for size, took in result["gather_us"].items()}
            for name, took in named.items():
                found = (statistics.median(took), percentile(took, 0.99))
                best[side][name] = min(best[side].get(name, found), found)
    return best


def measure_loss(options, ranks):
    """Milliseconds from the kill until each survivor knows."""
    noticed = []
    for _ in range(options.losses):
        processes = start([str(options.build / "bench/collective_rank"), "lose"], ranks)
        for process in processes:
            process.stdout.readline()
        time.sleep(random.uniform(0, 0.02))
        victim = random.choice(processes)
        killed_at = time.monotonic_ns()
        victim.send_signal(signal.SIGKILL)
        for process in processes:
            output = process.communicate(timeout=TIMEOUT_S)[0]
            if process is not victim:
                noticed.append((json.loads(output)["noticed_at_ns"] - killed_at) / 1e6)
    return noticed


def row(name, ranks, sides):
    ours, gloo = sides["zmq"][name], sides.get("gloo", {}).get(name)
    cells = [name, ranks, f"{ours[0]:.0f}", f"{ours[1]:.0f}"]
    cells += [f"{gloo[0]:.0f}", f"{gloo[1]:.0f}", f"{ours[0] / gloo[0]:.2f}"] if gloo else ["", "", ""]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch-python")
    parser.add_argument("--ranks", type=int, action="append")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--losses", type=int, default=20)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    print(f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores; microseconds\n")
    print("| operation (bytes per rank) | ranks | zmq p50 | zmq p99 | gloo p50 | gloo p99 | ratio of the p50 |\n|---|---|---|---|---|---|---|")
    found = {}
    for ranks in options.ranks or (2, 4, 8):
        found[ranks] = measure(options, ranks)
        for name in found[ranks]["zmq"]:
            print(row(name, ranks, found[ranks]), flush=True)
    losses = measure_loss(options, max(options.ranks or [4])) if options.losses else []
    if losses:
        print(f"\nA killed rank is known to a survivor after {statistics.median(losses):.1f} ms (median), {max(losses):.1f} ms at most, of {len(losses)}")
    if options.json:
        options.json.write_text(json.dumps({"microseconds": found, "loss_ms": losses}, indent=1))


if __name__ == "__main__":
    main()
