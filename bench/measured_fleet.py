# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks of the runtime share: a fleet of real processes on TCP, and what its processes use."""

import json
import os
import pathlib
import re
import socket
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def use_build(build: pathlib.Path) -> None:
    """Before MeasuredFleet is made: which programs it starts."""
    os.environ |= {"SDFLEET_BIN_DIR": str(build / "bin"), "SDFLEET_ECHO_ACTOR": str(build / "tests/echo_actor"),
                   "SDFLEET_SOURCE_DIR": str(ROOT), "TZ": "UTC"}  # fmt: skip
    sys.path.insert(0, str(ROOT / "tests/e2e"))


def memory_mib(pid: int) -> dict[str, float]:
    """Resident, and proportional: what processes share is shared out."""
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {
        key: int(re.search(rf"^{name}:\s+(\d+) kB", rollup, re.MULTILINE)[1]) / 1024
        for key, name in (("rss_mib", "Rss"), ("pss_mib", "Pss"))
    }


def cpu_s(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_fleet(*coordinator_options, data_in_memory=False):
    """The end-to-end tests' fleet, but on TCP, as between machines."""
    from fleet import Fleet

    class MeasuredFleet(Fleet):
        def start_coordinator(self):
            if not self.url.startswith("tcp:"):
                self.url = f"tcp://127.0.0.1:{free_port()}"
                self.environment["SDFLEET_COORDINATOR"] = self.url
                if data_in_memory:
                    self.memory = tempfile.TemporaryDirectory(prefix="sdf-", dir="/dev/shm")
                    (self.path / "data").symlink_to(self.memory.name)
            return super().start_coordinator()

        def remove(self):
            super().remove()
            if data_in_memory:
                self.memory.cleanup()

        def bench(self, measure: str, items: int = 0) -> dict:
            answer = self.sdctl("bench", "--measure", measure, "--json", *(["--items", items] if items else []))
            return answer.json[measure]

        def submit_echo(self, items: int, delay_ms: int) -> str:
            prompts = self.write("prompts.txt", "".join(f"item {index}\n" for index in range(items)))
            return self.sdctl("submit", prompts, "--echo-delay-ms", delay_ms).out.strip()

        def started_agents(self, *names: str, actors: int = 1):
            agents = [self.start_agent(name, actors=actors) for name in names]
            self.wait_until_ready(actors * len(names))
            return agents

    return MeasuredFleet(*coordinator_options)


class Watch:
    """`sdctl watch` of a job: its events, with the time of their arrival."""

    def __init__(self, fleet, job: str):
        self.process = fleet.sdctl_process("watch", job, "--json")

    def next(self) -> tuple[float, dict]:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"sdctl watch ended early: {self.process.stderr.read()}")
        return time.monotonic(), json.loads(line)

    def next_item(self, *states: str) -> tuple[float, dict]:
        while True:
            at, event = self.next()
            if event["event"] == "item" and event["state"] in states:
                return at, event

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()
