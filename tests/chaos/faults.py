# SPDX-License-Identifier: Apache-2.0
"""The faults. Each is a function of the fleet and its own random numbers, runs in a thread of its own, and returns, with a
remark for the report, when the fault is over."""

import os
import random
import signal
import time
from dataclasses import dataclass
from typing import Callable

from chaos_fleet import LEASE_MS
from fleet import wait_for
from hostile_peers import agent_storm, garbage, oversize_frames, slow_client

LONG_STOP_S = LEASE_MS / 1000 + 1
ACTOR_SILENCE_S = 6  # an agent kills an actor that says nothing for five seconds

# Where the coordinator writes: base/atomic_file.cpp and coordinator/store/. The second is how often a round comes by.
EXIT_POINTS = ["store.write", "store.commit", "store.committed", "artifact.save", "artifact.saved",
               "file.create", "file.write", "file.sync", "file.rename", "file.sync_folder"]  # fmt: skip
FAIL_POINTS = [point for point in EXIT_POINTS if point not in ("store.committed", "artifact.saved")]

NOT_REACHED = "not reached"  # ends the remark of a fault that waited for its moment in vain


@dataclass(frozen=True)
class Fault:
    inject: Callable  # (fleet, rng) -> remark or None
    kills_actors: bool = False  # an item that several actors die with is failed, as it should be: few of these a round
    has_network: bool = False
    has_small_disk: bool = False
    environment: Callable = lambda rng: {}  # the coordinator's, until its first death
    needs_storm: bool = False  # the program idle_agents
    weight: int = 4  # how often it is drawn

    @property
    def is_once(self):
        """Not twice in a round."""
        return self.has_small_disk or self.needs_storm or bool(self.environment(random.Random(0)))


def kill_actor(fleet, rng):
    pid = rng.choice(fleet.actors_of(rng.choice(fleet.agents)))
    send(pid, signal.SIGKILL)


def kill_agent(fleet, rng):
    rng.choice(fleet.agents).kill()


def kill_coordinator(fleet, rng):
    with fleet.coordinator.lock:
        fleet.coordinator.kill()


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # another fault was first


def stop_actor(seconds):
    def inject(fleet, rng):
        pid = rng.choice(fleet.actors_of(rng.choice(fleet.agents)))
        send(pid, signal.SIGSTOP)
        time.sleep(seconds)  # how long the fault lasts
        send(pid, signal.SIGCONT)

    return inject


def stop_daemon(choose, seconds):
    def inject(fleet, rng):
        keeper = choose(fleet, rng)
        with keeper.lock:
            process = keeper.send(signal.SIGSTOP)
            time.sleep(seconds)
            process.send_signal(signal.SIGCONT)

    return inject


def any_agent(fleet, rng):
    return rng.choice(fleet.agents)


def the_coordinator(fleet, rng):
    return fleet.coordinator


def exit_rule(rng):
    return {"SDFLEET_TEST_EXIT_AT": f"{rng.choice(EXIT_POINTS)}:{rng.randint(1, 40)}"}


def failure_rule(rng):
    return {"SDFLEET_TEST_FAIL_AT": f"{rng.choice(FAIL_POINTS)}:{rng.randint(1, 40)}:{rng.choice([1, 1, 3, 10])}"}


def told_by_log(variable, sign):
    """The fault sits in the coordinator's environment; this only says whether it came about."""

    def inject(fleet, rng):
        rule = fleet.setup.coordinator_environment[variable]
        patience_s = 5
        try:
            wait_for(lambda: sign in fleet.log("coordinator"), sign, patience_s)
        except AssertionError:
            return f"{rule} {NOT_REACHED}"
        return rule

    return inject


def full_disk(fleet, rng):
    """Until nothing fits any more, for a second or two."""
    ballast = fleet.data / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 65536):
                pass
        except OSError:
            pass
        time.sleep(rng.uniform(0.5, 2))
    ballast.unlink()


def pull_link(seconds):
    def inject(fleet, rng):
        cable = fleet.cables[rng.choice(fleet.agents).name]
        cable.pull()
        time.sleep(seconds)
        cable.plug()

    return inject


def duplicate_node(fleet, rng):
    """A cloned machine: a second agent with the name of one that is alive. The newer stays until the older, which ends,
    is started again and is the newer then."""
    keeper = rng.choice(fleet.agents)
    with keeper.lock:
        keeper.expected.add(1)
        name = f"{keeper.name}-clone"
        clone = fleet.extras[name] = fleet.start_agent(keeper.name, as_name=name)
        wait_for(lambda: clone.poll() is not None, "end of the clone")
    return None if clone.returncode == 1 else f"the clone ended with {clone.returncode}"


def displaced_agent(fleet, rng):
    """An agent hangs, another is started in its place, and then the old one comes back to life: it must see that it is
    replaced and go."""
    keeper = rng.choice(fleet.agents)
    with keeper.lock:
        keeper.expected.add(1)
        older = keeper.send(signal.SIGSTOP)
        name = f"{keeper.name}-newer"
        fleet.extras[name] = newer = fleet.start_agent(keeper.name, as_name=name)
        wait_for(lambda: "joined the coordinator" in fleet.log(name) or newer.poll() is not None, "welcome of the newer agent")
        older.send_signal(signal.SIGCONT)
        wait_for(lambda: older.poll() is not None, "end of the displaced agent")
        wait_for(lambda: newer.poll() is not None, "end of the newer agent, itself displaced")


FAULTS = {
    "none": Fault(lambda fleet, rng: None, weight=0),
    "kill-actor": Fault(kill_actor, kills_actors=True),
    "kill-agent": Fault(kill_agent),
    "kill-coordinator": Fault(kill_coordinator),
    "stop-actor-0.5s": Fault(stop_actor(0.5)),
    "stop-actor-2s": Fault(stop_actor(2)),
    "stop-actor-long": Fault(stop_actor(ACTOR_SILENCE_S), kills_actors=True, weight=2),
    "stop-agent-0.5s": Fault(stop_daemon(any_agent, 0.5)),
    "stop-agent-2s": Fault(stop_daemon(any_agent, 2)),
    "stop-agent-long": Fault(stop_daemon(any_agent, LONG_STOP_S)),
    "stop-coordinator-0.5s": Fault(stop_daemon(the_coordinator, 0.5)),
    "stop-coordinator-2s": Fault(stop_daemon(the_coordinator, 2)),
    "stop-coordinator-long": Fault(stop_daemon(the_coordinator, LONG_STOP_S)),
    "exit-at-write": Fault(told_by_log("SDFLEET_TEST_EXIT_AT", "the process ends at"), environment=exit_rule, weight=8),
    "fail-at-write": Fault(told_by_log("SDFLEET_TEST_FAIL_AT", "EIO at"), environment=failure_rule, weight=8),
    "full-disk": Fault(full_disk, has_small_disk=True),
    "pull-link-1s": Fault(pull_link(1), has_network=True),
    "pull-link-5s": Fault(pull_link(5), has_network=True),
    "pull-link-60s": Fault(pull_link(60), has_network=True, weight=0),
    "duplicate-node": Fault(duplicate_node),
    "displaced-agent": Fault(displaced_agent),
    "slow-client": Fault(slow_client),
    "garbage": Fault(garbage),
    "oversize-frames": Fault(oversize_frames),
    "agent-storm": Fault(agent_storm, needs_storm=True, weight=1),
}
