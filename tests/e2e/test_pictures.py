# SPDX-License-Identifier: Apache-2.0
"""Pictures drawn by real actors with models/tiny-shapes: the same bytes however many draw them and whoever dies."""

import os
import shutil
import signal
import subprocess
import unittest

from fleet import HAS_ACTOR, MODELS, Fleet, Scratch, children_of, hashes_of, is_running, manifest_of, wait_for

MODEL = MODELS / "tiny-shapes"
PROMPTS = ["a red circle", "a blue square", "a green star on a white background", "a yellow heart",
           "a purple triangle", "an orange diamond on a black background"]  # fmt: skip
ALL_PROMPTS = [word for prompt in PROMPTS for word in ("--prompt", prompt)]
FEW_STEPS = ["--steps", 4, "--guidance-scale", 3]


@unittest.skipUnless(HAS_ACTOR, "built without LibTorch")
class LocalRuns(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)
        self.out = self.scratch.path / "out"

    def draw(self, name, *arguments):
        """Returns the pictures' hashes by index."""
        folder = self.scratch.path / name
        self.scratch.sdctl("run", *ALL_PROMPTS, *FEW_STEPS, "--out", folder, *arguments)
        self.assertEqual(list(self.scratch.tmp.iterdir()), [])
        return hashes_of(folder)

    def test_two_prompts_become_two_files_with_manifest_and_sheet(self):
        arguments = ["run", "--local", 2, "--prompt", "a red circle", "--prompt", "a blue square", "--seed", 42]
        answer = self.scratch.sdctl(*arguments, *FEW_STEPS, "--out", self.out)
        files = ["000000-42.png", "000001-43.png"]
        self.assertEqual(answer.out.splitlines(), [str(self.out / name) for name in files])
        self.assertEqual([row["file"] for row in manifest_of(self.out)], files)
        self.assertEqual(sorted(path.name for path in self.out.iterdir()), [*files, "grid.png", "manifest.jsonl"])
        self.assertEqual(list(self.scratch.tmp.iterdir()), [])

    def test_the_bytes_depend_neither_on_the_number_of_actors_nor_on_the_split(self):
        one = self.draw("one", "--local", 1)
        self.assertEqual(len(set(one.values())), len(PROMPTS))
        self.assertEqual(self.draw("two", "--local", 2), one)
        self.assertEqual(self.draw("four", "--local", 4), one)
        self.assertEqual(self.draw("shares", "--local", 2, "--split", "contiguous"), one)

    def test_a_folder_may_be_the_model(self):
        copy = self.scratch.path / "elsewhere" / MODEL.name  # a picture names its model
        shutil.copytree(MODEL, copy)
        self.assertEqual(self.draw("copy", "--local", 2, "--model", copy), self.draw("own", "--local", 2))

    def test_the_local_actors_devices_can_be_named(self):
        named = self.draw("named", "--local", 2, "--devices", "cpu,cpu")
        self.assertEqual(named, self.draw("counted", "--local", 1))
        err = self.scratch.sdctl("run", *ALL_PROMPTS, "--out", self.out, "--local", 1, "--devices", "cuda:99", expect=1).err
        self.assertIn("--devices cuda:99: ", err)
        err = self.scratch.sdctl("run", *ALL_PROMPTS, "--out", self.out, "--devices", "cpu", expect=2).err
        self.assertIn("--devices requires --local", err)

    def test_damaged_model_folders_are_bad_input(self):
        def cut(path):
            path.write_bytes(path.read_bytes()[:1000])

        damages = {
            "no-weights": lambda folder: (folder / "unet/diffusion_pytorch_model.safetensors").unlink(),
            "truncated": lambda folder: cut(folder / "unet/diffusion_pytorch_model.safetensors"),
            "not-safetensors": lambda folder: (folder / "vae/diffusion_pytorch_model.safetensors").write_text("hello"),
            "no-config": lambda folder: (folder / "unet/config.json").unlink(),
            "no-json": lambda folder: (folder / "model_index.json").write_text("{"),
        }
        for name, damage in damages.items():
            with self.subTest(name):
                folder = self.scratch.path / name
                shutil.copytree(MODEL, folder)
                damage(folder)
                run = ["run", "--prompt", "x", "--local", 1, "--model", folder, "--out", self.out]
                err = self.scratch.sdctl(*run, expect=5).err
                self.assertEqual(len(err.splitlines()), 1, err)
                self.assertEqual(list(self.scratch.tmp.iterdir()), [])

    def test_ctrl_c_leaves_no_process_and_no_file(self):
        run = ["run", *ALL_PROMPTS * 20, "--steps", 50, "--local", 2, "--out", self.out]
        process = self.scratch.sdctl_process(*run, process_group=0)
        wait_for(lambda: list(self.out.glob("0*.png")), "a first picture")
        daemons = children_of(process.pid)
        actors = [actor for daemon in daemons for actor in children_of(daemon)]
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, err)
        self.assertEqual(len(daemons), 2)
        self.assertEqual([pid for pid in daemons + actors if is_running(pid)], [])
        self.assertEqual(list(self.scratch.tmp.iterdir()), [])

    def test_a_killed_sdctl_takes_its_fleet_along(self):
        process = self.scratch.sdctl_process("run", *ALL_PROMPTS * 20, "--steps", 50, "--local", 2, "--out", self.out)
        wait_for(lambda: list(self.out.glob("0*.png")), "a first picture")
        daemons = children_of(process.pid)
        actors = [actor for daemon in daemons for actor in children_of(daemon)]
        process.kill()
        process.communicate()
        wait_for(lambda: not any(map(is_running, daemons + actors)), "end of all daemons")


