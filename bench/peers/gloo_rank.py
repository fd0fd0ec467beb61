# SPDX-License-Identifier: Apache-2.0
"""One rank of bench/collective.py on torch.distributed's gloo: the counterpart of bench/collective_rank.cpp."""

import json
import os
import sys
import time

import torch
import torch.distributed as dist


def measure(rounds, is_barrier_between, function):
    took = []
    for number in range(-(rounds // 10) - 1, rounds):
        if is_barrier_between:
            dist.barrier()
        begin = time.perf_counter()
        function()
        if number >= 0:
            took.append(1e6 * (time.perf_counter() - begin))
    return took


def main():
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    rounds = int(sys.argv[1])
    barriers = measure(rounds * 5, False, dist.barrier)
    gathers = {}
    for number_of_bytes in sys.argv[2:]:
        own = torch.full((int(number_of_bytes),), rank, dtype=torch.uint8)
        everything = [torch.empty_like(own) for _ in range(size)] if rank == 0 else None
        gathers[number_of_bytes] = measure(rounds, True, lambda own=own, everything=everything: dist.gather(own, everything, dst=0))
    if rank == 0:
        print(json.dumps({"barrier_us": barriers, "gather_us": gathers}))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    main()
