#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes resize_golden.json, which image_resize_test compares with: a drawn pattern, scaled by Pillow with LANCZOS.

Needs: pillow, numpy. Pillow 13 scales columns before rows where that is less work, which rounds differently; the sizes here
are such that all versions scale rows first.
"""
import hashlib
import json
import pathlib

import numpy
import PIL
from PIL import Image

SIZES = [(7, 5, 3, 9), (64, 64, 32, 32), (100, 80, 64, 64), (1, 1, 8, 8), (160, 120, 128, 128), (64, 64, 64, 32),
         (300, 3, 8, 8), (8, 8, 72, 8), (33, 17, 40, 64)]


def pattern(width, height):
    """The same arithmetic as in image_resize_test.cpp."""
    y, x, c = numpy.meshgrid(range(height), range(width), range(3), indexing="ij")
    return ((x * 37 + y * 91 + c * 53 + x * y) % 256).astype("uint8")


def main():
    cases = []
    for width, height, to_width, to_height in SIZES:
        scaled = Image.fromarray(pattern(width, height)).resize((to_width, to_height), Image.LANCZOS).tobytes()
        cases.append({"from": [width, height], "to": [to_width, to_height], "first": list(scaled[:12]),
                      "sha256": hashlib.sha256(scaled).hexdigest()})
    document = {"made_by": "make_resize_golden.py", "pillow": PIL.__version__, "cases": cases}
    pathlib.Path(__file__).with_name("resize_golden.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
