# SPDX-License-Identifier: Apache-2.0
"""The jobs of a round: what is asked for, and what must come back."""

import hashlib
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from chaos_fleet import UNREACHABLE
from fleet import PATIENCE_S, hashes_of

SUBMIT_TRY_S = 90


@dataclass
class Job:
    job_id: str
    prompts: list
    delay_ms: int = 0
    size_bytes: int = 0
    submit_at_s: float = 0.0
    is_pictures: bool = False
    tries: int = 0

    @staticmethod
    def random(number, rng, is_pictures):
        count = rng.randint(8, 14) if is_pictures else rng.randint(20, 200)
        words = ["a red circle", "a blue square", "a green star", "a yellow heart"] if is_pictures else ["item"]
        prompts = [f"{rng.choice(words)} {index} of job {number} {rng.getrandbits(32):08x}" for index in range(count)]
        delay_ms = rng.randint(min(30, max(1, 1000 // count)), 30)  # a second of work or more, or faults come too late
        is_large = number == 0 or rng.random() < 0.3  # then each result is a file; small ones lie in the database
        size_bytes = rng.randint(33_000, 40_000) if is_large else rng.randint(100, 6000)
        return Job(f"job-{number}", prompts, delay_ms, size_bytes, rng.uniform(0, 0.6), is_pictures)

    def arguments(self, fleet):
        file = fleet.write(f"{self.job_id}.txt", "\n".join(self.prompts) + "\n")
        kind = ["--steps", 10] if self.is_pictures else ["--echo-delay-ms", self.delay_ms, "--echo-bytes", self.size_bytes]
        return [file, "--seed", 1000, *kind]

    def submit_until_acknowledged(self, fleet):
        """The same job id each time: it stays one job, however often the coordinator died over it."""
        deadline = time.monotonic() + SUBMIT_TRY_S
        while time.monotonic() < deadline:
            self.tries += 1
            process = fleet.sdctl_process("submit", *self.arguments(fleet), "--job-id", self.job_id)
            out, err = process.communicate(timeout=SUBMIT_TRY_S)
            if process.returncode == 0:
                return
            time.sleep(0.2)  # it said why; the next try is as a person would do it
        raise AssertionError(f"{self.job_id} was not acknowledged within {SUBMIT_TRY_S} s: {err}")

    def expected_hashes(self, fleet):
        """By index: what an undisturbed run gives. For pictures the fleet, now at rest, draws them anew."""
        if not self.is_pictures:
            return {index: hashlib.sha256(self.echo_of(prompt)).hexdigest() for index, prompt in enumerate(self.prompts)}
        out = fleet.path / f"{self.job_id}-undisturbed"
        fleet.sdctl("run", *self.arguments(fleet), "--job-id", f"{self.job_id}-undisturbed", "--out", out)
        return hashes_of(out)

    def echo_of(self, prompt):
        text = prompt.encode()
        return (text * (self.size_bytes // len(text) + 1))[: self.size_bytes]

    def wait_until_over(self, fleet, patience_s=2 * PATIENCE_S):
        """What became of it is for others to say; this only waits, and not for ever."""
        deadline = time.monotonic() + patience_s
        code = UNREACHABLE
        while code == UNREACHABLE and time.monotonic() < deadline:
            process = fleet.sdctl_process("watch", self.job_id)
            try:
                process.communicate(timeout=max(1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            code = process.returncode

    def faults_of_results(self, fleet):
        """Lines about what is not as promised, none when all is well."""
        detail = fleet.job(self.job_id)
        items = detail["items"]
        if detail["state"] != "done" or [i["index"] for i in items] != list(range(len(self.prompts))):
            errors = {item["error"] for item in items if item["state"] == "failed"}
            return [f"{self.job_id} is {detail['state']}: {detail['done']} of {len(self.prompts)} done {errors or ''}"]
        out = fleet.path / self.job_id
        fleet.sdctl("fetch", self.job_id, "--out", out)
        wanted = self.expected_hashes(fleet)
        wrong = [f"{self.job_id} item {item['index']} has other bytes" for item in items if item["sha256"] != wanted[item["index"]]]
        for path in Path(out).iterdir():
            if path.suffix in (".bin", ".png") and path.name[0].isdigit():
                index = int(path.name.split("-")[0])
                if hashlib.sha256(path.read_bytes()).hexdigest() != wanted[index]:
                    wrong.append(f"{self.job_id} item {index} was fetched with other bytes")
        if hashes_of(out) != wanted:
            wrong.append(f"{self.job_id}: its manifest does not tell the undisturbed run's hashes")
        return wrong
