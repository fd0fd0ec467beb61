# SPDX-License-Identifier: Apache-2.0
"""The smallest program of many ranks in torch.distributed: each rank brings a number, all get the sum. Runs on CPUs.

    pip install torch
    build/release/bin/sdctl launch --local 2 -- python3 examples/all_reduce.py
"""

import torch
import torch.distributed

torch.distributed.init_process_group("gloo")
rank, world_size = torch.distributed.get_rank(), torch.distributed.get_world_size()
number = torch.tensor([rank + 1])
torch.distributed.all_reduce(number)
print(f"rank {rank} of {world_size}: the sum is {number.item()}", flush=True)
torch.distributed.destroy_process_group()
