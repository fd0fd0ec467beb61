# SPDX-License-Identifier: Apache-2.0
"""The part `fleet` of scripts/gpu-check: a coordinator, an agent and an actor on each GPU, as people run them, and pictures
of every model that is there."""

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from gpu_part import Result, last_line, run_command

STOP_PATIENCE_S = 15


class FleetError(Exception):
    pass


def models_of(context):
    """(name, folder, pictures, steps)"""
    models = [("tiny-shapes", context.repo / "models" / "tiny-shapes", 8, 20)]
    for index in sorted((context.out / "models").glob("*/model_index.json")):
        models.append((index.parent.name, index.parent, 4, 20))
    return models


def ready_actors(nodes):
    """The devices of the actors that are ready, from `sdctl nodes --json`."""
    return [actor["device"] for node in nodes["nodes"] for actor in node["actors"] if actor["state"] == "ready"]


def faults_of_pictures(out, wanted):
    """What is wrong with a folder that `sdctl run` wrote."""
    rows = [json.loads(line) for line in (out / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    missing = [row["file"] for row in rows if not (out / row["file"]).is_file()]
    faults = [f"{len(rows)} of {wanted} pictures are in the manifest"] if len(rows) != wanted else []
    faults += [f"{file} is missing" for file in missing]
    if len({row["sha256"] for row in rows}) != len(rows):
        faults.append("pictures of different seeds are equal")
    return faults, rows


@contextlib.contextmanager
def daemon(name, command, log):
    with open(log, "w", encoding="utf-8") as err:
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=err, stderr=err)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(context, url, daemons, patience_s):
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        for name, process, log in daemons:
            if process.poll() is not None:
                raise FleetError(f"{name} ended: {last_line(log)}")
        asked = subprocess.run([context.bin / "sdctl", "--coordinator", url, "nodes", "--json"], capture_output=True, text=True, timeout=30, check=False)
        if asked.returncode == 0 and (ready := ready_actors(json.loads(asked.stdout))):
            return ready
        time.sleep(0.1)
    raise FleetError(f"no actor was ready within {patience_s:.0f} s: {last_line(daemons[-1][2])}")


def draw_all(context, url, models, result):
    for name, _, pictures, steps in models:
        out = context.out / "fleet" / name
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        command = [context.bin / "sdctl", "--coordinator", url, "run", "--model", name, "--out", out, "--steps", steps]
        for index in range(pictures):
            command += ["--prompt", f"a red circle, number {index}"]
        began = time.monotonic()
        log = context.out / f"fleet_{name}.log"
        code, _ = run_command(command, context.patience(300), log)
        seconds = time.monotonic() - began
        if code != 0:
            raise FleetError(f"{name}: {last_line(log.with_suffix('.err')) or f'sdctl ended with {code}'}")
        faults, rows = faults_of_pictures(out, pictures)
        if faults:
            raise FleetError(f"{name}: {'; '.join(faults)}")
        times = sorted(row["ms"] for row in rows)
        result.facts[name] = {"pictures": pictures, "steps": steps, "seconds": round(seconds, 3), "picture_ms": times}
        result.rows.append((name, f"{pictures} pictures of {steps} steps in {seconds:.1f} s; one takes {times[len(times) // 2]:.0f} ms (median; the first loads the model)"))


def fleet(context):
    result = Result(ok=True)
    models = models_of(context)
    devices = "cuda" if context.device.startswith("cuda") else context.device
    serve = [word for name, folder, _, _ in models for word in ("--model", f"{name}={folder}")]
    with tempfile.TemporaryDirectory(prefix="sdfleet-check-") as scratch:
        url = f"ipc://{scratch}/coordinator.sock"
        logs = [context.out / "coordinator.log", context.out / "agent.log"]
        coordinator = [context.bin / "coordinator", "--data-dir", Path(scratch) / "data", "--listen", url]
        agent = [context.bin / "agent", "--coordinator", url, "--node-id", "gpu-check", "--devices", devices, *serve]
        with daemon("coordinator", coordinator, logs[0]) as first, daemon("agent", agent, logs[1]) as second:
            try:
                ready = wait_until_ready(context, url, [("coordinator", first, logs[0]), ("agent", second, logs[1])], context.patience(60))
                result.rows.append(("actors", ", ".join(ready)))
                wrong = [device for device in ready if not device.startswith(devices)]
                if wrong:
                    raise FleetError(f"an actor draws on {wrong[0]}, not on {devices}")
                draw_all(context, url, models, result)
            except FleetError as error:
                result.ok, result.why = False, str(error)
    return result
