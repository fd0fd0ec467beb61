# SPDX-License-Identifier: Apache-2.0
"""The arithmetic and the tables of bench/gpu.py: from what the runs printed to figures beside their targets. Pure."""

from dataclasses import dataclass, replace

OURS, REFERENCE, EAGER, COMPILED = "sdfleet", "sdfleet reference", "diffusers eager", "diffusers compiled"
SIDES = (OURS, REFERENCE, EAGER, COMPILED)


@dataclass(frozen=True)
class Setting:
    """One model at one size, and what is wanted of it on an H100 or H200: batch 1, guided, fp16."""

    family: str
    pixels: int
    steps: int
    floor_step_ms: float | None  # its multiplications at 790 TFLOP/s, what large matrix products reach there
    step_ms: float | None
    end_to_end_s: float | None
    start_s: float | None
    vae_ms: float | None = None
    images_per_s: float | None = None
    over_eager: float | None = None
    over_compiled: float | None = 1.2
    idle_percent: float | None = 2


SETTINGS = {
    "sd15": Setting("sd15", 512, 50, floor_step_ms=2.0, step_ms=5, end_to_end_s=0.30, start_s=1, over_eager=3),
    "sdxl": Setting("sdxl", 1024, 20, floor_step_ms=17.1, step_ms=32, end_to_end_s=0.75, start_s=2, vae_ms=30, images_per_s=1.5),
}


@dataclass(frozen=True)
class Row:
    figure: str
    values: dict[str, float | None]  # side -> value
    target: float | None = None
    most: bool = True  # the target is the most that it may be, not the least
    digits: int = 2

    @property
    def target_text(self):
        return "" if self.target is None else f"{'≤' if self.most else '≥'} {self.target:g}"

    @property
    def verdict(self):
        """"yes", "no", or "" where there is no target or no figure."""
        value = self.values.get(OURS)
        if self.target is None or value is None:
            return ""
        return "yes" if (value <= self.target if self.most else value >= self.target) else "no"


def run_of(runs, side, batch=1):
    return next((run for run in runs if run["side"] == side and run["batch"] == batch and "error" not in run), None)


def busy_ms(run, steps):
    """What one batch keeps the GPU busy: text encoder, steps, decoding."""
    return run["text_encoder_ms"] + steps * run["step_ms"]["p50"] + run["vae_decode_ms"]


def idle_percent(run, steps):
    """The share of time under load in which the GPU has nothing to do: as the program says it, or else what its images a second
    leave of the time that the parts take. Work that overlaps can hide all of it: never below 0."""
    if "gpu_idle_share" in run:
        return 100 * run["gpu_idle_share"]
    batches_per_s = run["images_per_s"] / run["batch"]
    return max(0.0, 100 * (1 - batches_per_s * busy_ms(run, steps) / 1000))


def ratio(slower, faster):
    return slower / faster if slower is not None and faster else None


def rows_of(setting, runs):
    """The figures of one model: those of batch 1, then images a second by batch. `setting.steps` were run."""
    single = {side: run_of(runs, side) for side in SIDES}

    def of_each(take):
        return {side: take(run) if run else None for side, run in single.items()}

    step = of_each(lambda run: run["step_ms"]["p50"])
    best = {side: max((run["images_per_s"] for run in runs if run["side"] == side and "error" not in run), default=None) for side in SIDES}
    rows = [
        Row("step, ms (p50)", step, setting.step_ms),
        Row("step, ms (p95)", of_each(lambda run: run["step_ms"]["p95"])),
        Row(f"{setting.steps} steps end to end, s", of_each(lambda run: run["end_to_end_ms"] / 1000), setting.end_to_end_s, digits=3),
        Row("text encoder, ms", of_each(lambda run: run["text_encoder_ms"])),
        Row("VAE decode, ms", of_each(lambda run: run["vae_decode_ms"]), setting.vae_ms),
        Row("start: weights from the page cache to the GPU, s", of_each(lambda run: run["load_ms"] / 1000), setting.start_s),
        Row("warm-up, s", of_each(lambda run: run["warmup_ms"] / 1000), digits=1),
        Row("peak memory, GiB", of_each(lambda run: run["peak_memory_bytes"] / 2**30)),
        Row("GPU idle under load, %", of_each(lambda run: idle_percent(run, setting.steps)), setting.idle_percent, digits=1),
        Row("times as fast a step as diffusers eager", {OURS: ratio(step[EAGER], step[OURS])}, setting.over_eager, most=False),
        Row("times as fast a step as diffusers compiled", {OURS: ratio(step[COMPILED], step[OURS])}, setting.over_compiled, most=False),
    ]
    if setting.floor_step_ms:
        share = {side: ratio(100 * setting.floor_step_ms, value) for side, value in step.items()}
        rows.insert(2, Row(f"share of the floor of {setting.floor_step_ms:g} ms, %", share, digits=0))
    for batch in sorted({run["batch"] for run in runs}):
        of_batch = {side: run_of(runs, side, batch) for side in SIDES}
        rows.append(Row(f"images/s, batch {batch}", {side: run["images_per_s"] if run else None for side, run in of_batch.items()}))
    rows.append(Row("images/s, best", best, setting.images_per_s, most=False))
    return rows


def cell(value, digits):
    return "–" if value is None else f"{value:.{digits}f}"


def table(rows):
    lines = ["| | target | " + " | ".join(SIDES) + " | reached |", "|---|---|" + "---:|" * len(SIDES) + "---|"]
    for row in rows:
        values = " | ".join(cell(row.values.get(side), row.digits) for side in SIDES)
        lines.append(f"| {row.figure} | {row.target_text} | {values} | {row.verdict} |")
    return lines


def markdown(document):
    lines = ["# GPU figures", "", f"{document['device']}, commit {document['commit'] or 'unknown'}, {document['when']}. fp16, guided, random weights; both sides in one run on one GPU."]
    for name, model in document["models"].items():
        setting = SETTINGS[name]
        lines += ["", f"## {name}, {model['width']}x{model['height']}, {model['steps']} steps", ""]
        lines += table(rows_of(setting_as_run(setting, model), model["runs"]))
        lines += [f"- {run['side']}, batch {run['batch']}: {run['error']}" for run in model["runs"] if "error" in run]
    return "\n".join(lines) + "\n"


def setting_as_run(setting, model):
    """The targets hold for the full model at its own size and number of steps; a run of anything else has none, and no floor."""
    if model["size"] == "full" and model["width"] == model["height"] == setting.pixels and model["steps"] == setting.steps:
        return setting
    targets = ("floor_step_ms", "step_ms", "end_to_end_s", "start_s", "vae_ms", "images_per_s", "over_eager", "over_compiled", "idle_percent")
    return replace(setting, steps=model["steps"], **dict.fromkeys(targets))


def broken_runs(document):
    """Our own runs that failed; the peers' failures are theirs, and stand in the tables."""
    return [
        f"{name}, {run['side']}, batch {run['batch']}: {run['error']}"
        for name, model in document["models"].items()
        for run in model["runs"]
        if "error" in run and run["side"] in (OURS, REFERENCE)
    ]


def missed_targets(document):
    return [
        f"{name}: {row.figure}: {row.values[OURS]:.{row.digits}f}, wanted {row.target_text}"
        for name, model in document["models"].items()
        for row in rows_of(setting_as_run(SETTINGS[name], model), model["runs"])
        if row.verdict == "no"
    ]
