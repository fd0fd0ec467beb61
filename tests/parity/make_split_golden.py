#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes golden/split.json: how accelerate's PartialState.split_between_processes splits lists, dicts and tensors.

usage: make_split_golden.py        (with the libraries of requirements.txt)

Real processes, connected by gloo, because accelerate pads tensors by asking the others for their sizes.
"""

import json
import os
import random
import socket
import tempfile
from pathlib import Path

import accelerate
import torch
import torch.multiprocessing

GOLDEN = Path(__file__).parent / "golden" / "split.json"
WORLD_SIZES = [2, 3, 4, 7]
RANDOM_CASES = 8


def make_cases(num_processes):
    """(kind, items, padding); every length about the number of processes, then random ones."""
    rng = random.Random(f"split {num_processes}")
    lengths = [*range(2 * num_processes + 2), *(rng.randrange(40) for _ in range(RANDOM_CASES))]
    for length in lengths:
        items = [rng.randrange(1000) for _ in range(length)]
        rows = [[item, -item] for item in items]
        columns = {"prompt": items, "seed": [item + 1 for item in items]}
        for padding in (False, True):
            if padding and not items:
                continue  # accelerate has no last item to repeat, and raises IndexError
            yield from (("list", items, padding), ("dict", columns, padding), ("tensor", rows, padding))


def split(state, kind, items, padding):
    given = torch.tensor(items, dtype=torch.int64).reshape(-1, 2) if kind == "tensor" else json.loads(json.dumps(items))
    with state.split_between_processes(given, apply_padding=padding) as mine:
        return mine.tolist() if kind == "tensor" else mine


def run_rank(rank, num_processes, port, folder):
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(num_processes), LOCAL_WORLD_SIZE=str(num_processes),
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), ACCELERATE_USE_CPU="true",
    )  # fmt: skip
    state = accelerate.PartialState(cpu=True)
    assert state.num_processes == num_processes and state.process_index == rank
    shares = [split(state, *case) for case in make_cases(num_processes)]
    (Path(folder) / f"{rank}.json").write_text(json.dumps(shares))
    state.destroy_process_group()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def main():
    cases = []
    for num_processes in WORLD_SIZES:
        with tempfile.TemporaryDirectory() as folder:
            torch.multiprocessing.spawn(run_rank, (num_processes, free_port(), folder), nprocs=num_processes)
            shares = [json.loads((Path(folder) / f"{rank}.json").read_text()) for rank in range(num_processes)]
        for (kind, items, padding), *by_rank in zip(make_cases(num_processes), *shares):
            cases.append({"kind": kind, "items": items, "padding": padding, "shares": by_rank})
    lines = ",\n".join(json.dumps(case) for case in cases)
    GOLDEN.write_text(f'{{"accelerate": "{accelerate.__version__}", "cases": [\n{lines}\n]}}\n')
    print(f"{GOLDEN}: {len(cases)} cases")


if __name__ == "__main__":
    main()
