# SPDX-License-Identifier: Apache-2.0
"""The fleet of one round: real daemons under keepers, on TCP, in network namespaces or on a small disk where a fault needs that."""

import os
import random
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from fleet import BIN, ECHO_ACTOR, MODELS, PATIENCE_S, Answer, Fleet, children_of, wait_for
from keeper import Keeper

UNREACHABLE = 3  # exit code of sdctl
LEASE_MS = 2500
HEARTBEAT_MS = 250
SMALL_DISK = "96m"  # holds all that a round writes, with the results for slow clients
PICTURE_MODEL = MODELS / "tiny-shapes"
IDLE_AGENTS = BIN.parent / "bench" / "idle_agents"


def free_port():
    """Below the ports that the kernel gives to outgoing connections: while the coordinator is dead, one of those could
    take its place, or even connect to itself."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def run(*command):
    subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)


@dataclass
class Setup:
    """What a round's faults need from the fleet."""

    agents: list  # (name, actors)
    draws_pictures: bool = False
    has_network: bool = False  # each agent is a host of its own, behind a cable
    has_small_disk: bool = False
    coordinator_environment: dict = field(default_factory=dict)  # until its first death


class ChaosFleet(Fleet):
    def __init__(self, setup):
        self.setup = setup
        self.port = free_port()
        self.keepers = {}
        self.cables = {}
        self.extras = {}  # processes that a fault started
        super().__init__()
        self.environment.pop("XDG_RUNTIME_DIR", None)
        self.coordinator.expected |= {1} if setup.has_small_disk else set()  # a full disk may refuse a start
        wait_for(self.database.exists, "database")
        for name, _ in setup.agents:
            self.keepers[name] = Keeper(name, lambda first, name=name: self.start_agent(name))

    @property
    def coordinator(self):
        return self.keepers["coordinator"]

    @property
    def data(self):
        return self.path / "data"

    @property
    def database(self):
        return self.data / "jobs.sqlite"

    @property
    def agents(self):
        return [self.keepers[name] for name, _ in self.setup.agents]

    def sdctl(self, *arguments, expect=0, **options):
        """Asks again while there is no answer (exit code 3): on a machine as busy as a round makes it, one may come late."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            process = self.sdctl_process(*arguments, **options)
            out, err = process.communicate(timeout=2 * PATIENCE_S)
            if process.returncode != UNREACHABLE or time.monotonic() > deadline:
                assert process.returncode == expect, f"sdctl {arguments}: {process.returncode}, not {expect}\n{out}\n{err}"
                return Answer(out, err)

    # ------------------------------------------------------------ daemons

    def start_coordinator(self):
        if self.setup.has_small_disk:
            self.data.mkdir()
            run("mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "sdfleet-chaos", self.data)
        self.url = f"tcp://127.0.0.1:{self.port}"
        self.environment["SDFLEET_COORDINATOR"] = self.url
        self.keepers["coordinator"] = Keeper("coordinator", self.start_one_coordinator)
        return self.coordinator.process

    def start_one_coordinator(self, first):
        listen = f"tcp://0.0.0.0:{self.port}" if self.setup.has_network else self.url
        options = ["--insecure-listen"] if self.setup.has_network else []
        options += ["--lease-ms", LEASE_MS, "--heartbeat-interval-ms", HEARTBEAT_MS]
        extra = self.setup.coordinator_environment if first else {}
        return self.start("coordinator", BIN / "coordinator", "--data-dir", self.data, "--listen", listen, *options, environment=extra)

    def start_agent(self, name, as_name=None):
        """`as_name` is another name for its log: of a second agent with the same node id."""
        actors = dict(self.setup.agents)[name]
        url, prefix = self.url, []
        if self.setup.has_network:
            cable = self.cables.get(name) or self.cables.setdefault(name, Cable())
            url, prefix = f"tcp://{cable.our_address}:{self.port}", ["ip", "netns", "exec", cable.namespace]
        command = [*prefix, BIN / "agent", "--coordinator", url, "--node-id", name, "--devices", f"cpu*{actors}"]
        command += ["--model", f"{PICTURE_MODEL.name}={PICTURE_MODEL}"] if self.setup.draws_pictures else ["--actor-bin", ECHO_ACTOR]
        return self.start(as_name or name, *command)

    def start_extra(self, name, *command):
        self.extras[name] = self.start(name, *command)
        return self.extras[name]

    def actors_of(self, agent):
        return wait_for(lambda: children_of(agent.process.pid), f"actor of {agent.name}")

    def wait_until_idle(self):
        """All actors there, and none with work."""
        wanted = sum(actors for _, actors in self.setup.agents)

        def is_idle():
            names = dict(self.setup.agents)
            actors = [a for n in self.nodes() if n["state"] == "alive" and n["node"] in names for a in n["actors"]]
            return [(a["state"], a["in_flight"]) for a in actors] == [("ready", 0)] * wanted

        wait_for(is_idle, f"fleet of {wanted} idle actors")

    # ------------------------------------------------------------ the end

    def end(self):
        """All in good order, agents first; returns {name: exit code}."""
        for process in self.extras.values():
            if process.poll() is None:
                process.kill()
            process.wait()
        names = [name for name in self.keepers if name != "coordinator"] + ["coordinator"]
        return {name: self.keepers[name].end() for name in names}

    def surprises(self):
        return [line for keeper in self.keepers.values() for line in keeper.surprises]

    def orphans(self):
        """Processes of this fleet that are still there: all have its folder for temporary files in their environment."""
        mark = f"TMPDIR={self.tmp}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    words = (process / "cmdline").read_bytes().split(b"\0")
                    found.append(f"{process.name} {b' '.join(words).decode()}")
            except OSError:
                continue  # gone, or somebody else's
        return found

    def detach(self):
        """Gives back what outlives a process: cables and the small disk. Its content stays, in data.kept."""
        for cable in self.cables.values():
            cable.remove()
        self.cables = {}
        if self.setup.has_small_disk and self.data.is_mount():
            run("cp", "-r", self.data, self.path / "data.kept")
            run("umount", self.data)

    def remove(self):
        self.end()
        self.detach()
        super().remove()


class Cable:
    """A network namespace, which is a host of its own, and the cable to it. Needs root."""

    count = 0

    def __init__(self):
        Cable.count += 1
        tag = f"{os.getpid()}n{Cable.count}"
        self.namespace = f"sdf{tag}"
        self.our_end = f"sdf{tag}"[:15]
        number = random.randrange(1 << 14)
        subnet = f"10.{200 + (number >> 13)}.{(number >> 6) & 127}.{(number & 63) * 4}"
        base, last = subnet.rsplit(".", 1)
        self.our_address = f"{base}.{int(last) + 1}"
        run("ip", "netns", "add", self.namespace)
        run("ip", "link", "add", self.our_end, "type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        run("ip", "addr", "add", f"{self.our_address}/30", "dev", self.our_end)
        run("ip", "link", "set", self.our_end, "up")
        run("ip", "-n", self.namespace, "addr", "add", f"{base}.{int(last) + 2}/30", "dev", "eth0")
        run("ip", "-n", self.namespace, "link", "set", "eth0", "up")
        run("ip", "-n", self.namespace, "link", "set", "lo", "up")

    def pull(self):
        run("ip", "link", "set", self.our_end, "down")

    def plug(self):
        run("ip", "link", "set", self.our_end, "up")

    def remove(self):
        run("ip", "link", "del", self.our_end)
        run("ip", "netns", "del", self.namespace)
