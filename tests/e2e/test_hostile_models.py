# SPDX-License-Identifier: Apache-2.0
"""Model folders that are damaged or made to harm: each ends soon, with exit code 5, one line that names the file, and little memory."""

import json
import os
import pathlib
import resource
import shutil
import struct
import subprocess
import tempfile
import time
import unittest

SOURCE = pathlib.Path(os.environ["SDFLEET_SOURCE_DIR"])
ACTOR = pathlib.Path(os.environ["SDFLEET_BIN_DIR"]) / "actor"
BAD_INPUT = 5
MAX_S = 10
MAX_MORE_MIB = 1024
UNET = "unet/diffusion_pytorch_model.safetensors"


class HostileModels(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sdfleet-hostile-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.model = self.folder / "model"
        shutil.copytree(SOURCE / "models/tiny-shapes", self.model, ignore=shutil.ignore_patterns("training"))

    def run_actor(self, *arguments, stdin=b""):
        """Exit code, stderr, seconds and peak MiB."""
        begin = time.monotonic()
        process = subprocess.Popen([ACTOR, *arguments], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        process.stdin.write(stdin)
        process.stdin.close()
        error = process.stderr.read().decode("utf-8", "replace")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stderr.close()
        return process.returncode, error, time.monotonic() - begin, usage.ru_maxrss / 1024

    def generate(self):
        return self.run_actor("generate", "--model", self.model, "--prompt", "a red circle", "--steps", "1", "--out", self.folder / "out")

    def check_refused(self, *says, run=None):
        code, error, seconds, mib = (run or self.generate)()
        self.assertEqual(code, BAD_INPUT, error)
        self.assertEqual(len(error.splitlines()), 1, error[:2000])
        for part in says:
            self.assertIn(part, error)
        self.assertLess(len(error), 4000)
        self.assertLess(seconds, MAX_S)
        self.assertLess(mib, self.honest_mib() + MAX_MORE_MIB)
        self.assertEqual(list((self.folder / "out").glob("*")) if (self.folder / "out").exists() else [], [])

    _honest_mib = None

    def honest_mib(self):
        if HostileModels._honest_mib is None:
            model, self.model = self.model, SOURCE / "models/tiny-shapes"
            code, error, _, mib = self.run_actor("generate", "--model", self.model, "--prompt", "x", "--steps", "1", "--out", self.folder / "honest")
            self.model = model
            self.assertEqual(code, 0, error)
            HostileModels._honest_mib = mib
        return HostileModels._honest_mib

    def edit(self, name, change):
        path = self.model / name
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    def rewrite_header(self, change, name=UNET):
        path = self.model / name
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        change(header)
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])

    # Weights

    def test_files_cut_short(self):
        data = (self.model / UNET).read_bytes()
        for size in (0, 4, 8, 100, len(data) // 2, len(data) - 1):
            with self.subTest(size):
                (self.model / UNET).write_bytes(data[:size])
                self.check_refused(UNET)

    def test_impossible_header_lengths(self):
        data = (self.model / UNET).read_bytes()
        for length in (2**63, 2**64 - 1, 100_000_001, len(data)):
            with self.subTest(length):
                (self.model / UNET).write_bytes(struct.pack("<Q", length) + data[8:])
                self.check_refused(UNET, "header length")

    def test_offsets(self):
        changes = {
            "overlap": lambda h: h["conv_in.bias"].update(data_offsets=h["conv_out.bias"]["data_offsets"]),
            "beyond the end": lambda h: h["conv_in.bias"].update(data_offsets=[2**40, 2**40 + 8]),
            "backwards": lambda h: h["conv_in.bias"].update(data_offsets=[100, 0]),
            "wrapping shape": lambda h: h["conv_in.bias"].update(shape=[2**62, 4]),
            "another dtype": lambda h: h["conv_in.bias"].update(dtype="F64"),
            "unknown dtype": lambda h: h["conv_in.bias"].update(dtype="F99"),
            "negative": lambda h: h["conv_in.bias"].update(shape=[-1]),
        }
        original = (self.model / UNET).read_bytes()
        for name, change in changes.items():
            with self.subTest(name):
                (self.model / UNET).write_bytes(original)
                self.rewrite_header(change)
                self.check_refused(UNET)

    def test_tensors_that_do_not_fit(self):
        self.rewrite_header(lambda h: h.update({"more.weight": h.pop("conv_in.weight")}))
        self.check_refused(UNET, "conv_in.weight")

    def test_whole_numbers_for_weights(self):
        self.rewrite_header(lambda h: h["conv_in.bias"].update(dtype="I16"))
        self.check_refused(UNET, "conv_in.bias", "I16")

    def test_a_million_tensors(self):
        header = {f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(300_000)}
        text = json.dumps(header).encode()
        (self.model / UNET).write_bytes(struct.pack("<Q", len(text)) + text)
        self.check_refused(UNET)

    def test_an_index_that_leads_out_of_the_folder(self):
        (self.model / UNET).unlink()
        index = self.model / "unet/diffusion_pytorch_model.safetensors.index.json"
        index.write_text(json.dumps({"weight_map": {"conv_in.bias": "../vae/diffusion_pytorch_model.safetensors"}}))
        self.check_refused(index.name, "conv_in.bias")

    # What lies where a file should

    def test_links_folders_pipes_and_devices(self):
        for name in (UNET, "unet/config.json", "model_index.json", "tokenizer/tokenizer.json", "scheduler/scheduler_config.json"):
            path = self.model / name
            content = path.read_bytes() if path.exists() else None
            if content is None:
                continue
            makers = {
                "a loop of links": lambda: path.symlink_to(path),
                "a folder": path.mkdir,
                "a pipe": lambda: os.mkfifo(path),
                "a device": lambda: path.symlink_to("/dev/zero"),
            }
            for kind, make in makers.items():
                with self.subTest(f"{kind} for {name}"):
                    path.unlink()
                    make()
                    self.check_refused("model")
                    path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
                    path.write_bytes(content)

    # Configs

    def test_configs_that_are_not_json(self):
        for name in ("model_index.json", "unet/config.json", "vae/config.json", "text_encoder/config.json", "scheduler/scheduler_config.json"):
            content = (self.model / name).read_bytes()
            for text in (b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a": 1' * 1000, b"[" * 1_000_000, b'{"a":' * 500_000, b" " * 70_000_000):
                with self.subTest(f"{name}: {text[:10]}"):
                    (self.model / name).write_bytes(text)
                    self.check_refused(pathlib.Path(name).name)
            (self.model / name).write_bytes(content)

    def test_absurd_sizes(self):
        cases = [
            ("unet/config.json", "block_out_channels", [32] * 1_000_000),
            ("unet/config.json", "block_out_channels", [2**62, 2**62]),
            ("unet/config.json", "block_out_channels", [0, 0]),
            ("unet/config.json", "transformer_layers_per_block", 10**9),
            ("unet/config.json", "layers_per_block", 10**9),
            ("unet/config.json", "cross_attention_dim", 10**12),
            ("unet/config.json", "norm_num_groups", 0),
            ("unet/config.json", "attention_head_dim", 0),
            ("unet/config.json", "sample_size", 10**9),
            ("vae/config.json", "block_out_channels", [64] * 1000),
            ("vae/config.json", "layers_per_block", 10**9),
            ("vae/config.json", "latent_channels", 10**10),
            ("text_encoder/config.json", "num_hidden_layers", 10**9),
            ("text_encoder/config.json", "hidden_size", 10**12),
            ("text_encoder/config.json", "vocab_size", 10**15),
            ("text_encoder/config.json", "num_attention_heads", 0),
            ("text_encoder/config.json", "max_position_embeddings", 10**15),
            ("scheduler/scheduler_config.json", "num_train_timesteps", 10**12),
            ("scheduler/scheduler_config.json", "beta_end", 1e300),
        ]
        for name, key, value in cases:
            with self.subTest(f"{name} {key} {str(value)[:30]}"):
                content = (self.model / name).read_bytes()
                self.edit(name, lambda document: document.update({key: value}))
                self.check_refused("model")
                (self.model / name).write_bytes(content)

    # Tokenizers

    def tokenize(self):
        return self.run_actor("tokenize", "--model", self.model, stdin=b"a red circle\n")

    def test_tokenizers(self):
        folder = self.model / "tokenizer"
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 77}))
        good = {"a</w>": 0, "a": 1, "<|startoftext|>": 2, "<|endoftext|>": 3}
        cases = {
            "empty vocabulary": ({}, "#version: 0.2\n"),
            "a list for a vocabulary": ([], ""),
            "ids that are texts": ({"a": "b"}, ""),
            "ids below 0": ({**good, "x": -1}, ""),
            "ids beyond 2^31": ({**good, "x": 2**40}, ""),
            "a merge of three": (good, "#version: 0.2\na a a\n"),
            "a merge of one": (good, "#version: 0.2\na\n"),
            "a merge that makes no token": (good, "#version: 0.2\na a\n"),
            "no special tokens": ({"a": 0}, ""),
            "merges that are no text": (good, "\x00\x01\x02 \x03\n"),
        }
        for name, (vocabulary, merges) in cases.items():
            with self.subTest(name):
                (folder / "vocab.json").write_text(json.dumps(vocabulary))
                (folder / "merges.txt").write_text(merges)
                self.check_refused("tokenizer", run=self.tokenize)

    def test_a_vocabulary_of_a_million_tokens(self):
        folder = self.model / "tokenizer"
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 77}))
        (folder / "vocab.json").write_text(json.dumps({f"t{i}": i for i in range(1_000_000)}))
        (folder / "merges.txt").write_text("#version: 0.2\n" + "t1 t2\n" * 1_000_000)
        self.check_refused("tokenizer", run=self.tokenize)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    unittest.main(verbosity=2)
