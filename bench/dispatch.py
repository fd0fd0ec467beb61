#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the runtime costs and how fast it hands out work, beside a bare relay (bench/relay.cpp) and Ray, on this machine and in
one run: one table, with ratios.

    bench/dispatch.py [--ray-python VENV/bin/python] [--only throughput --only relay] [--rounds 3] [--json FILE]

The environment of --ray-python has ray==2.60.0; without it the columns of Ray stay empty. Build first: scripts/build.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import measured_fleet as measured  # noqa: E402
from dispatch_table import rows_of, to_markdown  # noqa: E402

ACTOR_COUNTS = (1, 8, 64)
ROOT = measured.ROOT


def machine() -> dict:
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return {"cpu": model[1] if model else platform.machine(), "cores": os.cpu_count(), "kernel": platform.release()}


def run_relay(options: argparse.Namespace, actors: int, in_flight: int, items: int) -> dict:
    command = [options.build / "bench/relay", "--actors", actors, "--in-flight", in_flight, "--items", items]
    return json.loads(subprocess.run([str(word) for word in command], capture_output=True, check=True).stdout)


def best(runs: list[dict], key: str) -> dict:
    return max(runs, key=lambda run: run[key])


# ---------------------------------------------------------------- one function for each --only


def measure_dispatch(options: argparse.Namespace) -> dict:
    runs = []
    for _ in range(options.rounds):
        fleet = measured.make_fleet()
        try:
            fleet.started_agents("node-a")
            runs.append(fleet.bench("dispatch", options.items // 10))
        finally:
            fleet.remove()
    return best(runs, "items_per_s")


def measure_throughput(options: argparse.Namespace) -> dict:
    found = {}
    for actors in ACTOR_COUNTS:
        runs = []
        for _ in range(options.rounds):
            fleet = measured.make_fleet()
            try:
                fleet.started_agents("node-a", actors=actors)
                runs.append(fleet.bench("throughput", options.items))
            finally:
                fleet.remove()
        found[str(actors)] = best(runs, "items_per_s")
    return found


def measure_relay(options: argparse.Namespace) -> dict:
    def best_of(actors, in_flight):
        runs = [run_relay(options, actors, in_flight, options.items) for _ in range(options.rounds)]
        return best(runs, "per_s")

    return {"sync": best_of(1, 1)} | {str(actors): best_of(actors, 2) for actors in ACTOR_COUNTS}


def run_bare(options: argparse.Namespace, actors: int, in_flight: int, items: int) -> dict:
    """Our agent and actors under a coordinator that keeps nothing."""
    url = f"tcp://127.0.0.1:{measured.free_port()}"
    coordinator = [options.build / "bench/bare_coordinator", "--listen", url, "--actors", actors, "--in-flight", in_flight,
                   "--items", items]  # fmt: skip
    agent = [options.build / "bin/agent", "--coordinator", url, "--node-id", "node-a", "--devices", f"cpu*{actors}",
             "--actor-bin", options.build / "tests/echo_actor"]  # fmt: skip
    with subprocess.Popen([str(word) for word in agent], stderr=subprocess.DEVNULL) as node:
        try:
            out = subprocess.run([str(word) for word in coordinator], capture_output=True, check=True, timeout=300).stdout
        finally:
            node.terminate()
    return json.loads(out)


def measure_agent(options: argparse.Namespace) -> dict:
    def best_of(actors, in_flight):
        return best([run_bare(options, actors, in_flight, options.items) for _ in range(options.rounds)], "per_s")

    return {"sync": best_of(1, 1)} | {str(actors): best_of(actors, 2) for actors in ACTOR_COUNTS}


def measure_ray(options: argparse.Namespace) -> dict | None:
    if not options.ray_python:
        return None
    command = [options.ray_python, ROOT / "bench/peers/ray_dispatch.py", "--rounds", options.rounds]
    out = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout
    return json.loads(out.splitlines()[-1])


def measure_submit(options: argparse.Namespace) -> dict:
    return best([bench_alone("submit") for _ in range(options.rounds)], "submits_per_s")


def measure_results(options: argparse.Namespace) -> dict:
    return best([bench_alone("results") for _ in range(options.rounds)], "stored_per_s")


def measure_results_in_memory(options: argparse.Namespace) -> dict:
    """Where Ray keeps its own: in /dev/shm. What is left is the runtime's part."""
    runs = [bench_alone("results", data_in_memory=True) for _ in range(options.rounds)]
    return best(runs, "stored_per_s")


def measure_queue(options: argparse.Namespace) -> dict:
    return bench_alone("queue")


def bench_alone(measure: str, data_in_memory: bool = False) -> dict:
    fleet = measured.make_fleet(data_in_memory=data_in_memory)
    try:
        fleet.started_agents("node-a")
        return fleet.bench(measure)
    finally:
        fleet.remove()


def measure_memory(options: argparse.Namespace) -> dict:
    """All of a fleet with eight actors, as Ray is measured."""
    from fleet import children_of

    fleet = measured.make_fleet()
    try:
        (agent,) = fleet.started_agents("node-a", actors=8)
        pids = [fleet.daemons["coordinator"].pid, agent.pid, *children_of(agent.pid)]
        parts = [measured.memory_mib(pid) for pid in pids]
        return {key: sum(part[key] for part in parts) for key in parts[0]} | {"memory_actors": 8}
    finally:
        fleet.remove()


def measure_idle(options: argparse.Namespace) -> dict:
    fleet = measured.make_fleet()
    try:
        coordinator = fleet.daemons["coordinator"].pid
        command = [options.build / "bench/idle_agents", "--coordinator", fleet.url, "--agents", options.agents,
                   "--seconds", options.idle_s + 5]  # fmt: skip
        with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True) as agents:
            joined = json.loads(agents.stdout.readline())
            time.sleep(2)
            before = measured.cpu_s(coordinator)
            time.sleep(options.idle_s)
            used = measured.cpu_s(coordinator) - before
            memory = measured.memory_mib(coordinator)
            agents.kill()
        return joined | memory | {"cpu_percent": used / options.idle_s * 100}
    finally:
        fleet.remove()


def measure_deaths(options: argparse.Namespace) -> dict:
    from runtime_cost import measure_kills

    fleet = measured.make_fleet()
    try:
        (agent,) = fleet.started_agents("node-a")
        noticed, ready = measure_kills(fleet, agent, 3)
        return {"noticed_ms": statistics.median(noticed), "next_ready_ms": statistics.median(ready)}
    finally:
        fleet.remove()


def measure_fail_over(options: argparse.Namespace) -> dict:
    import fail_over

    return fail_over.measure_all()


def measure_idle_share(options: argparse.Namespace) -> dict:
    """The part of its time that an actor waits for its next item, when items take half a second."""
    items, delay_s = 20, 0.5
    fleet = measured.make_fleet()
    try:
        fleet.started_agents("node-a")
        watch = measured.Watch(fleet, fleet.submit_echo(items, delay_ms=int(delay_s * 1000)))
        times = [watch.next_item("done")[0] for _ in range(items)]
        watch.end()
        wall = times[-1] - times[0]
        return {"items": items, "item_s": delay_s, "idle_percent": (wall - (items - 1) * delay_s) / wall * 100}
    finally:
        fleet.remove()


def measure_soak(options: argparse.Namespace) -> dict | None:
    if not options.soak:
        return None
    fleet = measured.make_fleet("--keep-items", 100_000)
    try:
        (agent,) = fleet.started_agents("node-a", actors=8)
        pids = {"coordinator": fleet.daemons["coordinator"].pid, "agent": agent.pid}
        samples, items, end = [], 0, time.monotonic() + options.soak
        while time.monotonic() < end:
            items += fleet.bench("throughput", options.items // 5)["items"]
            samples.append({name: measured.memory_mib(pid)["rss_mib"] for name, pid in pids.items()})
        return {"seconds": options.soak, "items": items,
                "rss_mib": {name: [sample[name] for sample in samples] for name in pids}}  # fmt: skip
    finally:
        fleet.remove()


MEASURES = {
    "dispatch": measure_dispatch, "throughput": measure_throughput, "agent": measure_agent, "relay": measure_relay, "ray": measure_ray,
    "submit": measure_submit, "results": measure_results, "results_in_memory": measure_results_in_memory, "queue": measure_queue, "memory": measure_memory,
    "idle": measure_idle, "deaths": measure_deaths, "fail_over": measure_fail_over,
    "idle_share": measure_idle_share, "soak": measure_soak,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--only", action="append", choices=sorted(MEASURES), help="may be repeated (default: all)")
    parser.add_argument("--ray-python", help="a python with ray==2.60.0")
    parser.add_argument("--rounds", type=int, default=3, help="of each measure that is a rate; the best counts")
    parser.add_argument("--items", type=int, default=30_000, help="of the throughput and the relay")
    parser.add_argument("--agents", type=int, default=1000, help="of the idle coordinator")
    parser.add_argument("--idle-s", type=float, default=20)
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="memory over so long a load")
    parser.add_argument("--json", type=pathlib.Path, help="where all figures go")
    options = parser.parse_args()
    measured.use_build(options.build.resolve())

    figures = {"machine": machine()}
    for name in options.only or MEASURES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        if (found := MEASURES[name](options)) is not None:
            figures[name] = found
    print("{cpu}, {cores} cores, Linux {kernel}; best of {rounds}".format(**figures["machine"], rounds=options.rounds))
    print()
    print(to_markdown(rows_of(figures)))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
