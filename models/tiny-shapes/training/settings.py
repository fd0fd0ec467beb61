# SPDX-License-Identifier: Apache-2.0
"""The numbers of a training run, and where it keeps its files."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

SEED = 1234
TOKENS = 32
"""Tokens per prompt, as 77 is for Stable Diffusion."""
VOCABULARY = 1024
LATENT_SIDE = 16
TRAINING_STEPS = 1000
"""Noise levels of the diffusion process."""


@dataclass(frozen=True)
class Phase:
    """One training schedule. It ends by the clock, so that a run takes as long as it says on any machine."""

    minutes: float
    batch: int
    rate: float
    """Peak learning rate: reached after 2 % of the time, then lowered along a cosine."""
    decay: float
    """Of the moving average of the weights, which is what the phase leaves behind."""
    workers: int = 1
    """Processes on a CPU, each with one thread and an equal share of the batch. A GPU has one process."""


@dataclass(frozen=True)
class Settings:
    out: Path
    device: torch.device
    pictures: int = 60_000
    captions: int = 4
    """Captions per picture."""
    corpus: int = 20_000
    """Captions that the tokenizer learns from."""
    empty_share: float = 0.10
    """Captions replaced by the empty one: what classifier-free guidance subtracts."""
    compile: bool = True
    """torch.compile for the VAE: three times as fast as eager on a CPU, and not worth the wait for a few steps."""
    phases: dict[str, Phase] = field(
        default_factory=lambda: {
            "vae": Phase(minutes=6, batch=16, rate=2e-3, decay=0.998),
            "decoder": Phase(minutes=6.5, batch=16, rate=2e-3, decay=0.998),
            "unet": Phase(minutes=30, batch=64, rate=1e-3, decay=0.999, workers=2),
            "refine": Phase(minutes=7.5, batch=32, rate=5e-4, decay=0.999),
            "refine-long": Phase(minutes=58, batch=64, rate=9e-4, decay=0.9995, workers=2),
        }
    )

    @property
    def work(self) -> Path:
        """What stages leave for later stages."""
        return self.out / "work"

    @property
    def model(self) -> Path:
        """The folder that diffusers loads."""
        return self.out / "model"

    def scaled(self, factor: float) -> "Settings":
        """The same run in another time."""
        return replace(self, phases={k: replace(p, minutes=p.minutes * factor) for k, p in self.phases.items()})

    def smoke(self) -> "Settings":
        """Every stage in about two minutes, uncompiled; the model it leaves draws nothing that can be recognised."""
        brief = {k: replace(p, minutes=0.2, batch=min(p.batch, 16)) for k, p in self.phases.items()}
        return replace(self, pictures=1000, corpus=2000, compile=False, phases=brief)


def choose_device(name: str) -> torch.device:
    """'auto' is the first GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
