# SPDX-License-Identifier: Apache-2.0
"""AdamW on a schedule that ends by the clock, with a moving average of the weights."""

import math
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from settings import Phase

WARM_UP = 0.02
"""Share of the time in which the learning rate climbs."""


class Clock:
    """How much of a phase's time is spent, 0..1. It starts after the first step, whose compilation may take minutes."""

    def __init__(self, minutes: float) -> None:
        self.seconds_ = 60 * minutes
        self.start_: float | None = None

    def tick(self) -> float:
        now = time.monotonic()
        if self.start_ is None:
            self.start_ = now
        return min(1.0, (now - self.start_) / self.seconds_)


class WeightAverage:
    """Exponential moving average of weights, short at first so that it forgets the random beginning."""

    def __init__(self, weights: Sequence[nn.Parameter], decay: float) -> None:
        self.weights_ = list(weights)
        self.averages_ = [w.detach().clone() for w in self.weights_]
        self.decay_ = decay
        self.updates_ = 0

    def update(self) -> None:
        self.updates_ += 1
        decay = min(self.decay_, (1 + self.updates_) / (10 + self.updates_))
        torch._foreach_lerp_(self.averages_, [w.detach() for w in self.weights_], 1 - decay)

    @torch.no_grad()
    def apply(self) -> None:
        for weight, average in zip(self.weights_, self.averages_):
            weight.copy_(average)


class Optimiser:
    """Takes the gradients that backward() left, steps, and clears them."""

    def __init__(self, module: nn.Module, phase: Phase, weight_decay: float) -> None:
        self.weights_ = [w for w in module.parameters() if w.requires_grad]
        self.adam_ = torch.optim.AdamW(
            self.weights_, lr=phase.rate, betas=(0.9, 0.99), weight_decay=weight_decay, fused=True
        )
        self.average = WeightAverage(self.weights_, phase.decay)
        self.peak_rate_ = phase.rate

    def step(self, progress: float) -> None:
        nn.utils.clip_grad_norm_(self.weights_, 1.0)
        for group in self.adam_.param_groups:
            group["lr"] = self._rate(progress)
        self.adam_.step()
        self.adam_.zero_grad()
        self.average.update()

    def _rate(self, progress: float) -> float:
        warm_up = min(1.0, progress / WARM_UP)
        cosine = 0.5 * (1 + math.cos(math.pi * progress))
        return self.peak_rate_ * warm_up * (0.02 + 0.98 * cosine)


class Progress:
    """Prints the mean of the losses since the last line, at step 1, 100 and then every `every` steps."""

    def __init__(self, name: str, labels: Sequence[str], every: int = 500) -> None:
        self.name_, self.labels_, self.every_ = name, labels, every
        self.sums_: torch.Tensor | None = None
        self.steps_ = self.since_ = 0
        self.start_ = time.monotonic()

    def add(self, losses: Sequence[torch.Tensor]) -> None:
        """Adds up on the device: reading the losses at every step would make a GPU wait for it."""
        values = torch.stack([loss.detach() for loss in losses])
        self.sums_ = values if self.sums_ is None else self.sums_ + values
        self.steps_ += 1
        self.since_ += 1
        if self.steps_ in (1, 100) or self.steps_ % self.every_ == 0:
            self.report()

    def report(self) -> None:
        if self.sums_ is None or self.since_ == 0:
            return
        means = (self.sums_ / self.since_).tolist()
        losses = "  ".join(f"{label} {mean:.4f}" for label, mean in zip(self.labels_, means))
        print(f"{self.name_}: step {self.steps_}, {time.monotonic() - self.start_:.0f} s  {losses}", flush=True)
        self.sums_, self.since_ = None, 0


def save(weights: dict[str, torch.Tensor], path: Path) -> None:
    """Replaces a file of weights in one go, so that an interrupted run leaves the old one."""
    partial = path.with_suffix(".partial")
    torch.save(weights, partial)
    partial.replace(path)
