#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the runtime itself costs, with real processes on this machine: memory and processor time of an idle coordinator and
agent, and how soon the death of an actor's process is noticed and repaired.

    bench/runtime_cost.py [--bin build/release/bin] [--echo-actor build/release/tests/echo_actor] [--kills 5] [--idle-s 30]
"""
import argparse
import json
import os
import pathlib
import re
import signal
import statistics
import sys
import time
from datetime import datetime, timezone

ROOT = pathlib.Path(__file__).resolve().parent.parent
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def rss_mib(pid: int) -> float:
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024


def cpu_s(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def logged_at(line: str) -> float:
    return datetime.fromisoformat(line.split()[0]).replace(tzinfo=timezone.utc).timestamp()


def new_line(fleet, name: str, known: int, pattern: str) -> str:
    """The first line of the log beyond `known` characters that has the pattern."""
    from fleet import wait_for

    def find():
        return next((line for line in fleet.log(name)[known:].splitlines() if re.search(pattern, line)), None)

    return wait_for(find, f"'{pattern}' in the log of {name}")


def measure_kills(fleet, agent, kills: int) -> tuple[list[float], list[float]]:
    """Milliseconds from SIGKILL to the agent's line about it, and to the next process being ready."""
    from fleet import children_of

    noticed, ready = [], []
    for _ in range(kills):
        known = len(fleet.log("node-a"))
        begin = time.time()
        os.kill(children_of(agent.pid)[0], signal.SIGKILL)
        noticed.append((logged_at(new_line(fleet, "node-a", known, "SIGKILL")) - begin) * 1000)
        ready.append((logged_at(new_line(fleet, "node-a", known, "is ready")) - begin) * 1000)
        time.sleep(13)  # the restart budget is five in a minute
    return noticed, ready


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=ROOT / "build/release/bin")
    parser.add_argument("--echo-actor", default=ROOT / "build/release/tests/echo_actor")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--idle-s", type=float, default=30)
    options = parser.parse_args()
    os.environ |= {"SDFLEET_BIN_DIR": str(options.bin), "SDFLEET_ECHO_ACTOR": str(options.echo_actor),
                   "SDFLEET_SOURCE_DIR": str(ROOT), "TZ": "UTC"}  # fmt: skip
    sys.path.insert(0, str(ROOT / "tests/e2e"))
    from fleet import Fleet

    fleet = Fleet()
    try:
        agent = fleet.start_agent("node-a", actors=2)
        fleet.wait_until_ready(2)
        pids = {"coordinator": fleet.daemons["coordinator"].pid, "agent": agent.pid}
        before = {name: cpu_s(pid) for name, pid in pids.items()}
        time.sleep(options.idle_s)
        result = {
            name: {"rss_mib": round(rss_mib(pid), 1),
                   "cpu_percent": round((cpu_s(pid) - before[name]) / options.idle_s * 100, 2)}
            for name, pid in pids.items()
        }  # fmt: skip
        noticed, ready = measure_kills(fleet, agent, options.kills)
    finally:
        fleet.remove()
    for name, row in result.items():
        print(f"{name:12} idle: {row['rss_mib']:5.1f} MiB RSS, {row['cpu_percent']:.2f} % of a core")
    result["death_ms"] = {"noticed": noticed, "next_ready": ready}
    print(f"actor killed: noticed after {statistics.median(noticed):.1f} ms (worst {max(noticed):.1f}), "
          f"the next one ready after {statistics.median(ready):.1f} ms (worst {max(ready):.1f})")  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
