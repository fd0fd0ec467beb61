# SPDX-License-Identifier: Apache-2.0
"""Wrong calls of sdctl: one clear line and the documented exit code, before anything is started or asked."""

import time
import unittest

from fleet import Scratch

USAGE = 2
UNREACHABLE = 3
BAD_INPUT = 5


class BadInput(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)
        self.out = self.scratch.path / "out"

    def check(self, expect, *arguments, says=()):
        answer = self.scratch.sdctl(*arguments, expect=expect)
        self.assertEqual(answer.out, "")
        self.assertEqual(len(answer.err.splitlines()), 1, answer.err)
        for part in says:
            self.assertIn(part, answer.err)

    def test_prompts_files(self):
        cases = {
            "empty.txt": (b"", "empty.txt"),
            "blank.txt": (b"\n  \n\r\n", "blank.txt"),
            "latin1.txt": (b"a dog\ncaf\xe9\n", "latin1.txt:2"),
            "long.txt": (b"a dog\n\n" + b"x" * 10_001 + b"\n", "long.txt:3"),
            "binary.txt": (b"a\n\x00\x01\n", "binary.txt:2"),
        }
        for name, (content, place) in cases.items():
            with self.subTest(name):
                self.check(USAGE, "run", self.scratch.write(name, content), "--out", self.out, says=[place])
        self.check(USAGE, "run", self.scratch.path / "missing.txt", "--out", self.out, says=["missing.txt"])
        self.check(USAGE, "run", self.scratch.path, "--out", self.out, says=[str(self.scratch.path)])

    def test_ranks(self):
        file = self.scratch.write("ranks.txt", "0: a dog\na cat\n")
        self.check(USAGE, "run", file, "--split", "rank", "--out", self.out, says=["ranks.txt:2", "0: a dog"])

    def test_values(self):
        for wrong in (
            ["--steps", "0"], ["--steps", "-1"], ["--steps", "many"], ["--guidance-scale", "nan"], ["--size", "100x64"],
            ["--size", "64"], ["--size", "64x64x64"], ["--size", "0x0"], ["--scheduler", "magic"], ["--split", "halves"],
            ["--seed", "-2"], ["--local", "0"], ["--unknown"], ["--prompt", ""], ["--negative-prompt", b"\xff"],
            ["--prompt-syntax", "magic"], ["--clip-skip", "-1"], ["--clip-skip", "101"],
        ):  # fmt: skip
            with self.subTest(wrong):
                wrong = [word.decode(errors="surrogateescape") if isinstance(word, bytes) else word for word in wrong]
                self.check(USAGE, "run", "--prompt", "a dog", "--out", self.out, *wrong)

    def test_calls(self):
        for wrong in (
            [], ["draw"], ["run"], ["run", "--out", "x"], ["run", "--prompt", "x"], ["watch"], ["fetch", "job"],
            ["run", "a.txt", "--prompt", "x", "--out", "y"], ["nodes", "--coordinator", "localhost"],
        ):  # fmt: skip
            with self.subTest(wrong):
                self.check(USAGE, *wrong)

    def test_an_unknown_command_is_named_beside_the_known_ones(self):
        self.check(USAGE, "draw", says=["'draw'", "run, submit, watch"])
        self.check(USAGE, "--json", "draw", "--out", "x", says=["'draw'"])

    def test_an_absent_coordinator_is_reported_within_five_seconds(self):
        url = f"ipc://{self.scratch.path}/nobody.sock"
        begin = time.monotonic()
        self.check(UNREACHABLE, "nodes", "--coordinator", url, says=[url])
        self.assertLess(time.monotonic() - begin, 6)

    def test_model_folders_of_a_local_run(self):
        run = ["run", "--prompt", "x", "--out", self.out, "--local", "1", "--model"]
        self.check(BAD_INPUT, *run, self.scratch.path / "nowhere", says=["nowhere"])
        self.check(BAD_INPUT, *run, self.scratch.tmp, says=["model_index.json"])
        self.check(BAD_INPUT, *run, "no-such-model", says=["no-such-model"])
        self.assertEqual(list(self.scratch.tmp.iterdir()), [])

    def test_every_command_has_help_with_examples(self):
        for command in ("run", "submit", "watch", "fetch", "jobs", "job", "cancel", "nodes", "models"):
            with self.subTest(command):
                self.assertIn("Examples:", self.scratch.sdctl(command, "--help").out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
