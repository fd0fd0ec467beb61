# SPDX-License-Identifier: Apache-2.0
"""scripts/bundle: what goes along and what does not. Where the programs are built (SDFLEET_BUILD_DIR), a bundle is made, unpacked
elsewhere, completed with the build's LibTorch, and draws."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SCRIPTS / "lib"))
sys.dont_write_bytecode = True

import bundle_make  # noqa: E402
import bundle_plan  # noqa: E402
import red_circle  # noqa: E402

BUILD_DIR = Path(os.environ.get("SDFLEET_BUILD_DIR", "/nonexistent"))
IS_BUILT = all((BUILD_DIR / "bin" / name).exists() for name in bundle_plan.PROGRAMS) and shutil.which("patchelf")

LDD = """\tlinux-vdso.so.1 (0x00007ffc3e9f2000)
\tlibzmq.so.5 => /opt/b/bin/../lib/libzmq.so.5 (0x00007f10afaa7000)
\tlibtorch_cpu.so => not found
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f10af61e000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f10afe2c000)
"""


class Plan(unittest.TestCase):
    def test_every_line_of_ldd_is_a_dependency(self):
        found = {dependency.name: dependency.path for dependency in bundle_plan.parse_ldd(LDD)}
        self.assertEqual(found["libzmq.so.5"], "/opt/b/bin/../lib/libzmq.so.5")
        self.assertIsNone(found["libtorch_cpu.so"])
        self.assertEqual(set(found), {"linux-vdso.so.1", "libzmq.so.5", "libtorch_cpu.so", "libc.so.6", "ld-linux-x86-64.so.2"})

    def test_the_machine_has_its_c_library_libtorch_its_own_and_the_rest_goes_along(self):
        kinds = {
            "system": ["libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "libresolv.so.2"],
            "libtorch": ["libtorch_cpu.so", "libc10.so", "libcudart.so.13", "libcupti.so.13", "libgomp.so.1", "libcublasLt.so.13", "libnccl.so.2"],
            "driver": ["libcuda.so.1"],
            "bundled": ["libzmq.so.5", "libcom_err.so.2", "libsodium.so.23", "libicudata.so.72", "libmd.so.0", "libcrypto.so.3"],
        }
        for kind, names in kinds.items():
            for name in names:
                self.assertEqual(bundle_plan.kind_of(name), kind, name)

    def misplaced(self, name, path, with_libtorch=True):
        return bundle_plan.misplaced([bundle_plan.Dependency(name, path)], "/opt/b", with_libtorch)

    def test_a_library_of_the_machine_must_not_stand_in_for_a_bundled_one(self):
        self.assertEqual(self.misplaced("libzmq.so.5", "/opt/b/bin/../lib/libzmq.so.5"), [])
        self.assertIn("/usr/lib/libzmq.so.5, not from the bundle", self.misplaced("libzmq.so.5", "/usr/lib/libzmq.so.5")[0])
        self.assertEqual(self.misplaced("libzmq.so.5", None), ["libzmq.so.5 is not found"])
        self.assertEqual(self.misplaced("libc.so.6", "/lib/libc.so.6"), [])

    def test_libtorch_may_be_missing_until_it_is_set_up_and_must_then_be_the_bundles(self):
        self.assertEqual(self.misplaced("libc10.so", None, with_libtorch=False), [])
        self.assertEqual(self.misplaced("libc10.so", None), ["libc10.so is not found"])
        wheels = "/opt/b/bin/../libtorch/torch/lib/../../nvidia/cu13/lib/libcudart.so.13"
        self.assertEqual(self.misplaced("libcudart.so.13", wheels), [])
        self.assertIn("/usr/local/cuda", self.misplaced("libcudart.so.13", "/usr/local/cuda/lib64/libcudart.so.13")[0])

    def test_the_newest_version_of_each_family_is_needed(self):
        text = (
            "Version definition section '.gnu.version_d' contains 1 entry:\n  0x0: Rev: 1  Name: GLIBC_9.9  \n"
            "Version needs section '.gnu.version_r' contains 2 entries:\n"
            "  0x10: Name: GLIBC_2.9  Flags: none  Version: 5\n  0x20: Name: GLIBC_2.34  Flags: none  Version: 6\n"
            "  0x30: Name: GLIBCXX_3.4.30  Flags: none  Version: 3\n"
        )
        needs = bundle_plan.needed_versions(text)
        self.assertEqual(needs, {"GLIBC": "2.34", "GLIBCXX": "3.4.30"})
        self.assertEqual(bundle_plan.merged([needs, {"GLIBC": "2.36"}, {}]), {"GLIBC": "2.36", "GLIBCXX": "3.4.30"})

    def test_common_licences_are_found_in_sentences(self):
        text = 'On Debian systems see "/usr/share/common-licenses/LGPL-2.1".\nalso in /usr/share/common-licenses/GPL-3.\n'
        self.assertEqual(bundle_plan.common_licences(text), ["GPL-3", "LGPL-2.1"])


def run(*command, **options):
    plain = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}  # no LD_LIBRARY_PATH, no SDFLEET_*
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=240, check=False, env=plain, **options)


def libtorch_of_build():
    paths = {need.name: need.path for need in bundle_make.dependencies_of(BUILD_DIR / "bin" / "actor")}
    return Path(paths["libtorch_cpu.so"]).parent.parent


@unittest.skipUnless(IS_BUILT, "the programs are not built here, or patchelf is missing")
class Unpacked(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        scratch = Path(cls.folder.name)
        made = run(SCRIPTS / "bundle", "--build-dir", BUILD_DIR, "--out", scratch / "made")
        if made.returncode != 0:
            raise AssertionError(made.stderr)
        cls.said = made.stderr
        with tarfile.open(made.stdout.strip()) as archive:
            archive.extractall(scratch / "elsewhere")
        shutil.rmtree(scratch / "made")
        (cls.bundle,) = (scratch / "elsewhere").iterdir()

    def test_it_stands_on_its_own_runs_and_draws(self):
        for program in ("coordinator", "agent", "sdctl"):  # before there is any LibTorch
            version = run(self.bundle / "bin" / program, "--version")
            self.assertEqual(version.returncode, 0, version.stderr)
            self.assertIn(version.stdout.split()[-1], self.bundle.name)
        self.assertNotEqual(run(self.bundle / "bin" / "actor", "--version").returncode, 0)

        setup = run(self.bundle / "setup-libtorch", libtorch_of_build())
        self.assertEqual(setup.returncode, 0, setup.stderr)
        self.assertEqual(bundle_make.faults_of(self.bundle), [])

        out = self.bundle.parent.parent / "out"
        drawn = run(self.bundle / "bin" / "sdctl", "run", "--local", "1", "--model", SCRIPTS.parent / "models" / "tiny-shapes", "--prompt", "a red circle",
                    "--steps", "20", "--guidance-scale", "4", "--out", out)  # fmt: skip
        self.assertEqual(drawn.returncode, 0, drawn.stderr)
        self.assertTrue(red_circle.shows_red_circle((out / "000000-0.png").read_bytes()))

    def test_a_library_that_is_left_out_is_found_missing(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / self.bundle.name
            shutil.copytree(self.bundle, copy, symlinks=True)
            (copy / "lib" / "libzmq.so.5").unlink()
            checked = run(SCRIPTS / "bundle", "--check", copy)
        self.assertEqual(checked.returncode, 1)
        self.assertIn("bin/sdctl: libzmq.so.5 is", checked.stderr)

    def test_size_licences_and_needs_are_told(self):
        self.assertRegex(self.said, r"MiB, packed [0-9.]+ MiB")
        licences = {file.name for file in (self.bundle / "licenses").iterdir()}
        self.assertTrue({"libzmq5.txt", "libsqlite3-0.txt", "libexpected-dev.txt", "common"} <= licences, licences)
        readme = (self.bundle / "README.md").read_text(encoding="utf-8")
        self.assertTrue(re.search(r"glibc 2\.\d+ or newer", readme), readme)
        self.assertNotIn("@", readme)

    def test_a_folder_without_libtorch_is_refused_in_words(self):
        refused = run(self.bundle / "setup-libtorch", "/nonexistent-libtorch")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("holds no LibTorch", refused.stderr)


class Usage(unittest.TestCase):
    def test_a_build_that_is_not_there_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            failed = run(SCRIPTS / "bundle", "--build-dir", folder, "--out", folder)
        self.assertEqual(failed.returncode, 1)
        self.assertIn("coordinator is missing: run scripts/build first", failed.stderr)


class Picture(unittest.TestCase):
    def test_a_white_picture_shows_no_red_circle(self):
        import struct
        import zlib

        def picture(rows):
            chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))  # noqa: E731
            header = struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)
            return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))) + chunk(b"IEND", b"")

        white, red = b"\xff\xff\xff", b"\xe0\x10\x10"
        self.assertFalse(red_circle.shows_red_circle(picture([white * 16] * 16)))
        self.assertFalse(red_circle.shows_red_circle(picture([red * 16] * 16)))
        self.assertTrue(red_circle.shows_red_circle(picture([white * 16] * 4 + [white * 4 + red * 8 + white * 4] * 8 + [white * 16] * 4)))


if __name__ == "__main__":
    unittest.main()
