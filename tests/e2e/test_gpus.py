# SPDX-License-Identifier: Apache-2.0
"""Agents on a machine with GPUs, of which only the driver's library is a double: which actors there are, and what each sees.

Environment, besides fleet.py's: SDFLEET_NVML_DOUBLE_DIR (the folder with the double's libnvidia-ml.so.1).
"""

import json
import os
import signal
import unittest
from pathlib import Path

from fleet import BIN, ECHO_ACTOR, HAS_ACTOR, MODELS, PATIENCE_S, Fleet, wait_for

DOUBLE_DIR = os.environ["SDFLEET_NVML_DOUBLE_DIR"]


def gpu(letter, **more):
    return {"uuid": f"GPU-{letter}", "name": "NVIDIA H100", "memory_bytes": 80 << 30, **more}


def environment_of(pid):
    words = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(word.split("=", 1) for word in words if "=" in word)


class Gpus(unittest.TestCase):
    def setUp(self):
        self.fleet = Fleet("--allow-programs")
        self.addCleanup(self.fleet.remove)

    def start_agent(self, gpus, devices="auto", visible=None):
        environment = {"LD_LIBRARY_PATH": DOUBLE_DIR, "SDFLEET_NVML_DOUBLE": json.dumps({"gpus": gpus})}
        if visible is not None:
            environment["CUDA_VISIBLE_DEVICES"] = visible
        return self.fleet.start(
            "node-a", BIN / "agent", "--coordinator", self.fleet.url, "--node-id", "node-a", "--devices", devices,
            "--actor-bin", ECHO_ACTOR, environment=environment,
        )  # fmt: skip

    def actors(self):
        return self.fleet.nodes()[0]["actors"]

    def seen_by_actors(self):
        """Device and the GPU that its actor's process may see, in the order of the slots."""
        return [(a["device"], environment_of(a["pid"]).get("CUDA_VISIBLE_DEVICES")) for a in self.actors()]

    def assert_ends(self, agent, code, line):
        self.assertEqual(agent.wait(timeout=PATIENCE_S), code)
        self.assertEqual(self.fleet.log("node-a"), f"agent: {line}\n")

    def test_each_actor_has_one_gpu_to_itself(self):
        self.start_agent([gpu("a"), gpu("b"), gpu("c")])
        self.fleet.wait_until_ready(3)
        self.assertEqual(self.seen_by_actors(), [("cuda:0", "GPU-a"), ("cuda:1", "GPU-b"), ("cuda:2", "GPU-c")])
        for actor in self.actors():
            self.assertEqual(environment_of(actor["pid"])["CUDA_DEVICE_ORDER"], "PCI_BUS_ID")
            words = Path(f"/proc/{actor['pid']}/cmdline").read_text().split("\0")
            self.assertEqual(words[words.index("--device") + 1], "cuda:0")

    def test_the_fleet_knows_the_gpus(self):
        self.start_agent([gpu("a"), gpu("b")], devices="cuda:1")
        self.fleet.wait_until_ready(1)
        devices = self.fleet.nodes()[0]["devices"]
        self.assertEqual([device["name"] for device in devices], ["cpu", "cuda:1"])
        self.assertEqual(devices[1], {"name": "cuda:1", "description": "NVIDIA H100, GPU-b", "memory_bytes": 80 << 30})
        self.assertIn("cuda:1", self.fleet.sdctl("nodes").out)

    def test_a_killed_actor_comes_back_on_its_gpu(self):
        self.start_agent([gpu("a"), gpu("b")])
        self.fleet.wait_until_ready(2)
        before = self.actors()[1]["pid"]
        os.kill(before, signal.SIGKILL)

        def after():
            actor = self.actors()[1]
            return actor if actor["state"] == "ready" and actor["pid"] != before else None

        self.assertEqual(wait_for(after, "next actor")["restarts"], 1)
        self.assertEqual(self.seen_by_actors(), [("cuda:0", "GPU-a"), ("cuda:1", "GPU-b")])

    def test_the_agents_own_variable_says_which_gpus_it_has(self):
        self.start_agent([gpu("a"), gpu("b"), gpu("c")], visible="GPU-c,0")
        self.fleet.wait_until_ready(2)
        self.assertEqual(self.seen_by_actors(), [("cuda:0", "GPU-c"), ("cuda:1", "GPU-a")])

    def test_a_gpu_in_mig_mode_is_as_many_devices_as_it_has_instances(self):
        instances = [{"uuid": f"MIG-{n}", "name": "NVIDIA H100 MIG 1g.10gb", "memory_bytes": 10 << 30} for n in (1, 2)]
        self.start_agent([gpu("a", mig=instances), gpu("b")])
        self.fleet.wait_until_ready(3)
        self.assertEqual(self.seen_by_actors(), [("cuda:0", "MIG-1"), ("cuda:1", "MIG-2"), ("cuda:2", "GPU-b")])

    def test_a_gpu_that_is_not_well_is_left_out_with_a_line(self):
        self.start_agent([gpu("a", remap_failed=True), gpu("b")])
        self.fleet.wait_until_ready(1)
        self.assertEqual(self.seen_by_actors(), [("cuda:1", "GPU-b")])
        self.assertIn("cuda:0 (NVIDIA H100, GPU-a) has a broken row of memory", self.fleet.log("node-a"))

    def test_processor_and_gpus_together(self):
        self.start_agent([gpu("a")], devices="cpu*2,cuda:0*2")
        self.fleet.wait_until_ready(4)
        self.assertEqual(self.seen_by_actors(), [("cpu", None), ("cpu", None), ("cuda:0", "GPU-a"), ("cuda:0", "GPU-a")])

    def test_without_gpus_auto_is_the_processor(self):
        self.start_agent([])
        self.fleet.wait_until_ready(1)
        self.assertEqual(self.seen_by_actors(), [("cpu", None)])
        self.assertIn("the NVIDIA driver has no GPU: one actor draws on the processor", self.fleet.log("node-a"))

    def test_a_gpu_that_is_not_there_ends_the_agent_with_a_line(self):
        agent = self.start_agent([gpu("a")], devices="cuda:0,3")
        self.assert_ends(agent, 1, "--devices cuda:0,3: there is one GPU here, cuda:0")

    def test_a_driver_that_does_not_answer_ends_an_agent_that_needs_it(self):
        agent = self.fleet.start(
            "node-a", BIN / "agent", "--coordinator", self.fleet.url, "--devices", "cuda", "--actor-bin", ECHO_ACTOR,
            environment={"LD_LIBRARY_PATH": DOUBLE_DIR, "SDFLEET_NVML_DOUBLE": '{"init": 18}'},
        )  # fmt: skip
        reason = "the NVIDIA driver does not answer: Driver/library version mismatch"
        self.assert_ends(agent, 1, f"--devices cuda: {reason}")

    def test_ranks_see_the_gpus_of_all_ranks_of_their_node(self):
        self.start_agent([gpu("a"), gpu("b"), gpu("c")], devices="cuda:0,2")
        self.fleet.wait_until_ready(2)
        script = "echo $LOCAL_RANK $CUDA_VISIBLE_DEVICES $CUDA_DEVICE_ORDER"
        out = self.fleet.sdctl("launch", "-n", 2, "--no-prefix", "--", "sh", "-c", script).out
        self.assertEqual(sorted(out.splitlines()), ["0 GPU-a,GPU-c PCI_BUS_ID", "1 GPU-a,GPU-c PCI_BUS_ID"])
        self.fleet.wait_until_ready(2)
        self.assertEqual(self.seen_by_actors(), [("cuda:0", "GPU-a"), ("cuda:2", "GPU-c")])

    @unittest.skipUnless(HAS_ACTOR, "built without LibTorch")
    def test_where_no_actor_could_draw_on_the_gpus_the_agent_says_so_before_it_starts_any(self):
        environment = {"LD_LIBRARY_PATH": DOUBLE_DIR, "SDFLEET_NVML_DOUBLE": json.dumps({"gpus": [gpu("no-real-one")]})}
        command = [BIN / "agent", "--coordinator", self.fleet.url, "--model", f"tiny-shapes={MODELS / 'tiny-shapes'}"]

        agent = self.fleet.start("wants-gpus", *command, "--devices", "cpu,cuda:0", environment=environment)
        self.assertEqual(agent.wait(timeout=PATIENCE_S), 1)
        self.assertRegex(self.fleet.log("wants-gpus"), "^agent: --devices cpu,cuda:0: no GPU can be used here: .*\n$")

        self.fleet.start("takes-what-is-there", *command, "--devices", "auto", environment=environment)
        self.fleet.wait_until_ready(1)
        self.assertEqual(self.seen_by_actors(), [("cpu", None)])
        log = self.fleet.log("takes-what-is-there")
        self.assertRegex(log, "no GPU can be used here: .*: one actor draws on the processor\n")


if __name__ == "__main__":
    unittest.main()
