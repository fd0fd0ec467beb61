# SPDX-License-Identifier: Apache-2.0
"""What a part of scripts/gpu-check is, what it is given and what it returns; and how it runs programs."""

import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Context:
    repo: Path
    build_dir: Path
    out: Path  # each part may leave files here
    targets: list[str] = field(default_factory=list)  # of all parts that were chosen
    device: str = "cuda:0"
    deadline: float | None = None  # of the part that runs, by time.monotonic()

    @property
    def bin(self):
        return self.build_dir / "bin"

    def patience(self, wanted_s):
        """Seconds that a program may take: no more than the part has left."""
        return wanted_s if self.deadline is None else max(1.0, min(wanted_s, self.deadline - time.monotonic()))


@dataclass
class Result:
    ok: bool
    why: str = ""  # one line, when it is not ok or says something at a glance
    facts: dict = field(default_factory=dict)  # goes into report.json as it is
    rows: list[tuple[str, str]] = field(default_factory=list)  # what report.md shows
    seconds: float = 0.0
    skipped: bool = False  # then `why` says what it lacked; that is no failure

    @property
    def word(self):
        return "skipped" if self.skipped else "ok" if self.ok else "FAILED"


def skip(why):
    return Result(ok=True, skipped=True, why=why)


@dataclass
class Part:
    name: str
    what: str
    run: Callable[[Context], Result]
    targets: tuple[str, ...] = ()
    budget_s: int = 60  # of a GPU's time; its programs are ended then
    needs_gpu: bool = True
    needs_models: bool = False  # those that the part `models` makes


def run_command(command, timeout_s, log, **options):
    """Runs it with both outputs kept in files beside `log`; returns (exit code, stdout)."""
    command = [str(word) for word in command]
    with open(log.with_suffix(".err"), "w", encoding="utf-8") as err:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=err, text=True, timeout=timeout_s, check=False, **options)
    log.write_text(done.stdout, encoding="utf-8")
    return done.returncode, done.stdout


def last_line(path):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def find_tool(name, environment):
    """One of NVIDIA's tools: in the toolkit's folder, or in the PATH; None."""
    for home in (environment.get("CUDA_HOME"), environment.get("CUDA_PATH"), "/usr/local/cuda"):
        for folder in ("bin", name):
            if home and (program := Path(home) / folder / name).is_file():
                return program
    return shutil.which(name, path=environment.get("PATH", ""))
