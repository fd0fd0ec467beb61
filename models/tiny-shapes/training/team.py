# SPDX-License-Identifier: Apache-2.0
"""Processes that train one network together, each on its share of every batch."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class Team:
    rank: int
    size: int

    @property
    def leads(self) -> bool:
        """Exactly one member reports and saves."""
        return self.rank == 0

    def average(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replaces every tensor by its mean over the team, in one exchange."""
        if self.size == 1:
            return
        together = torch.cat([t.reshape(-1) for t in tensors])
        dist.all_reduce(together)
        together /= self.size
        for tensor, mean in zip(tensors, together.split([t.numel() for t in tensors])):
            tensor.copy_(mean.view_as(tensor))


def run(size: int, work: Callable[..., None], *args: Any) -> None:
    """Calls work(team, *args) in `size` processes; a team of one works in this process."""
    if size == 1:
        work(Team(0, 1), *args)
        return
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(_member, (size, str(Path(folder) / "rendezvous"), work, args), nprocs=size)


def _member(rank: int, size: int, rendezvous: str, work: Callable[..., None], args: tuple[Any, ...]) -> None:
    # One thread each: at these sizes a second thread gains less than a second member.
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=size)
    try:
        work(Team(rank, size), *args)
    finally:
        dist.destroy_process_group()