@unittest.skipUnless(HAS_ACTOR, "built without LibTorch")
class FleetRuns(unittest.TestCase):
    def setUp(self):
        self.fleet = Fleet()
        self.addCleanup(self.fleet.remove)
        self.out = self.fleet.path / "out"

    def start_run(self, prompts):
        process = self.fleet.sdctl_process("run", *prompts, "--steps", 20, "--out", self.out)
        wait_for(lambda: list(self.out.glob("0*.png")), "a first picture")
        return process

    def finish(self, process):
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, err)

    def undisturbed(self, prompts):
        folder = self.fleet.path / "undisturbed"
        self.fleet.sdctl("run", *prompts, "--steps", 20, "--out", folder)
        return hashes_of(folder)

    def test_an_actor_killed_in_mid_run_does_not_change_a_byte(self):
        agent = self.fleet.start_agent("node-a", actors=2, model=MODEL)
        self.fleet.wait_until_ready(2)
        prompts = ALL_PROMPTS * 3
        process = self.start_run(prompts)
        os.kill(children_of(agent.pid)[0], signal.SIGKILL)
        self.finish(process)
        self.assertEqual(hashes_of(self.out), self.undisturbed(prompts))

    def test_a_killed_agents_pictures_are_drawn_by_the_other(self):
        self.fleet.start_agent("node-a", model=MODEL)
        self.fleet.start_agent("node-b", model=MODEL)
        self.fleet.wait_until_ready(2)
        prompts = ALL_PROMPTS * 3
        process = self.start_run(prompts)
        self.fleet.kill("node-b")
        self.finish(process)
        self.assertEqual(hashes_of(self.out), self.undisturbed(prompts))

    def test_pictures_drawn_in_batches_are_those_drawn_with_nobody_beside(self):
        self.fleet.start_agent("node-a", model=MODEL, max_batch=3, options=["--mode", "fast"])
        self.fleet.wait_until_ready(1)
        self.assertEqual(self.fleet.nodes()[0]["actors"][0]["max_batch"], 3)
        self.fleet.sdctl("run", *ALL_PROMPTS, "--steps", 5, "--out", self.out)
        together = hashes_of(self.out)
        self.assertEqual(len(set(together.values())), len(PROMPTS))
        for index in (0, 2):
            alone = self.fleet.path / f"alone-{index}"
            prompt = ALL_PROMPTS[2 * index : 2 * index + 2]
            self.fleet.sdctl("run", *prompt, "--seed", index, "--steps", 5, "--out", alone)
            self.assertEqual(hashes_of(alone)[0], together[index])

    def test_the_fleets_only_model_needs_no_name_and_several_do(self):
        copy = self.fleet.path / "other-model"
        shutil.copytree(MODEL, copy)
        self.fleet.start_agent("node-a", model=MODEL)
        self.fleet.wait_until_ready(1)
        self.fleet.sdctl("run", "--prompt", "a red circle", *FEW_STEPS, "--out", self.out)
        self.fleet.start_agent("node-b", model=copy)
        self.fleet.wait_until_ready(2)
        names = [model["model"] for model in self.fleet.sdctl("models", "--json").json["models"]]
        self.assertEqual(sorted(names), ["other-model", "tiny-shapes"])
        err = self.fleet.sdctl("run", "--prompt", "a red circle", "--out", self.out, expect=2).err
        self.assertIn("other-model, tiny-shapes", err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
