# SPDX-License-Identifier: Apache-2.0
"""Many pictures on one, each in a frame of its own colour."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FRAME = 3
GAP = 2
PASSED = (214, 214, 214)
FAILED = (230, 0, 0)


def write(path: Path, pictures: Sequence[NDArray[np.uint8]], passed: Sequence[bool], columns: int = 12) -> None:
    """Row by row; the frame of a picture that did not pass is red."""
    height, width, _ = pictures[0].shape
    step_y, step_x = height + 2 * FRAME + GAP, width + 2 * FRAME + GAP
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * step_y - GAP, columns * step_x - GAP, 3), 255, np.uint8)
    for i, (picture, good) in enumerate(zip(pictures, passed)):
        y, x = i // columns * step_y, i % columns * step_x
        sheet[y : y + step_y - GAP, x : x + step_x - GAP] = PASSED if good else FAILED
        sheet[y + FRAME : y + FRAME + height, x + FRAME : x + FRAME + width] = picture
    # 256 colours are enough for flat shapes, and a third of the bytes.
    Image.fromarray(sheet).quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
