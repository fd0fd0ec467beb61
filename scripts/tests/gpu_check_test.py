# SPDX-License-Identifier: Apache-2.0
"""scripts/gpu-check: what it says without a GPU, and what it reports. Where the plug-in is built (SDFLEET_EMULATED_GPU and
SDFLEET_BUILD_DIR are set) the parts run for real, on an emulated GPU."""

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

SCRIPTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SCRIPTS / "lib"))
sys.dont_write_bytecode = True

import gpu_check  # noqa: E402
import gpu_parts  # noqa: E402
import picture_parity  # noqa: E402

EMULATED_GPU = os.environ.get("SDFLEET_EMULATED_GPU")


def run_main(*arguments, no_gpu=lambda: None):
    """(exit code, stdout, stderr)"""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = gpu_check.main([str(argument) for argument in arguments], "usage: scripts/gpu-check", no_gpu)
        except SystemExit as exit_:
            code = exit_.code
    return code, out.getvalue(), err.getvalue()


class Usage(unittest.TestCase):
    def test_without_a_driver_one_line_says_so_and_nothing_is_written(self):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out"
            code, _, err = run_main("--out", out, no_gpu=lambda: gpu_check.why_no_gpu("libsdfleet-no-such-driver.so"))
            self.assertEqual(code, 77)
            self.assertEqual(len(err.splitlines()), 1)
            self.assertIn("no GPU driver", err)
            self.assertFalse(out.exists())

    def test_the_list_needs_no_gpu(self):
        listed = subprocess.run([SCRIPTS / "gpu-check", "--list"], capture_output=True, text=True, timeout=60, check=True)
        self.assertEqual([line.split()[0] for line in listed.stdout.splitlines()], [part.name for part in gpu_parts.PARTS])

    def test_an_unknown_part_and_a_missing_build_are_wrong_usage(self):
        for arguments in (["kernel"], ["--build-dir", "/nonexistent"]):
            code, _, err = run_main(*arguments)
            self.assertEqual(code, 2)
            self.assertIn(arguments[-1], err)

    def test_a_part_that_needs_programs_is_preceded_by_the_build(self):
        names = lambda *chosen: [part.name for part in gpu_check.choose(*chosen)]  # noqa: E731
        self.assertEqual(names(["nccl"], True), ["build", "nccl"])
        self.assertEqual(names(["nccl"], False), ["nccl"])
        self.assertEqual(names([], True), [part.name for part in gpu_parts.PARTS])


class Report(unittest.TestCase):
    def report_of(self, *parts):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(gpu_check, "PARTS", list(parts)):
            code, _, _ = run_main("--out", folder, "--build-dir", folder)
            text = (Path(folder) / "report.json").read_text(encoding="utf-8")
            return code, json.loads(text), (Path(folder) / "report.md").read_text(encoding="utf-8")

    def test_a_part_that_fails_or_breaks_costs_the_others_nothing(self):
        def breaks(_context):
            raise OSError("the card fell out")

        good = gpu_parts.Part("good", "", lambda _: gpu_parts.Result(ok=True, facts={"a": 1}, rows=[("speed", "3 | 4")]))
        code, report, text = self.report_of(gpu_parts.Part("bad", "", breaks), good)
        self.assertEqual(code, 1)
        self.assertFalse(report["ok"])
        self.assertEqual([part["ok"] for part in report["parts"]], [False, True])
        self.assertIn("the card fell out", report["parts"][0]["why"])
        self.assertEqual(report["parts"][1]["facts"], {"a": 1})
        self.assertIn("| speed | 3 \\| 4 |", text)

    def test_a_build_that_fails_ends_it(self):
        build = gpu_parts.Part("build", "", lambda _: gpu_parts.Result(ok=False, why="no compiler"))
        never = gpu_parts.Part("nccl", "", lambda _: self.fail("ran without programs"), ("x",))
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(gpu_check, "PARTS", [build, never]):
            code, _, err = run_main("--out", folder)
            self.assertEqual(code, 1)
            self.assertIn("no compiler", err)


@unittest.skipUnless(EMULATED_GPU, "the plug-in is not built here")
class OnAnEmulatedGpu(unittest.TestCase):
    def check(self, **environment):
        libraries = f"{EMULATED_GPU}:{EMULATED_GPU}/with_gather"
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, LD_LIBRARY_PATH=libraries, **environment):
            code, _, err = run_main("device", "nccl", "--out", folder, "--build-dir", os.environ["SDFLEET_BUILD_DIR"])
            report = json.loads((Path(folder) / "report.json").read_text(encoding="utf-8"))
            text = (Path(folder) / "report.md").read_text(encoding="utf-8")
        self.assertEqual(code, 0, err)
        return {part["name"]: part for part in report["parts"]}, text

    def test_two_ranks_share_the_gpu(self):
        parts, text = self.check()
        self.assertEqual(parts["device"]["facts"]["device_name"], "emulated GPU")
        self.assertEqual(parts["nccl"]["facts"]["ranks"], 2)
        self.assertIn("| rank 0: gather_3mib_p50_ms |", text)
        self.assertIn("group: a killed rank is lost, by name ok", text)

    def test_where_nccl_refuses_two_ranks_one_is_checked_and_the_refusal_reported(self):
        parts, text = self.check(SDFLEET_EMULATED_NCCL="refuse")
        self.assertEqual(parts["nccl"]["facts"]["ranks"], 1)
        self.assertIn("| two ranks refused, rank 1 | forming NCCL", text)
        self.assertIn("group: all_reduce ok", text)


BUILD_DIR = Path(os.environ.get("SDFLEET_BUILD_DIR", "/nonexistent"))


@unittest.skipUnless((BUILD_DIR / "bin" / "actor").exists(), "the actor is not built here")
class Pictures(unittest.TestCase):
    def context(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return gpu_parts.Context(repo=SCRIPTS.parent, build_dir=BUILD_DIR, out=Path(folder.name), targets=[])

    def test_the_same_drawing_is_equal_and_one_in_bf16_is_measurably_near(self):
        context = self.context()
        fp32, bf16 = (gpu_parts.draw(context, dtype, "cpu", dtype) for dtype in ("fp32", "bf16"))
        same = picture_parity.compare(fp32, fp32)
        self.assertEqual((same.latents_rel_l2, same.psnr_db), (0, float("inf")))
        near = picture_parity.compare(bf16, fp32)
        self.assertTrue(1e-4 < near.latents_rel_l2 < 0.2, near)
        self.assertTrue(15 < near.psnr_db < 80, near)

    def test_a_device_that_cannot_be_used_fails_the_part_in_the_words_of_the_actor(self):
        result = gpu_parts.pictures(self.context(), device="cuda:999")
        self.assertFalse(result.ok)
        self.assertIn("cuda:999 in fp16: actor generate: device cuda:999: ", result.why)
        self.assertEqual(result.facts, {})


if __name__ == "__main__":
    unittest.main()
