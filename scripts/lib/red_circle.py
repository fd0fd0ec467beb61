#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: red_circle.py PICTURE.png     Succeeds if the picture is red in the middle and white at its corners."""

import struct
import sys
import zlib
from pathlib import Path


def paeth(left, up, corner):
    guess = left + up - corner
    return min((left, up, corner), key=lambda value: abs(guess - value))


def read_rgb(data):
    """(width, height, rows of bytes) of a PNG with 8 bits for each of red, green and blue, as ours are."""
    position, packed, size = 8, b"", None
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind, body = data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        if kind == b"IHDR":
            size = struct.unpack_from(">IIBB", body)
        elif kind == b"IDAT":
            packed += body
        position += 12 + length
    width, height, depth, colour = size
    if (depth, colour) != (8, 2):
        raise ValueError(f"{depth} bits of colour type {colour}, not 8 bits of RGB")
    raw, rows, above, step = zlib.decompress(packed), [], bytes(3 * width), 3
    for y in range(height):
        kind, line = raw[y * (3 * width + 1)], bytearray(raw[y * (3 * width + 1) + 1 : (y + 1) * (3 * width + 1)])
        for x in range(len(line)):
            left, corner = (line[x - step], above[x - step]) if x >= step else (0, 0)
            line[x] = (line[x] + (0, left, above[x], (left + above[x]) // 2, paeth(left, above[x], corner))[kind]) % 256
        rows.append(bytes(line))
        above = rows[-1]
    return width, height, rows


def shows_red_circle(data):
    width, height, rows = read_rgb(data)
    at = lambda x, y: tuple(rows[y][3 * x : 3 * x + 3])  # noqa: E731
    red, green, blue = at(width // 2, height // 2)
    corners = [at(x, y) for x in (1, width - 2) for y in (1, height - 2)]
    return red > 150 and green < 100 and blue < 100 and all(min(corner) > 200 for corner in corners)


if __name__ == "__main__":
    sys.exit(0 if shows_red_circle(Path(sys.argv[1]).read_bytes()) else 1)
