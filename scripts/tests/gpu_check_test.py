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

import gpu_bundle  # noqa: E402
import gpu_check  # noqa: E402
import gpu_fleet  # noqa: E402
import gpu_kernels  # noqa: E402
import gpu_part  # noqa: E402
import gpu_parts  # noqa: E402
import gpu_pictures  # noqa: E402
import gpu_profile  # noqa: E402
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
    def test_without_a_driver_every_part_says_so_and_nothing_is_written(self):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out"
            code, _, err = run_main("--out", out, no_gpu=lambda: gpu_check.why_no_gpu("libsdfleet-no-such-driver.so"))
            self.assertEqual(code, 77)
            why = "skipped: no GPU: there is no GPU driver (libsdfleet-no-such-driver.so does not load)"
            self.assertEqual(err.splitlines(), [f"gpu-check: {part.name}: {why}" for part in gpu_parts.PARTS])
            self.assertFalse(out.exists())

    def test_without_a_gpu_a_part_that_needs_none_runs_when_it_is_named(self):
        ran = []
        free = gpu_part.Part("free", "", lambda _: ran.append("free") or gpu_part.Result(ok=True), needs_gpu=False)
        bound = gpu_part.Part("bound", "", lambda _: ran.append("bound") or gpu_part.Result(ok=True))
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(gpu_check, "PARTS", [free, bound]):
            code, _, err = run_main("free", "bound", "--out", folder, "--build-dir", folder, no_gpu=lambda: "no driver")
        self.assertEqual((code, ran), (0, ["free"]))
        self.assertIn("gpu-check: bound: skipped: no GPU: no driver", err)

    def test_everything_that_takes_a_gpu_fits_into_25_minutes(self):
        self.assertLessEqual(sum(part.budget_s for part in gpu_parts.PARTS if part.needs_gpu), 25 * 60)

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
        self.assertEqual(names(["parity"], False), ["models", "parity"])
        self.assertEqual(names(["models"], True), ["models"])
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

        good = gpu_part.Part("good", "", lambda _: gpu_part.Result(ok=True, facts={"a": 1}, rows=[("speed", "3 | 4")]))
        code, report, text = self.report_of(gpu_part.Part("bad", "", breaks), good)
        self.assertEqual(code, 1)
        self.assertFalse(report["ok"])
        self.assertEqual([part["ok"] for part in report["parts"]], [False, True])
        self.assertIn("the card fell out", report["parts"][0]["why"])
        self.assertEqual(report["parts"][1]["facts"], {"a": 1})
        self.assertIn("| speed | 3 \\| 4 |", text)

    def test_a_part_that_lacks_something_is_skipped_in_words_and_fails_nothing(self):
        code, report, text = self.report_of(gpu_part.Part("lame", "", lambda _: gpu_part.skip("no tool")))
        self.assertEqual((code, report["ok"], report["parts"][0]["skipped"]), (0, True, True))
        self.assertIn("| lame | skipped | 0.0 | no tool |", text)

    def test_a_program_is_ended_when_the_time_of_its_part_is_over(self):
        def sleeps(context):
            gpu_part.run_command(["sleep", "60"], context.patience(60), context.out / "sleep.log")

        code, report, _ = self.report_of(gpu_part.Part("slow", "", sleeps, budget_s=1))
        self.assertEqual(code, 1)
        self.assertEqual(report["parts"][0]["why"], "sleep was not done when the part's 1 s were over")

    def test_a_build_that_fails_ends_it(self):
        build = gpu_part.Part("build", "", lambda _: gpu_part.Result(ok=False, why="no compiler"))
        never = gpu_part.Part("nccl", "", lambda _: self.fail("ran without programs"), ("x",))
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


