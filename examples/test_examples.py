# SPDX-License-Identifier: Apache-2.0
"""The examples, as their headers say to run them, on the tiny model and the CPU.

Environment: SDFLEET_BIN_DIR (the programs; the examples in examples/ there), SDFLEET_SOURCE_DIR (the repository);
SDFLEET_TEST_PYTHON (a python that has torch, accelerate and diffusers; without it the examples in Python are not run).
"""

import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BIN = Path(os.environ["SDFLEET_BIN_DIR"])
PROGRAMS = BIN / "examples"
SOURCE = Path(os.environ["SDFLEET_SOURCE_DIR"])
MODEL = SOURCE / "models/tiny-shapes"
PYTHON = os.environ.get("SDFLEET_TEST_PYTHON")
PATIENCE_S = 240
RANK_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def environment(**variables):
    plain = {name: value for name, value in os.environ.items() if name not in RANK_VARIABLES}
    return {**plain, "ACCELERATE_USE_CPU": "true", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", **variables}


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def size_of_png(path):
    data = Path(path).read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n"), path
    return struct.unpack(">II", data[16:24])


def why_not(*modules):
    """Why the examples in Python that need these modules cannot run here, or None."""
    if not PYTHON:
        return "SDFLEET_TEST_PYTHON names no python"
    missing = f"import sys, importlib.util as u; sys.exit(' '.join(m for m in {modules!r} if not u.find_spec(m)) or 0)"
    try:
        found = subprocess.run([PYTHON, "-c", missing], capture_output=True, text=True)
    except OSError as error:
        return f"SDFLEET_TEST_PYTHON: {error}"
    return f"{PYTHON} has no {found.stderr.strip()}" if found.returncode else None


class Example(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sdf-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def start(self, command, folder, **variables):
        return subprocess.Popen(
            [str(word) for word in command], cwd=folder, env=environment(**variables), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def finish(self, process, expect=0):
        try:
            out, err = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
        self.assertEqual(process.returncode, expect, f"{process.args}\n{out}\n{err}")
        return out, err

    def run_alone(self, *command, expect=0, folder=None):
        return self.finish(self.start(command, folder or self.folder), expect)

    def run_ranks(self, world_size, *command, folder=None):
        """What a launcher does; returns the ranks' outputs."""
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(world_size),
                  "LOCAL_WORLD_SIZE": str(world_size)}  # fmt: skip
        ranks = [
            self.start(command, folder or self.folder, RANK=str(rank), LOCAL_RANK=str(rank), **shared)
            for rank in range(world_size)
        ]
        return [self.finish(rank)[0] for rank in ranks]

    def files(self, folder=None):
        return {path.name: path.read_bytes() for path in (folder or self.folder).iterdir()}

    def made(self, name):
        folder = self.folder / name
        folder.mkdir()
        return folder


class FromPretrained(Example):
    def test_draws_the_prompt(self):
        out, _ = self.run_alone(PROGRAMS / "from_pretrained", MODEL, "a red circle", "red.png")
        self.assertEqual(out, "red.png: 64 x 64, fp32\n")
        self.assertEqual(size_of_png(self.folder / "red.png"), (64, 64))

    def test_a_folder_that_is_no_model_is_one_line(self):
        _, err = self.run_alone(PROGRAMS / "from_pretrained", "/nowhere", "a red circle", "red.png", expect=1)
        self.assertIn("/nowhere", err)
        self.assertEqual(err.count("\n"), 1)


class RunDistributed(Example):
    program = PROGRAMS / "run_distributed"

    def test_two_processes_draw_what_one_draws_alone(self):
        one, two = self.made("one"), self.made("two")
        self.run_alone(self.program, MODEL, folder=one)
        outputs = self.run_ranks(2, self.program, MODEL, folder=two)
        self.assertEqual(outputs, ["result_0.png: a red circle\n", "result_1.png: a blue square\n"])
        alone, together = self.files(one), self.files(two)
        self.assertEqual(sorted(alone), ["result_0.png", "result_0_1.png"])
        self.assertEqual(sorted(together), ["result_0.png", "result_1.png"])
        self.assertEqual(together["result_0.png"], alone["result_0.png"])
        self.assertEqual(together["result_1.png"], alone["result_0_1.png"])

    def test_no_prompt_is_lost_when_there_are_more_of_them_than_processes(self):
        prompts = ["a red circle", "a blue square", "a red circle"]
        outputs = self.run_ranks(2, self.program, MODEL, *prompts)
        self.assertEqual(sum(output.count("\n") for output in outputs), 3)
        self.assertEqual(sorted(self.files()), ["result_0.png", "result_0_1.png", "result_1.png"])

    def test_a_process_without_a_prompt_ends_well(self):
        outputs = self.run_ranks(3, self.program, MODEL)
        self.assertEqual(outputs[2], "")
        self.assertEqual(sorted(self.files()), ["result_0.png", "result_1.png"])

    def test_without_a_model_it_says_how_to_call_it(self):
        _, err = self.run_alone(self.program, expect=2)
        self.assertIn("usage: run_distributed MODEL", err)


class RunDistributedNccl(Example):
    program = PROGRAMS / "run_distributed_nccl"

    def check(self, out):
        self.assertIn("all 2 ranks are done\n", out)
        files = self.files()
        self.assertEqual(sorted(files), ["a_blue_square.png", "a_red_circle.png"])
        for name in files:
            self.assertEqual(size_of_png(self.folder / name), (64, 64))

    def test_starts_its_ranks_itself(self):
        out, err = self.run_alone(self.program, MODEL)
        self.check(out)
        self.assertEqual(err.count("backend zmq"), 2)

    def test_is_a_rank_under_a_launcher(self):
        self.check("".join(self.run_ranks(2, self.program, MODEL)))

    def test_a_rank_that_fails_is_named(self):
        _, err = self.run_alone(self.program, "/nowhere", expect=1)
        self.assertRegex(err, r"spawn: rank [01] exited with code 1")


def why_no_namespaces():
    """Why this machine cannot play two nodes, or None."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        return "needs root and the program ip"
    name = f"sdfprobe{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode == 0:
        linked = subprocess.run(["ip", "-n", name, "link", "add", "type", "bridge"], capture_output=True, text=True)
        subprocess.run(["ip", "netns", "del", name], check=True)
        made = linked
    return f"no network namespaces here: {made.stderr.strip()}" if made.returncode else None


def namespaces():
    return subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout


class MultiNode(Example):
    script = SOURCE / "examples/multi_node/run"

    @unittest.skipIf(why := why_no_namespaces(), why)
    def test_four_ranks_on_two_nodes(self):
        before = namespaces()
        out, _ = self.run_alone(self.script, "--bin", BIN, "--out", self.folder / "out")
        prompts = ["a red circle", "a blue square", "a green heart", "a yellow star"]
        lines = [f"[{rank}] result_{rank}.png: {prompt}" for rank, prompt in enumerate(prompts)]
        self.assertEqual(sorted(out.splitlines()), lines)
        self.assertEqual(sorted(self.files(self.folder / "out")), [f"result_{rank}.png" for rank in range(4)])
        self.assertEqual(namespaces(), before)

    @unittest.skipIf(why := why_no_namespaces(), why)
    def test_a_process_group_spans_nodes_that_have_no_way_to_anywhere_else(self):
        out, _ = self.run_alone(
            self.script, "--bin", BIN, "--out", self.folder, "--", PROGRAMS / "run_distributed_nccl", MODEL
        )
        self.assertEqual(out, "[0] all 4 ranks are done\n")
        self.assertEqual(sorted(self.files()), ["a_blue_square.png", "a_red_circle.png"])

    @unittest.skipIf(why := why_no_namespaces(), why)
    def test_a_command_that_fails_leaves_nothing_behind(self):
        before = namespaces()
        _, err = self.run_alone(self.script, "--bin", BIN, "--out", self.folder, "--", "sh", "-c", "exit 7", expect=1)
        self.assertIn("sdctl launch ended with exit code 7", err)
        self.assertEqual(namespaces(), before)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root, to give it up")
    def test_without_root_it_says_so(self):
        _, err = self.run_alone("setpriv", "--reuid", "65534", "--clear-groups", self.script, folder="/", expect=1)
        self.assertIn("network namespaces need root", err)


@unittest.skipIf(why := why_not("torch"), why)
class AllReducePython(Example):
    def test_all_ranks_get_the_sum(self):
        outputs = self.run_ranks(2, PYTHON, SOURCE / "examples/all_reduce.py")
        self.assertEqual(outputs, [f"rank {rank} of 2: the sum is 3\n" for rank in range(2)])


@unittest.skipIf(why := why_not("torch", "accelerate", "diffusers", "transformers"), why)
class RunDistributedPython(Example):
    def test_the_original_splits_as_the_port_does(self):
        python, ours = self.made("python"), self.made("ours")
        prompts = ["a red circle", "a blue square", "a green heart"]
        outputs = self.run_ranks(2, PYTHON, SOURCE / "examples/run_distributed.py", MODEL, *prompts, folder=python)
        self.assertEqual(self.run_ranks(2, PROGRAMS / "run_distributed", MODEL, *prompts, folder=ours), outputs)
        self.assertEqual(sorted(self.files(python)), sorted(self.files(ours)))


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
