#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What dispatch costs with Ray on this machine: calls of echo actors, 3 MiB results, the death of an actor, memory.

    VENV/bin/python bench/peers/ray_dispatch.py [--calls 3000] [--actors 1 8]      (an environment with ray==2.60.0)

Prints one JSON document.
"""
import argparse
import json
import logging
import os
import pathlib
import re
import signal
import time

os.environ.setdefault("RAY_DEDUP_LOGS", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray  # noqa: E402

RESULT_BYTES = 3 << 20


class EchoKind:
    def __init__(self):
        self.result = os.urandom(RESULT_BYTES)

    def echo(self, item):
        return item

    def prompt(self, item):
        return f"item {item}".encode()

    def picture(self):
        return self.result

    def new_picture(self):
        return os.urandom(RESULT_BYTES)

    def pid(self):
        return os.getpid()


Echo = ray.remote(num_cpus=0)(EchoKind)
Restartable = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(EchoKind)


def sync_calls(actor, calls: int) -> dict:
    times = []
    begin = time.perf_counter()
    for item in range(calls):
        start = time.perf_counter()
        ray.get(actor.prompt.remote(item))
        times.append((time.perf_counter() - start) * 1e6)
    seconds = time.perf_counter() - begin
    times.sort()
    return {"per_s": calls / seconds, "p50_us": times[calls // 2], "p99_us": times[int(calls * 0.99)]}


def async_calls(actors, calls: int) -> float:
    begin = time.perf_counter()
    ray.get([actors[item % len(actors)].prompt.remote(item) for item in range(calls)])
    return calls / (time.perf_counter() - begin)


def results_per_s(method, results: int, in_flight: int = 2) -> float:
    """As many under way as our agent lets an actor have; each is brought here and looked at."""
    begin = time.perf_counter()
    pending = []
    for _ in range(results):
        pending.append(method.remote())
        if len(pending) == in_flight:
            assert len(ray.get(pending.pop(0))) == RESULT_BYTES
    for reference in pending:
        assert len(ray.get(reference)) == RESULT_BYTES
    return results / (time.perf_counter() - begin)


def death_seen_ms() -> float:
    """From SIGKILL to the caller's exception."""
    actor = Echo.remote()
    pid = ray.get(actor.pid.remote())
    begin = time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    while True:
        try:
            ray.get(actor.echo.remote(1))
        except ray.exceptions.RayActorError:
            return (time.perf_counter() - begin) * 1000


def restart_and_retry_ms() -> float:
    """From SIGKILL to the answer of a call made just after it, by the actor's next process."""
    actor = Restartable.remote()
    pid = ray.get(actor.pid.remote())
    begin = time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    while ray.get(actor.pid.remote()) == pid:
        pass
    seconds = time.perf_counter() - begin
    ray.kill(actor)
    return seconds * 1000


def processes() -> set[int]:
    return {int(folder.name) for folder in pathlib.Path("/proc").glob("[0-9]*")}


def memory_mib(others: set[int]) -> dict[str, float]:
    """Of Ray's processes (all but `others` with ray in their command line) and of this one: resident, which counts what
    they share once for each, and proportional, which shares it out."""
    total = {"rss_mib": 0.0, "pss_mib": 0.0}
    for pid in processes() - others | {os.getpid()}:
        folder = pathlib.Path(f"/proc/{pid}")
        try:
            if b"ray" in (folder / "cmdline").read_bytes():
                rollup = (folder / "smaps_rollup").read_text()
                for key, name in (("rss_mib", "Rss"), ("pss_mib", "Pss")):
                    total[key] += int(re.search(rf"^{name}:\s+(\d+) kB", rollup, re.MULTILINE)[1]) / 1024
        except (FileNotFoundError, ProcessLookupError, TypeError):
            continue
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--actors", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--results", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=3)
    options = parser.parse_args()

    others = processes()
    begin = time.perf_counter()
    ray.init(num_cpus=os.cpu_count(), include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    out = {"version": ray.__version__, "init_s": time.perf_counter() - begin}
    actors = [Echo.remote() for _ in range(max(options.actors))]
    ray.get([actor.echo.remote(0) for actor in actors])
    out |= memory_mib(others)
    out["memory_actors"] = len(actors)
    sync_calls(actors[0], 300)  # warm
    out["sync"] = max((sync_calls(actors[0], options.calls) for _ in range(options.rounds)), key=lambda r: r["per_s"])
    out["async_per_s"] = {
        str(count): max(async_calls(actors[:count], 2 * options.calls) for _ in range(options.rounds))
        for count in options.actors
    }
    for name, method in (("results_per_s", actors[0].picture), ("results_urandom_per_s", actors[0].new_picture)):
        out[name] = max(results_per_s(method, options.results) for _ in range(options.rounds))
    out["death_seen_ms"] = sorted(death_seen_ms() for _ in range(options.kills))[options.kills // 2]
    out["restart_retry_ms"] = sorted(restart_and_retry_ms() for _ in range(options.kills))[options.kills // 2]
    ray.shutdown()
    print(json.dumps(out))


if __name__ == "__main__":
    main()