class Profile(unittest.TestCase):
    STATS = """
Processing [profile.sqlite] with [cuda_gpu_kern_sum.py]...
Time (%),Total Time (ns),Instances,Avg (ns),Med (ns),Min (ns),Max (ns),StdDev (ns),Name
60.0,6000,3,2000.0,2000.0,1,2,3.0,"sm90_xmma_fprop_implicit_gemm_f16f16_f16f32_f32_nhwckrsc_nhwc_tilesize128x128x64"
20.0,2000,4,500.0,500.0,1,2,3.0,"nvjet_hsh_128x256_64x4_1x2_h_bz_coopA_NTT"
10.0,1000,2,500.0,500.0,1,2,3.0,"void pytorch_flash::flash_fwd_kernel<Flash_fwd_kernel_traits<64, 128, 128>>(...)"
5.0,500,1,500.0,500.0,1,2,3.0,"void sdfleet::kernels::cuda::geglu_kernel<sdfleet::base::Float16, (int)8>(...)"
5.0,500,1,500.0,500.0,1,2,3.0,"mystery"
"""

    def test_kernels_are_counted_by_what_they_are(self):
        found = gpu_profile.shares(self.STATS)
        self.assertEqual(list(found)[:3], ["convolutions", "matrix products", "attention"])
        self.assertEqual(found["convolutions"], (0.6, 3))
        self.assertEqual(found["own kernels"], (0.05, 1))
        self.assertEqual(found["mystery"], (0.05, 1))

    def test_what_lists_no_kernel_is_said_to(self):
        with self.assertRaisesRegex(ValueError, "no kernels"):
            gpu_profile.shares("SKIPPED: profile.sqlite does not contain CUDA kernel data.")

    def test_without_nsys_the_part_is_skipped_and_says_what_it_lacks(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(gpu_profile, "find_tool", return_value=None):
            context = gpu_part.Context(repo=SCRIPTS.parent, build_dir=BUILD_DIR, out=Path(folder), targets=[])
            result = gpu_profile.profile(context)
        self.assertTrue(result.skipped)
        self.assertIn("nsys is not installed", result.why)


@unittest.skipUnless((BUILD_DIR / "bin" / "actor").exists(), "the actor is not built here")
class Pictures(unittest.TestCase):
    def context(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return gpu_part.Context(repo=SCRIPTS.parent, build_dir=BUILD_DIR, out=Path(folder.name), targets=[])

    def test_the_same_drawing_is_equal_and_one_in_bf16_is_measurably_near(self):
        context = self.context()
        fp32, bf16 = (gpu_pictures.draw(context, dtype, "cpu", dtype) for dtype in ("fp32", "bf16"))
        same = picture_parity.compare(fp32, fp32)
        self.assertEqual((same.latents_rel_l2, same.psnr_db), (0, float("inf")))
        near = picture_parity.compare(bf16, fp32)
        self.assertTrue(1e-4 < near.latents_rel_l2 < 0.2, near)
        self.assertTrue(15 < near.psnr_db < 80, near)

    def test_fast_mode_and_reference_mode_are_near_the_cpus_fp32_with_every_model(self):
        context = self.context()
        made = gpu_bundle.models(context, size="small")
        self.assertTrue(made.ok, made.why)
        context.device = "cpu"
        result = gpu_pictures.parity(context, dtype="fp32")
        self.assertTrue(result.ok, result.why)
        models = ("sd15-small", "sdxl-small", "tiny-shapes")
        pairs = ("fast against CPU fp32", "fast against reference", "reference against CPU fp32")
        self.assertEqual(sorted(result.facts), [f"{model}: {pair}" for model in models for pair in pairs])

    def test_a_picture_is_the_same_to_the_bit_in_a_batch_and_alone_in_one(self):
        context = self.context()
        context.device = "cpu"
        result = gpu_pictures.to_the_bit(context, dtype="fp32")
        self.assertTrue(result.ok, result.why)
        self.assertEqual(len(result.facts), 2)
        dumps = [gpu_pictures.draw(context, prompt[:3], "cpu", "fp32", prompts=(prompt,)) for prompt in ("a red circle", "one blue square")]
        self.assertTrue(gpu_pictures.equal_tensors(dumps[0], dumps[0]))
        self.assertFalse(gpu_pictures.equal_tensors(*dumps))

    def test_a_drawing_that_is_too_far_off_fails_with_the_figures(self):
        context = self.context()
        fp32, bf16 = (gpu_pictures.draw(context, dtype, "cpu", dtype) for dtype in ("fp32", "bf16"))
        result = gpu_part.Result(ok=True)
        fault = gpu_pictures.compare(result, "bf16", bf16, fp32, 1e-6, 35)
        self.assertRegex(fault, r"bf16: rel-L2 [0-9.e-]+ \(at most 1e-06\)")
        self.assertEqual(gpu_pictures.compare(result, "fp32", fp32, fp32, 1e-6, 35), "")

    def test_a_device_that_cannot_be_used_fails_the_part_in_the_words_of_the_actor(self):
        result = gpu_pictures.pictures(self.context(), device="cuda:999")
        self.assertFalse(result.ok)
        self.assertIn("cuda:999 in fp16: actor generate: device cuda:999: ", result.why)
        self.assertEqual(result.facts, {})

    def test_the_bench_reports_the_figures_of_a_model_and_that_there_was_no_peer(self):
        context = self.context()
        context.device = "cpu"
        with mock.patch.object(gpu_bundle, "peer_python", return_value=None):
            result = gpu_bundle.bench(context, extra=["--size", "small", "--steps", "6", "--models", "sd15", "--batches", "1"])
        self.assertTrue(result.ok, result.why)
        self.assertIn("without diffusers", result.why)
        self.assertRegex(dict(result.rows)["sd15: step, ms (p50)"], r"^sdfleet [0-9.]+, reference [0-9.]+$")
        self.assertEqual([run["side"] for run in result.facts["models"]["sd15"]["runs"]], ["sdfleet", "sdfleet reference"])

    @unittest.skipUnless((BUILD_DIR / "bin" / "sdctl").exists(), "sdctl is not built here")
    def test_a_fleet_of_this_build_draws_every_model(self):
        context = self.context()
        self.assertTrue(gpu_bundle.models(context, size="small").ok)
        context.device = "cpu"
        result = gpu_fleet.fleet(context)
        self.assertTrue(result.ok, result.why)
        self.assertEqual({name: facts["pictures"] for name, facts in result.facts.items()}, {"tiny-shapes": 8, "sd15-small": 4, "sdxl-small": 4})


class Kernels(unittest.TestCase):
    def context(self, script=None):
        """A build whose kernels_gpu_test is `script`, a shell script; none without."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        root = Path(folder.name)
        (root / "tests").mkdir()
        if script:
            (root / "tests" / "kernels_gpu_test").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            (root / "tests" / "kernels_gpu_test").chmod(0o755)
        return gpu_part.Context(repo=SCRIPTS.parent, build_dir=root, out=root)

    def test_what_is_lacking_skips_the_part_and_is_named(self):
        for part in (gpu_kernels.kernels, gpu_kernels.sanitizer):
            result = part(self.context())
            self.assertTrue(result.skipped)
            self.assertIn("kernels_gpu_test is not there", result.why)
        self.assertEqual(gpu_kernels.kernels(self.context("echo '{\"skipped\": \"there is no GPU\"}'; exit 77")).why, "there is no GPU")
        result = gpu_kernels.sanitizer(self.context("true"), environment={"PATH": "", "CUDA_HOME": "/nonexistent"})
        if not Path("/usr/local/cuda/bin/compute-sanitizer").exists():
            self.assertTrue(result.skipped)
            self.assertIn("compute-sanitizer is not installed", result.why)

    def test_checks_and_speeds_are_reported(self):
        checks = json.dumps({"checks": 12, "faults": [], "device": "a GPU"})
        entry = {"kernel": "geglu", "shape": "8x4", "bytes": 96, "microseconds": 2.0, "cached_microseconds": 1.5}
        speeds = json.dumps({"kernels": [{**entry, "gigabytes_per_second": 2000.0}, {**entry, "shape": "2x2", "gigabytes_per_second": 500.0}]})
        result = gpu_kernels.kernels(self.context(f"[ \"$2\" = --bench ] && echo '{speeds}' || echo '{checks}'"))
        self.assertTrue(result.ok, result.why)
        self.assertEqual(result.rows[0], ("checks against the CPU's kernels", "12, 0 failed"))
        self.assertEqual(result.rows[2], ("geglu 2x2", "2.0 us, 500 GB/s (25 % of the best), 1.5 us from the cache"))

    def test_a_kernel_that_is_wrong_fails_the_part(self):
        result = gpu_kernels.kernels(self.context("echo '{\"checks\": 3, \"faults\": [\"geglu 3x4 fp16: 0.5\"]}'; exit 1"))
        self.assertFalse(result.ok)
        self.assertEqual(result.why, "geglu 3x4 fp16: 0.5")

    def test_the_sanitizers_findings_are_counted_and_a_missing_summary_is_no_pass(self):
        self.assertEqual(gpu_kernels.findings("========= ERROR SUMMARY: 0 errors\n"), 0)
        self.assertEqual(gpu_kernels.findings("========= RACECHECK SUMMARY: 3 hazards displayed (1 error, 2 warnings)\n"), 3)
        self.assertIsNone(gpu_kernels.findings("========= COMPUTE-SANITIZER\n"))

    def test_the_sanitizer_runs_each_of_its_checks_on_the_kernels(self):
        context = self.context("true")
        (context.out / "bin").mkdir()
        tool = context.out / "bin" / "compute-sanitizer"
        tool.write_text('#!/bin/sh\n[ "$2" = memcheck ] && echo "ERROR SUMMARY: 0 errors" || { echo "RACECHECK SUMMARY: 1 hazard displayed"; exit 99; }\n', encoding="utf-8")
        tool.chmod(0o755)
        result = gpu_kernels.sanitizer(context, environment={"CUDA_HOME": str(context.out)})
        self.assertFalse(result.ok)
        self.assertEqual(result.rows, [("memcheck", "0 found"), ("racecheck", "1 found")])
        self.assertIn("racecheck: 1 found, exit code 99", result.why)


class Pieces(unittest.TestCase):
    def test_only_actors_that_are_ready_count(self):
        nodes = {"nodes": [{"actors": [{"state": "ready", "device": "cuda:0"}, {"state": "starting", "device": "cuda:1"}]}, {"actors": []}]}
        self.assertEqual(gpu_fleet.ready_actors(nodes), ["cuda:0"])

    def test_pictures_that_are_missing_or_equal_are_faults(self):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            rows = [{"file": "a.png", "sha256": "1", "ms": 5}, {"file": "b.png", "sha256": "1", "ms": 6}]
            (out / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            (out / "a.png").touch()
            faults, _ = gpu_fleet.faults_of_pictures(out, 3)
        self.assertEqual(faults, ["2 of 3 pictures are in the manifest", "b.png is missing", "pictures of different seeds are equal"])

    def test_rows_of_the_bench_name_what_was_measured_and_leave_out_what_was_not(self):
        text = "## sd15, 512x512, 50 steps\n\n| | target | sdfleet |\n|---|---|---:|\n| step, ms (p50) | ≤ 5 | 4.00 | – | 14.00 | – | yes |\n"
        self.assertEqual(gpu_bundle.bench_rows(text), [("sd15: step, ms (p50)", "target ≤ 5, sdfleet 4.00, eager 14.00, reached yes")])

    def test_a_named_python_is_the_peers(self):
        self.assertEqual(gpu_bundle.peer_python({"SDFLEET_PEER_PYTHON": "venv/bin/python"}), "venv/bin/python")


if __name__ == "__main__":
    unittest.main()
