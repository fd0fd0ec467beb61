# SPDX-License-Identifier: Apache-2.0
"""How far two drawings of the same request are apart: the tensor dumps of `actor generate --dump-tensors`, as numbers.
Plain Python, so that a machine with a GPU needs nothing else."""

import array
import json
import math
import struct
from dataclasses import dataclass

NUMBERS = {"F32": "f", "U8": "B"}


@dataclass
class Parity:
    latents_rel_l2: float  # |a - b| / |b|
    psnr_db: float  # of the pixels; infinite where all are equal


def read_dump(path):
    """name -> array of numbers, from a safetensors file that `actor` wrote."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            tensors[name] = array.array(NUMBERS[entry["dtype"]], data[8 + length + begin : 8 + length + end])
    return tensors


def compare(path, reference):
    """Raises ValueError where the two are not of one size or hold what is no number."""
    ours, theirs = read_dump(path), read_dump(reference)
    for name in ("latents", "image"):
        if len(ours[name]) != len(theirs[name]):
            raise ValueError(f"{path} and {reference} differ in the size of {name}")
    difference = math.fsum((a - b) ** 2 for a, b in zip(ours["latents"], theirs["latents"]))
    size = math.fsum(b * b for b in theirs["latents"])
    if not math.isfinite(difference) or not math.isfinite(size) or size == 0:
        raise ValueError(f"{path} or {reference} holds latents that are no numbers, or only zeros")
    squares = sum((a - b) ** 2 for a, b in zip(ours["image"], theirs["image"]))
    psnr = math.inf if squares == 0 else 10 * math.log10(255**2 * len(ours["image"]) / squares)
    return Parity(latents_rel_l2=math.sqrt(difference / size), psnr_db=psnr)
