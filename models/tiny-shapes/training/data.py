# SPDX-License-Identifier: Apache-2.0
"""The training set on disk: pictures, and the token ids of their captions."""

import random
from dataclasses import dataclass

import numpy as np
import torch

import captions
import pictures
import scenes
import tokenizer
from settings import SEED, TOKENS, Settings

ENCODE_AT_ONCE = 10_000


def make(settings: Settings) -> None:
    """Stage 'data': draws and tells every scene."""
    rng = random.Random(SEED + 1)
    images = np.empty((settings.pictures, pictures.SIDE, pictures.SIDE, 3), np.uint8)
    shown = np.empty(settings.pictures, bool)
    texts: list[str] = []
    for i in range(settings.pictures):
        scene = scenes.sample(rng)
        images[i] = pictures.draw(scene.background, list(scene.figures))
        shown[i] = scenes.is_training_scene(scene)
        texts += [captions.describe(rng, scene) for _ in range(settings.captions)]
    ids = np.concatenate([_token_ids(settings, texts[i : i + ENCODE_AT_ONCE]) for i in range(0, len(texts), ENCODE_AT_ONCE)])
    np.save(settings.work / "images.npy", images)
    np.save(settings.work / "shown.npy", shown)
    np.save(settings.work / "ids.npy", ids.reshape(settings.pictures, settings.captions, TOKENS))
    print(f"data: {settings.pictures} pictures, {int((~shown).sum())} of them hidden from the UNet; captions such as:")
    print("\n".join(f"  {text}" for text in texts[:: settings.captions][:5]))


def _token_ids(settings: Settings, texts: list[str]) -> np.ndarray:
    encode = tokenizer.load(settings)
    return np.array(encode(texts, padding="max_length", truncation=True, max_length=TOKENS)["input_ids"], np.int16)


@dataclass(frozen=True)
class Images:
    """The pictures; on a GPU all of them lie there, on a CPU they are read from disk as they are needed."""

    bytes_: torch.Tensor
    device: torch.device

    @staticmethod
    def open(settings: Settings) -> "Images":
        on_disk = torch.from_numpy(np.load(settings.work / "images.npy", mmap_mode="c"))
        return Images(on_disk if settings.device.type == "cpu" else on_disk.to(settings.device), settings.device)

    def __len__(self) -> int:
        return len(self.bytes_)

    def __getitem__(self, which: torch.Tensor | slice) -> torch.Tensor:
        """[n, 3, SIDE, SIDE] in -1..1."""
        return self.bytes_[which].permute(0, 3, 1, 2).float().contiguous() / 127.5 - 1

    def random_indices(self, count: int) -> torch.Tensor:
        return torch.randint(len(self), (count,), device=self.device)


@dataclass(frozen=True)
class Captions:
    """Token ids [pictures, captions, TOKENS], those of the empty caption, and which pictures the UNet may see."""

    ids: torch.Tensor
    empty: torch.Tensor
    shown: torch.Tensor

    @staticmethod
    def open(settings: Settings) -> "Captions":
        ids = torch.from_numpy(np.load(settings.work / "ids.npy")).to(settings.device)
        shown = torch.from_numpy(np.flatnonzero(np.load(settings.work / "shown.npy"))).to(settings.device)
        empty = torch.from_numpy(_token_ids(settings, [""])[0]).to(settings.device)
        return Captions(ids, empty, shown)

    def random_pictures(self, count: int) -> torch.Tensor:
        return self.shown[torch.randint(len(self.shown), (count,), device=self.shown.device)]

    def random_tokens(self, which: torch.Tensor, empty_share: float) -> torch.Tensor:
        """One caption of each picture, int64 [n, TOKENS]; a share of them is the empty caption."""
        device = self.ids.device
        tokens = self.ids[which, torch.randint(self.ids.shape[1], (len(which),), device=device)].long()
        tokens[torch.rand(len(which), device=device) < empty_share] = self.empty.long()
        return tokens
