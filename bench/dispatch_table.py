# SPDX-License-Identifier: Apache-2.0
"""The table of bench/dispatch.py: one row for each figure, with the peers' beside it where they have one."""

from typing import NamedTuple


class Row(NamedTuple):
    name: str
    unit: str
    ours: float | None
    relay: float | None = None
    ray: float | None = None
    more_is_better: bool = True


def find(figures: dict, *path: str) -> float | None:
    for name in path:
        if not isinstance(figures, dict) or name not in figures:
            return None
        figures = figures[name]
    return figures


def rows_of(figures: dict) -> list[Row]:
    def ours(*path):
        return find(figures, *path)

    rows = [
        Row("agent and actor, one item at a time", "/s", ours("agent", "sync", "per_s"), ours("relay", "sync", "per_s"),
            ours("ray", "sync", "per_s")),
        Row("the same, p50", "us", ours("agent", "sync", "p50_us"), ours("relay", "sync", "p50_us"),
            ours("ray", "sync", "p50_us"), False),
        Row("the same, p99", "us", ours("agent", "sync", "p99_us"), ours("relay", "sync", "p99_us"),
            ours("ray", "sync", "p99_us"), False),
    ]  # fmt: skip
    for actors in ("1", "8", "64"):
        rows.append(Row(f"agent and {actors} actor(s), two items under way on each", "/s", ours("agent", actors, "per_s"),
                        ours("relay", actors, "per_s"), ours("ray", "async_per_s", actors)))  # fmt: skip
    for actors in ("1", "8", "64"):
        rows.append(Row(f"whole fleet, durable, {actors} actor(s)", "/s", ours("throughput", actors, "items_per_s"),
                        ours("relay", actors, "per_s"), ours("ray", "async_per_s", actors)))  # fmt: skip
    rows += [
        Row("job of one item, submit to done, p50", "us", ours("dispatch", "round_trip_p50_us"),
            ray=ours("ray", "sync", "p50_us"), more_is_better=False),
        Row("the same, p99", "us", ours("dispatch", "round_trip_p99_us"), ray=ours("ray", "sync", "p99_us"),
            more_is_better=False),
        Row("submits, on disk", "/s", ours("submit", "submits_per_s")),
        Row("3 MiB results", "/s", ours("results", "stored_per_s"), ray=ours("ray", "results_per_s")),
        Row("3 MiB results, brought to the client", "/s", ours("results", "fetched_per_s"),
            ray=ours("ray", "results_per_s")),
        Row("3 MiB results, data folder in /dev/shm", "/s", ours("results_in_memory", "stored_per_s"),
            ray=ours("ray", "results_per_s")),
        Row("the same, brought to the client", "/s", ours("results_in_memory", "fetched_per_s"),
            ray=ours("ray", "results_per_s")),
        Row("3 MiB results, Ray with os.urandom for each", "/s", ours("results", "fetched_per_s"),
            ray=ours("ray", "results_urandom_per_s")),
        Row("items queued, time for a million", "s", ours("queue", "queued_s"), more_is_better=False),
    ]  # fmt: skip
    for phase in ("filling", "listing", "drawing", "cancelling"):
        rows.append(Row(f"longest pause of another client, {phase}", "ms", ours("queue", phase, "longest_pause_ms")))
    rows += [
        Row("memory with 8 actors, resident", "MiB", ours("memory", "rss_mib"), ray=ours("ray", "rss_mib"),
            more_is_better=False),
        Row("memory with 8 actors, proportional", "MiB", ours("memory", "pss_mib"), ray=ours("ray", "pss_mib"),
            more_is_better=False),
        Row("coordinator with idle agents: agents", "", ours("idle", "agents")),
        Row("the same: until all have joined", "s", ours("idle", "joined_s")),
        Row("the same: resident", "MiB", ours("idle", "rss_mib")),
        Row("the same: of a core", "%", ours("idle", "cpu_percent")),
        Row("actor killed: noticed", "ms", ours("deaths", "noticed_ms"), ray=ours("ray", "death_seen_ms"),
            more_is_better=False),
        Row("actor killed: the next one ready", "ms", ours("deaths", "next_ready_ms")),
        Row("actor killed: next result", "ms", ours("fail_over", "actor_killed", "next_result_ms"),
            ray=ours("ray", "restart_retry_ms"), more_is_better=False),
        Row("agent killed: its items redone elsewhere", "ms", ours("fail_over", "agent_killed", "all_redone_ms")),
        Row("agent stopped for 2 s: items drawn twice", "", ours("fail_over", "agent_paused", "items_drawn_twice")),
        Row("coordinator killed with 100,000 items: listening", "ms",
            ours("fail_over", "coordinator_killed", "listening_ms")),
        Row("the same: next result", "ms", ours("fail_over", "coordinator_killed", "next_result_ms")),
        Row("an actor's idle share, items of 0.5 s", "%", ours("idle_share", "idle_percent")),
    ]  # fmt: skip
    for name in ("coordinator", "agent"):
        if samples := find(figures, "soak", "rss_mib", name):
            rows.append(Row(f"{name} under load: resident, first", "MiB", samples[0]))
            rows.append(Row(f"{name} under load: resident, last", "MiB", samples[-1]))
    return [row for row in rows if (row.ours, row.relay, row.ray) != (None, None, None)]


def number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def ratio(row: Row, peer: float | None) -> str:
    """How many times as good as the peer we are."""
    if not row.ours or not peer:
        return ""
    return f"{row.ours / peer if row.more_is_better else peer / row.ours:.2f}x"


def to_markdown(rows: list[Row]) -> str:
    lines = ["| | unit | sdfleet | bare relay | Ray | against the relay | against Ray |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        cells = [row.name, row.unit, number(row.ours), number(row.relay), number(row.ray), ratio(row, row.relay),
                 ratio(row, row.ray)]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
