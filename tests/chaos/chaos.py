# SPDX-License-Identifier: Apache-2.0
"""Rounds of chaos, and their report. See scripts/chaos for the options."""

import argparse
import os
import shutil
import signal
import sys
from collections import Counter, defaultdict

from chaos_fleet import IDLE_AGENTS
from chaos_round import Round, plan_round
from faults import FAULTS
from fleet import HAS_ACTOR

PICTURES_EVERY = 10

# The fixed rounds of a short test: every fault that is over in a few seconds.
QUICK = [
    ["none"],
    ["kill-actor", "kill-agent", "kill-coordinator", "garbage"],
    ["exit-at-write", "stop-actor-0.5s", "stop-agent-2s"],
    ["fail-at-write", "stop-coordinator-0.5s", "duplicate-node", "oversize-frames"],
    ["full-disk", "kill-agent", "slow-client"],
    ["pull-link-1s", "kill-actor", "stop-coordinator-2s"],
    ["displaced-agent", "stop-actor-2s", "stop-agent-0.5s"],
    ["exit-at-write", "kill-agent"],
]


def reason_to_leave_out(fault):
    """Empty when this machine can have it."""
    if (fault.has_small_disk or fault.has_network) and os.geteuid() != 0:
        return "needs root"
    if fault.has_network and shutil.which("ip") is None:
        return "needs the program ip"
    if fault.needs_storm and not IDLE_AGENTS.exists():
        return "needs the program idle_agents"
    return ""


def plans(options, available):
    if options.quick:
        for number, names in enumerate(QUICK):
            yield plan_round(options.seed + number, available, False, [name for name in names if name in available or name == "none"])
        return
    for number in range(options.rounds):
        draws_pictures = HAS_ACTOR and number % PICTURES_EVERY == PICTURES_EVERY - 1
        yield plan_round(options.seed + number, available, draws_pictures, [options.only] if options.only else None)


def line_of(outcome):
    plan = outcome.plan
    faults = ", ".join(f"{name} at {at_s:.1f} s" for name, at_s, _ in sorted(plan.faults, key=lambda fault: fault[1]))
    kind = f"{sum(len(job.prompts) for job in plan.jobs)} {'pictures' if plan.setup.draws_pictures else 'items'}"
    remarks = f" ({'; '.join(outcome.remarks)})" if outcome.remarks else ""
    return f"seed {plan.seed}: {kind}: {faults}{remarks}: {'VIOLATED' if outcome.violations else 'ok'}, {outcome.seconds:.1f} s"


def table(outcomes, is_markdown):
    """Faults x rounds x outcome; a round counts for each of its faults."""
    rounds, injected, violated = Counter(), Counter(), defaultdict(list)
    for outcome in outcomes:
        names = [name for name, _, _ in outcome.plan.faults]
        injected.update(names)
        injected.subtract(outcome.missed)
        rounds.update(set(names))
        for name in set(names) if outcome.violations else ():
            violated[name].append(str(outcome.plan.seed))
    rows = [("fault", "rounds", "injected", "violated")]
    rows += [(name, str(rounds[name]), str(injected[name]), " ".join(violated[name]) or "0") for name in FAULTS if rounds[name]]
    bad = [str(outcome.plan.seed) for outcome in outcomes if outcome.violations]
    rows.append(("all", str(len(outcomes)), str(sum(injected.values())), " ".join(bad) or "0"))
    if is_markdown:
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        return "\n".join([lines[0], "|---|---:|---:|---|", *lines[1:]])
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def parse(arguments):
    parser = argparse.ArgumentParser(prog="scripts/chaos", description="Real fleets under random faults")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1, help="of the first round; the next one's is one more")
    parser.add_argument("--only", choices=sorted(FAULTS), help="this fault alone, once in each round")
    parser.add_argument("--quick", action="store_true", help="a fixed handful of rounds over all short faults")
    parser.add_argument("--markdown", action="store_true", help="the table at the end in Markdown")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(130))  # by way of all `finally`: no fleet is left behind
    reasons = {name: reason for name, fault in FAULTS.items() if (reason := reason_to_leave_out(fault))}
    for name, reason in reasons.items():
        print(f"left out: {name} {reason}", file=sys.stderr)
    if options.only in reasons:
        return 2
    available = [name for name in FAULTS if name not in reasons and name != "none"]
    outcomes = []
    for plan in plans(options, available):
        outcome = Round(plan).run()
        outcomes.append(outcome)
        print(line_of(outcome), flush=True)
        for violation in outcome.violations:
            print(f"    {violation}", flush=True)
        if outcome.folder:
            print(f"    kept: {outcome.folder}", flush=True)
    print(table(outcomes, options.markdown))
    return 1 if any(outcome.violations for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
