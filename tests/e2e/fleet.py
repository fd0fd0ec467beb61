# SPDX-License-Identifier: Apache-2.0
"""Real processes for the end-to-end tests: a coordinator, agents, and sdctl, all in a folder of their own.

Environment: SDFLEET_BIN_DIR (coordinator, agent, sdctl and, when built with LibTorch, actor), SDFLEET_ECHO_ACTOR (an actor
program with the echo kind alone), SDFLEET_SOURCE_DIR (the repository).
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

BIN = Path(os.environ["SDFLEET_BIN_DIR"])
ECHO_ACTOR = Path(os.environ["SDFLEET_ECHO_ACTOR"])
MODELS = Path(os.environ["SDFLEET_SOURCE_DIR"]) / "models"
HAS_ACTOR = (BIN / "actor").exists()
PATIENCE_S = 60


def wait_for(condition, what, patience_s=PATIENCE_S):
    """Returns the condition's first true value."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"no {what} within {patience_s} s")


def children_of(pid):
    """Process ids, youngest last."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # The second where it ends between open and read.
        return False


def manifest_of(folder):
    return [json.loads(line) for line in (Path(folder) / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]


def hashes_of(folder):
    return {row["index"]: row["sha256"] for row in manifest_of(folder)}


class Scratch:
    """A folder in which everything happens; TMPDIR of all programs lies in it. Short, because sockets lie in it too."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="sdf-", dir="/tmp"))
        self.tmp = self.path / "t"
        self.tmp.mkdir()
        self.environment = {**os.environ, "TMPDIR": str(self.tmp), "SDFLEET_MODEL_PATH": str(MODELS)}
        for variable in ("SDFLEET_COORDINATOR", "SDFLEET_KEY_FILE"):
            self.environment.pop(variable, None)

    def sdctl_process(self, *arguments, **options):
        return subprocess.Popen(
            [BIN / "sdctl", *map(str, arguments)], env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
        )  # fmt: skip

    def sdctl(self, *arguments, expect=0, **options):
        process = self.sdctl_process(*arguments, **options)
        out, err = process.communicate(timeout=2 * PATIENCE_S)
        assert process.returncode == expect, f"sdctl {arguments}: {process.returncode}, not {expect}\n{out}\n{err}"
        return Answer(out, err)

    def write(self, name, content):
        path = self.path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Answer:
    def __init__(self, out, err):
        self.out = out
        self.err = err

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def json_lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


class Fleet(Scratch):
    """A coordinator on a private socket, and agents as tests start them."""

    def __init__(self, *coordinator_options):
        super().__init__()
        self.socket = self.path / "c.sock"
        self.url = f"ipc://{self.socket}"
        self.environment["SDFLEET_COORDINATOR"] = self.url
        self.coordinator_options = coordinator_options
        self.daemons = {}
        self.start_coordinator()

    def start(self, name, *command, environment=None):
        """`environment` comes on top of that of all programs here."""
        log = open(self.path / f"{name}.log", "ab")
        with log:
            self.daemons[name] = subprocess.Popen(
                [str(word) for word in command], env={**self.environment, **(environment or {})}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log,
            )  # fmt: skip
        return self.daemons[name]

    def start_coordinator(self):
        data = self.path / "data"
        options = self.coordinator_options
        return self.start("coordinator", BIN / "coordinator", "--data-dir", data, "--listen", self.url, *options)

    def start_agent(self, name, actors=1, node_id=None, model=None, max_batch=1, options=()):
        """With a model its actors draw, without one they echo."""
        node_id = node_id or name
        command = [BIN / "agent", "--coordinator", self.url, "--node-id", node_id, "--devices", f"cpu*{actors}"]
        command += ["--max-batch", str(max_batch), *options]
        command += ["--model", f"{Path(model).name}={model}"] if model else ["--actor-bin", ECHO_ACTOR]
        return self.start(name, *command)

    def log(self, name):
        return (self.path / f"{name}.log").read_text(errors="replace")

    def nodes(self):
        return self.sdctl("nodes", "--json").json["nodes"]

    def ready_actors(self):
        return sum(a["state"] == "ready" for n in self.nodes() if n["state"] == "alive" for a in n["actors"])

    def wait_until_ready(self, actors):
        try:
            wait_for(lambda: self.ready_actors() == actors, f"{actors} ready actors")
        except AssertionError as error:
            logs = "\n".join(f"{name}:\n{self.log(name)}" for name in self.daemons)
            raise AssertionError(f"{error}\n{json.dumps(self.nodes(), indent=1)}\n{logs}") from error

    def job(self, job_id):
        return self.sdctl("job", job_id, "--json").json

    def kill(self, name, number=signal.SIGKILL):
        process = self.daemons.pop(name)
        process.send_signal(number)
        return process.wait(timeout=PATIENCE_S)

    def stop(self):
        """Ends all daemons in good order; returns {name: exit code}."""
        codes = {name: self.kill(name, signal.SIGTERM) for name in sorted(self.daemons)}  # agents first
        return codes

    def leftovers(self):
        """Sockets and temporary files that programs should have removed."""
        return [str(p) for p in self.tmp.rglob("*")] + ([str(self.socket)] if self.socket.exists() else [])

    def remove(self):
        for process in self.daemons.values():
            process.kill()
            process.wait()
        super().remove()
