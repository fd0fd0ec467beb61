# SPDX-License-Identifier: Apache-2.0
"""One round: a fresh fleet, jobs, faults at random moments, and the checks when all is over. All of it follows from a seed."""

import os
import random
import subprocess
import threading
import time
import traceback
from dataclasses import dataclass, field

from books import faults_of_books, note_every_outcome, temporary_files
from chaos_fleet import ChaosFleet, Setup
from faults import FAULTS, NOT_REACHED
from fleet import PATIENCE_S
from jobs import Job

MAX_FAULTS = 4
MAX_ACTOR_DEATHS = 2  # a third could hit the same item, which is then called poison


@dataclass
class Plan:
    seed: int
    setup: Setup
    jobs: list
    faults: list  # (name, seconds after the first submit, seed of its random numbers)


@dataclass
class Outcome:
    plan: Plan
    violations: list = field(default_factory=list)
    remarks: list = field(default_factory=list)
    missed: list = field(default_factory=list)  # faults that did not come about
    seconds: float = 0.0
    folder: object = None  # kept when there are violations


def choose_faults(rng, available):
    names = []
    for _ in range(rng.randint(1, MAX_FAULTS)):
        allowed = [n for n in available if n not in names or not FAULTS[n].is_once]
        if sum(FAULTS[n].kills_actors for n in names) >= MAX_ACTOR_DEATHS:
            allowed = [n for n in allowed if not FAULTS[n].kills_actors]
        if allowed:
            names.append(rng.choices(allowed, [FAULTS[name].weight or 1 for name in allowed])[0])
    return names


def plan_round(seed, available, draws_pictures, exactly=None):
    """`exactly` names the faults in place of a random choice."""
    rng = random.Random(seed)
    names = exactly or choose_faults(rng, available)
    setup = Setup(agents=[(f"node-{letter}", rng.randint(1, 2)) for letter in "abc"[: rng.randint(2, 3)]])
    setup.draws_pictures = draws_pictures
    for name in names:
        setup.has_network |= FAULTS[name].has_network
        setup.has_small_disk |= FAULTS[name].has_small_disk
        setup.coordinator_environment |= FAULTS[name].environment(rng)
    jobs = [Job.random(number, rng, draws_pictures) for number in range(rng.randint(2, 4))]
    actors = sum(count for _, count in setup.agents)
    work_s = 1.0 if draws_pictures else sum(len(job.prompts) * job.delay_ms for job in jobs) / 1000 / actors
    return Plan(seed, setup, jobs, [(name, rng.uniform(0, work_s + 0.3), rng.getrandbits(32)) for name in names])


class Round:
    def __init__(self, plan):
        self.outcome = Outcome(plan)
        self.plan = plan

    def guarded(self, what, function, *arguments):
        try:
            return function(*arguments)
        except (AssertionError, OSError, subprocess.SubprocessError, KeyError, ValueError) as error:
            self.outcome.violations.append(f"{what}: {str(error) or traceback.format_exc()}")

    def inject(self, fleet, name, at_s, seed):
        time.sleep(max(0.0, self.start + at_s - time.monotonic()))  # its random moment
        remark = self.guarded(name, FAULTS[name].inject, fleet, random.Random(seed))
        if remark:
            self.outcome.remarks.append(remark)
            self.outcome.missed += [name] if remark.endswith(NOT_REACHED) else []

    def submit(self, fleet, job):
        time.sleep(max(0.0, self.start + job.submit_at_s - time.monotonic()))
        self.guarded(f"submit {job.job_id}", job.submit_until_acknowledged, fleet)

    def disturb(self, fleet):
        fleet.wait_until_idle()
        note_every_outcome(fleet.database)
        self.start = time.monotonic()
        threads = [threading.Thread(daemon=True, target=self.submit, args=(fleet, job)) for job in self.plan.jobs]
        threads += [threading.Thread(daemon=True, target=self.inject, args=(fleet, *fault)) for fault in self.plan.faults]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def check(self, fleet):
        """The faults are over: all must drain now."""
        for job in self.plan.jobs:
            job.wait_until_over(fleet)
        for job in self.plan.jobs:
            self.outcome.violations += job.faults_of_results(fleet)
        fleet.wait_until_idle()

    def check_the_end(self, fleet):
        codes = fleet.end()
        note = self.outcome.violations
        note += [f"{name} ended with {code} on SIGTERM" for name, code in codes.items() if code != 0]
        note += fleet.surprises()
        note += [f"orphan: {line}" for line in fleet.orphans()]
        note += [f"temporary file: {path}" for path in temporary_files(fleet.data / "artifacts")]
        note += [f"left over: {path}" for path in fleet.leftovers()]
        note += faults_of_books(fleet.database, {job.job_id: len(job.prompts) for job in self.plan.jobs})

    def run(self):
        begin = time.monotonic()
        fleet = ChaosFleet(self.plan.setup)
        try:
            self.guarded("disturb", self.disturb, fleet)
            self.guarded("check", self.check, fleet)
            self.guarded("end", self.check_the_end, fleet)
        finally:
            self.outcome.seconds = time.monotonic() - begin
            if self.outcome.violations:
                fleet.end()
                fleet.detach()
                self.outcome.folder = fleet.path
            else:
                fleet.remove()
        return self.outcome
