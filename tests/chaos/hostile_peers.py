# SPDX-License-Identifier: Apache-2.0
"""Faults that come over the port: peers that do not read, do not speak the protocol, or are very many."""

import hashlib
import json
import os
import re
import struct
import time
from contextlib import ExitStack
from pathlib import Path

import zmtp
from chaos_fleet import IDLE_AGENTS
from fleet import wait_for
from jobs import Job
from zmtp import RawClient

MAX_MEMORY_MIB = int(os.environ.get("SDFLEET_CHAOS_MAX_MEMORY_MIB", "400"))
SLOW_CLIENTS = 4
FETCHES = 3000
STORM = 1000


def peak_memory_mib(process):
    try:
        return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())[1]) // 1024
    except (FileNotFoundError, TypeError):
        return 0  # it was killed meanwhile


def check_memory(process):
    peak = peak_memory_mib(process)
    assert peak <= MAX_MEMORY_MIB, f"the coordinator took {peak} MiB"
    return f"coordinator's peak {peak} MiB"


def slow_client(fleet, rng):
    """Clients ask for far more than they read: results of 3 MiB, hundreds of times."""
    fat = Job(f"fat-{rng.getrandbits(32):08x}", [f"fat {index}" for index in range(4)], 0, 3 << 20)
    fat.submit_until_acknowledged(fleet)
    fat.wait_until_over(fleet)
    hashes = [hashlib.sha256(fat.echo_of(prompt)).hexdigest() for prompt in fat.prompts]
    with fleet.coordinator.lock, ExitStack() as clients:
        process = fleet.coordinator.process
        for _ in range(SLOW_CLIENTS):
            client = clients.enter_context(RawClient(fleet.port, receive_buffer_bytes=4096))
            cluster = client.join()
            try:
                for number in range(FETCHES):
                    body = {"sha256": hashes[number % len(hashes)]}
                    client.send_message(zmtp.FETCH_ARTIFACT, body, cluster, number + 1)
            except OSError:
                pass  # cut off: as good as ignored
        time.sleep(2)  # they hold their connections and do not read
        return check_memory(process)


def garbage(fleet, rng):
    """Random bytes in place of a greeting, in place of frames, and in place of a message."""
    noise = rng.randbytes(rng.randint(1, 100_000))
    for lead in (b"", zmtp.GREETING, zmtp.GREETING + zmtp.ready_command()):
        with RawClient(fleet.port) as client:
            try:
                client.socket.sendall(lead + noise)
            except OSError:
                pass
    with RawClient(fleet.port) as client:
        client.shake_hands()
        for size in (0, 1, 100, 10_000):
            client.socket.sendall(zmtp.frame(rng.randbytes(size)))
        client.socket.sendall(zmtp.frame(b"\x91" * 100_000))  # arrays in arrays
        client.socket.sendall(zmtp.frame(b"\xdd\xff\xff\xff\xff" + bytes(64)))  # an array of four thousand millions
        client.socket.sendall(b"".join([zmtp.frame(b"x", zmtp.MORE)] * 200 + [zmtp.frame(b"x")]))
    return check_memory(fleet.coordinator.process)


def oversize_frames(fleet, rng):
    """A frame that says it has more bytes than any may have: the connection ends before memory is taken."""
    with fleet.coordinator.lock:
        for size in ((64 << 20) + 1, 1 << 40, (1 << 63) - 1):
            with RawClient(fleet.port) as client:
                client.shake_hands()
                client.socket.sendall(bytes([zmtp.LONG]) + struct.pack(">Q", size) + bytes(1000))
                assert client.is_closed_by_peer(), f"a frame of {size} bytes was not refused"
        return check_memory(fleet.coordinator.process)


def agent_storm(fleet, rng):
    """A thousand more agents join; the coordinator dies; all are back."""
    command = [IDLE_AGENTS, "--coordinator", fleet.url, "--agents", STORM, "--seconds", 600, "--no-actors"]
    with fleet.coordinator.lock:
        storm = fleet.start_extra("storm", *command)
        wait_for(lambda: "joined_s" in fleet.log("storm") or storm.poll() is not None, "storm")
        joined_s = json.loads(fleet.log("storm").splitlines()[0])["joined_s"]
        begin = time.monotonic()
        fleet.coordinator.kill()
        wait_for(lambda: count_alive(fleet) >= STORM + len(fleet.agents), "return of all agents")
        back_s = time.monotonic() - begin
        storm.kill()
        return f"{STORM} agents joined in {joined_s:.1f} s, were back in {back_s:.1f} s"


def count_alive(fleet):
    process = fleet.sdctl_process("nodes", "--json")
    out, _ = process.communicate(timeout=60)
    return sum(n["state"] == "alive" for n in json.loads(out)["nodes"]) if process.returncode == 0 else 0
