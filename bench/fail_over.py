# SPDX-License-Identifier: Apache-2.0
"""How long work stands still after a fault: each function starts a fleet of its own and gives numbers with their units."""

import os
import signal
import time

from measured_fleet import Watch, make_fleet


def next_after(watch: Watch, moment: float, *states: str) -> tuple[float, dict]:
    while True:
        at, event = watch.next_item(*states)
        if at > moment:
            return at, event


def actor_killed() -> dict:
    """SIGKILL of a node's only actor: its next process gets work and gives the next result."""
    from fleet import children_of

    fleet = make_fleet()
    try:
        (agent,) = fleet.started_agents("node-a")
        job = fleet.submit_echo(1000, delay_ms=20)
        watch = Watch(fleet, job)
        watch.next_item("done")
        known = fleet.job(job)["done"]
        begin = time.monotonic()
        os.kill(children_of(agent.pid)[0], signal.SIGKILL)
        at, event = next_after(watch, begin + 0.06, "done")  # what was under way arrives before that
        watch.end()
        return {"done_before": known, "next_result_ms": (at - begin) * 1000, "attempts": event["attempts"]}
    finally:
        fleet.remove()


def agent_killed() -> dict:
    """SIGKILL of one of two agents: its items, redone by the other after the lease."""
    fleet = make_fleet()
    try:
        fleet.started_agents("node-a", "node-b")
        job = fleet.submit_echo(2000, delay_ms=50)
        watch = Watch(fleet, job)
        watch.next_item("done")
        held = {
            item["index"] for item in fleet.job(job)["items"]
            if item["state"] in ("running", "assigned") and item["actor"] == "node-b/0"
        }  # fmt: skip
        begin = time.monotonic()
        fleet.kill("node-b")
        redone = {}
        while len(redone) < len(held):
            at, event = watch.next_item("done")
            if event["index"] in held:
                redone[event["index"]] = at
        watch.end()
        lost = [at for at in redone.values() if at > begin + 0.5]  # the others were done when the agent died
        return {"items": len(lost), "all_redone_ms": (max(lost, default=begin) - begin) * 1000}
    finally:
        fleet.remove()


def agent_paused(seconds: float = 2) -> dict:
    """SIGSTOP of an agent for less than the lease: nothing is lost or drawn twice."""
    fleet = make_fleet()
    try:
        (agent,) = fleet.started_agents("node-a")
        job = fleet.submit_echo(100, delay_ms=50)
        watch = Watch(fleet, job)
        watch.next_item("done")
        agent.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        was_lost = fleet.nodes()[0]["state"] == "lost"
        agent.send_signal(signal.SIGCONT)
        begin = time.monotonic()
        at, _ = next_after(watch, begin, "done")
        watch.process.communicate()
        drawn_twice = sum(item["attempts"] > 1 for item in fleet.job(job)["items"])
        return {"paused_s": seconds, "node_lost": int(was_lost), "items_drawn_twice": drawn_twice,
                "next_result_ms": (at - begin) * 1000}  # fmt: skip
    finally:
        fleet.remove()


def coordinator_killed(items: int = 100_000) -> dict:
    """SIGKILL of the coordinator with a long job on disk; started again at once."""
    fleet = make_fleet()
    try:
        fleet.started_agents("node-a", actors=2)
        job = fleet.submit_echo(items, delay_ms=20)
        watch = Watch(fleet, job)
        watch.next_item("done")
        time.sleep(1)
        begin = time.monotonic()
        fleet.kill("coordinator")
        fleet.start_coordinator()
        from fleet import wait_for

        wait_for(lambda: fleet.log("coordinator").count("listening on") == 2, "listening coordinator")
        listening = time.monotonic()
        watch.end()
        watch = Watch(fleet, job)
        wait_for(lambda: fleet.ready_actors() == 2, "actors back")
        joined = time.monotonic()
        at, _ = next_after(watch, joined, "done")
        watch.end()
        return {"items": items, "listening_ms": (listening - begin) * 1000, "agent_back_ms": (joined - begin) * 1000,
                "next_result_ms": (at - begin) * 1000}  # fmt: skip
    finally:
        fleet.remove()


def measure_all() -> dict:
    return {fault.__name__: fault() for fault in (actor_killed, agent_killed, agent_paused, coordinator_killed)}
