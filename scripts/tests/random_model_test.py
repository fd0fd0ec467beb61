# SPDX-License-Identifier: Apache-2.0
"""bench/random_model.py: the tensors that it makes up are those of real models. Where the actor is built (SDFLEET_BUILD_DIR) it
draws with small ones."""

import array
import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "scripts" / "lib")]
sys.dont_write_bytecode = True

import model_shapes  # noqa: E402
import picture_parity  # noqa: E402
import random_model  # noqa: E402

ACTOR = Path(os.environ.get("SDFLEET_BUILD_DIR", "/nonexistent")) / "bin" / "actor"
FILES = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}


def header_of(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return header


def with_prefix(name):
    """transformers 5 leaves the prefix out."""
    return name if name.startswith("text_") else f"text_model.{name}"


class Shapes(unittest.TestCase):
    def test_the_configs_of_a_trained_model_give_its_tensors(self):
        for part, name in FILES.items():
            folder = ROOT / "models" / "tiny-shapes" / part
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            rename = with_prefix if part == "text_encoder" else str
            saved = {rename(tensor): entry["shape"] for tensor, entry in header_of(folder / f"{name}.safetensors").items()}
            self.assertEqual({tensor.name: list(tensor.shape) for tensor in random_model.TENSORS_OF[part](config)}, saved)

    def test_full_sizes_have_the_parameters_of_the_published_models(self):
        published = {  # in units, as counted on diffusers' and transformers' own classes
            "sd15": {"text_encoder": 123_060_480, "unet": 859_520_964, "vae": 83_653_863},
            "sdxl": {"text_encoder": 123_060_480, "text_encoder_2": 694_659_840, "unet": 2_567_463_684, "vae": 83_653_863},
        }
        for family, parts in published.items():
            for part, config in random_model.configs_of(family, "full").items():
                with self.subTest(family=family, part=part):
                    self.assertEqual(sum(tensor.size for tensor in random_model.TENSORS_OF[part](config)), parts[part])


class Weights(unittest.TestCase):
    def values(self, tensor, seed="0"):
        return [value for chunk in random_model.fp16_chunks(tensor, seed) for (value,) in struct.iter_unpack("<e", chunk)]

    def test_a_layer_keeps_the_variance_of_what_goes_through(self):
        tensor = model_shapes.Tensor("conv.weight", (64, 32, 3, 3))
        values = self.values(tensor)
        self.assertEqual(len(values), 64 * 32 * 9)
        self.assertAlmostEqual(math.fsum(value * value for value in values) / len(values) * tensor.fan_in, 1, delta=0.03)
        self.assertAlmostEqual(math.fsum(values) / len(values), 0, delta=0.001)

    def test_the_seed_and_the_name_decide(self):
        tensor = model_shapes.Tensor("a.weight", (8, 8))
        self.assertEqual(self.values(tensor), self.values(tensor))
        self.assertNotEqual(self.values(tensor), self.values(tensor, seed="1"))
        self.assertNotEqual(self.values(tensor), self.values(model_shapes.Tensor("b.weight", (8, 8))))


class Vocabulary(unittest.TestCase):
    def test_it_has_clips_size_and_each_merge_joins_what_is_there(self):
        ids, merges = random_model.vocabulary(49408)
        self.assertEqual((len(ids), ids[random_model.START], ids[random_model.END]), (49408, 49406, 49407))
        self.assertEqual(sorted(ids.values()), list(range(49408)))
        for first, second in merges:
            self.assertLess(max(ids[first], ids[second]), ids[first + second])


class Usage(unittest.TestCase):
    def make(self, folder, *arguments):
        command = [sys.executable, ROOT / "bench" / "random_model.py", "--family", "sd15", "--size", "small", *arguments, folder]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    def test_a_whole_model_is_kept_and_a_folder_of_something_else_refused(self):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "model"
            self.assertEqual(self.make(folder).returncode, 0)
            before = (folder / "unet" / "diffusion_pytorch_model.safetensors").stat().st_mtime_ns
            self.assertEqual(self.make(folder, "--seed", "1").returncode, 0)
            self.assertEqual((folder / "unet" / "diffusion_pytorch_model.safetensors").stat().st_mtime_ns, before)
            (folder / "model_index.json").unlink()
            refused = self.make(folder)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("is not empty", refused.stderr)


@unittest.skipUnless(ACTOR.exists(), "the actor is not built here")
class Drawing(unittest.TestCase):
    def test_the_actor_draws_finite_and_varied_pictures_with_both_families(self):
        for family in ("sd15", "sdxl"):
            with self.subTest(family=family), tempfile.TemporaryDirectory() as scratch:
                model, dump = Path(scratch) / family, Path(scratch) / "dump.safetensors"
                random_model.make(family, "small", 0, model)
                command = [ACTOR, "generate", "--model", model, "--prompt", "a red circle", "--steps", "4", "--device", "cpu"]
                drawn = subprocess.run([*command, "--out", scratch, "--dump-tensors", dump], capture_output=True, text=True, timeout=240, check=False)
                self.assertEqual(drawn.returncode, 0, drawn.stderr)
                tensors = picture_parity.read_dump(dump)
                self.assertTrue(all(math.isfinite(value) and abs(value) < 100 for value in tensors["latents"]))
                self.assertGreater(len(set(array.array("B", tensors["image"]))), 32)


if __name__ == "__main__":
    unittest.main()
