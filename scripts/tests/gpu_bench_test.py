# SPDX-License-Identifier: Apache-2.0
"""bench/gpu.py: the arithmetic of its tables, and what it does with programs that fail. Where `actor bench` is built
(SDFLEET_BUILD_DIR) the whole of it runs in small on the CPU."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "scripts" / "lib")]
sys.dont_write_bytecode = True

import gpu  # noqa: E402
import gpu_table  # noqa: E402
from gpu_table import COMPILED, EAGER, OURS, REFERENCE  # noqa: E402

ACTOR = Path(os.environ.get("SDFLEET_BUILD_DIR", "/nonexistent")) / "bin" / "actor"


def run(side, batch=1, step_ms=4.0, images_per_s=4.0, **more):
    return {"side": side, "batch": batch, "load_ms": 600.0, "warmup_ms": 2000.0, "text_encoder_ms": 2.0, "step_ms": {"p50": step_ms, "p95": step_ms + 1},
            "vae_decode_ms": 8.0, "end_to_end_ms": 250.0, "images_per_s": images_per_s, "peak_memory_bytes": 3 << 30, "device": "a GPU", **more}  # fmt: skip


def document_of(*runs, steps=50, size="full"):
    return {"device": "a GPU", "commit": "abc", "when": "now", "models": {"sd15": {"width": 512, "height": 512, "steps": steps, "size": size, "runs": list(runs)}}}


def rows_of(*runs):
    return {row.figure: row for row in gpu_table.rows_of(gpu_table.SETTINGS["sd15"], list(runs))}


class Arithmetic(unittest.TestCase):
    def test_a_step_is_compared_with_target_floor_and_peers(self):
        rows = rows_of(run(OURS), run(EAGER, step_ms=14), run(COMPILED, step_ms=4.4))
        self.assertEqual((rows["step, ms (p50)"].values[OURS], rows["step, ms (p50)"].verdict), (4, "yes"))
        self.assertEqual(rows["share of the floor of 2 ms, %"].values[OURS], 50)
        eager, compiled = rows["times as fast a step as diffusers eager"], rows["times as fast a step as diffusers compiled"]
        self.assertEqual((eager.values[OURS], eager.verdict), (3.5, "yes"))
        self.assertAlmostEqual(compiled.values[OURS], 1.1)
        self.assertEqual(compiled.verdict, "no")

    def test_what_was_not_measured_has_no_verdict(self):
        rows = rows_of(run(OURS), {"side": EAGER, "batch": 1, "error": "out of memory"})
        self.assertEqual(rows["times as fast a step as diffusers eager"].verdict, "")
        self.assertIsNone(rows["step, ms (p50)"].values[EAGER])

    def test_idle_is_what_the_busy_parts_leave_of_the_time_under_load(self):
        # 2 + 50 * 4 + 8 = 210 ms of work for each picture
        self.assertAlmostEqual(gpu_table.idle_percent(run(OURS, images_per_s=1000 / 215), 50), 100 * 5 / 215)
        self.assertEqual(gpu_table.idle_percent(run(OURS, images_per_s=1000 / 200), 50), 0)  # decoding overlaps with the next steps
        self.assertAlmostEqual(gpu_table.idle_percent(run(OURS, batch=4, images_per_s=4000 / 420), 50), 50)
        self.assertEqual(gpu_table.idle_percent(run(OURS, gpu_idle_share=0.013), 50), 1.3)

    def test_images_a_second_stand_by_batch_with_the_best_of_all(self):
        rows = rows_of(run(OURS), run(OURS, batch=4, images_per_s=9.5), run(EAGER, batch=4, images_per_s=5))
        self.assertEqual(rows["images/s, batch 4"].values, {OURS: 9.5, REFERENCE: None, EAGER: 5, COMPILED: None})
        self.assertEqual(rows["images/s, best"].values[OURS], 9.5)

    def test_targets_hold_only_for_the_full_model_at_its_own_size_and_steps(self):
        slow = run(OURS, step_ms=9)
        self.assertIn("sd15: step, ms (p50): 9.00, wanted ≤ 5", gpu_table.missed_targets(document_of(slow)))
        self.assertEqual(gpu_table.missed_targets(document_of(slow, steps=4)), [])
        self.assertEqual(gpu_table.missed_targets(document_of(slow, size="small")), [])

    def test_the_table_shows_figures_targets_and_why_a_run_is_missing(self):
        text = gpu_table.markdown(document_of(run(OURS), {"side": COMPILED, "batch": 1, "error": "no such module"}))
        self.assertIn("| step, ms (p50) | ≤ 5 | 4.00 | – | – | – | yes |", text)
        self.assertIn("- diffusers compiled, batch 1: no such module", text)


class Running(unittest.TestCase):
    def test_a_program_that_fails_is_told_in_its_own_last_words(self):
        failed = gpu.run_once(OURS, 1, [sys.executable, "-c", "import sys; sys.exit('actor bench: no GPU')"], 60)
        self.assertEqual(failed, {"side": OURS, "batch": 1, "error": "actor bench: no GPU"})
        self.assertRegex(gpu.run_once(OURS, 1, [sys.executable, "-c", "print('{\"load_ms\": 1}')"], 60)["error"], "printed no .*step_ms")
        self.assertIn("printed no JSON", gpu.run_once(OURS, 1, ["true"], 60)["error"])
        self.assertIn("/nonexistent", gpu.run_once(OURS, 1, ["/nonexistent/actor"], 60)["error"])
        self.assertEqual(gpu_table.broken_runs(document_of(failed)), ["sd15, sdfleet, batch 1: actor bench: no GPU"])
        self.assertEqual(gpu_table.broken_runs(document_of({**failed, "side": EAGER})), [])

    def test_peers_run_few_batches_and_only_where_there_is_a_python(self):
        with_peers = gpu.plan(gpu.parse(["--python", "python3", "--batches", "8", "1", "4"]))
        self.assertEqual(with_peers, [(OURS, 1), (OURS, 4), (OURS, 8), (REFERENCE, 1), (EAGER, 1), (EAGER, 8), (COMPILED, 1)])
        self.assertEqual(gpu.plan(gpu.parse(["--batches", "2"])), [(OURS, 2), (REFERENCE, 2)])

    def test_what_compiles_comes_last_and_a_spent_budget_begins_nothing(self):
        options = gpu.parse(["--python", "python3", "--batches", "1"])
        order = [(name, side) for name, side, _ in gpu.schedule(options)]
        self.assertEqual(order[-2:], [("sd15", COMPILED), ("sdxl", COMPILED)])
        self.assertEqual(order[:3], [("sd15", OURS), ("sd15", REFERENCE), ("sd15", EAGER)])
        with contextlib.redirect_stderr(io.StringIO()):
            run = gpu.measure(options, "sd15", OURS, 1, Path("/nonexistent"), {"width": 512, "steps": 50}, left_s=1)
        self.assertIn("the time was over", run["error"])

    def test_too_few_steps_to_time_are_wrong_usage(self):
        with contextlib.redirect_stderr(io.StringIO()) as err, self.assertRaises(SystemExit) as ended:
            gpu.parse(["--steps", "3"])
        self.assertEqual(ended.exception.code, 2)
        self.assertIn("at least 4", err.getvalue())

    def test_a_program_that_answers_ends_in_both_documents(self):
        with tempfile.TemporaryDirectory() as folder:
            answer = {key: value for key, value in run(OURS).items() if key not in ("side", "batch")}
            actor = Path(folder) / "actor"
            actor.write_text(f"#!/bin/sh\necho \"$@\" >>{folder}/calls\necho '{json.dumps(answer)}'\n", encoding="utf-8")
            actor.chmod(0o755)
            with mock.patch.object(sys, "argv", ["gpu.py", "--bin", folder, "--size", "small", "--models", "sd15", "--batches", "1", "--out", folder]):
                with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):
                    self.assertEqual(gpu.main(), 0)
            document = json.loads((Path(folder) / "gpu.json").read_text(encoding="utf-8"))
            calls = (Path(folder) / "calls").read_text(encoding="utf-8").splitlines()
            self.assertEqual(document["models"]["sd15"]["runs"][0]["device"], "a GPU")
            self.assertEqual((Path(folder) / "gpu.md").read_text(encoding="utf-8"), out.getvalue())
        self.assertEqual([call.split()[0] for call in calls], ["bench", "bench"])
        self.assertIn("--mode fast", calls[0])
        self.assertIn("--steps 50 --batch 1 --width 64 --height 64 --mode reference --json", calls[1])


def has_bench():
    return ACTOR.exists() and subprocess.run([ACTOR, "bench", "--help"], capture_output=True, timeout=60, check=False).returncode == 0


@unittest.skipUnless(has_bench(), "actor bench is not built here")
class InSmallOnTheCpu(unittest.TestCase):
    def test_both_families_give_all_figures(self):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, ROOT / "bench" / "gpu.py", "--bin", ACTOR.parent, "--size", "small", "--device", "cpu", "--steps", "6", "--batches", "1", "2", "--out", folder]
            done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            document = json.loads((Path(folder) / "gpu.json").read_text(encoding="utf-8"))
        for model in document["models"].values():
            for one in model["runs"]:
                self.assertNotIn("error", one)
                self.assertGreaterEqual(one["step_ms"]["p95"], one["step_ms"]["p50"])
                self.assertGreater(one["step_ms"]["p50"], 0)


if __name__ == "__main__":
    unittest.main()
