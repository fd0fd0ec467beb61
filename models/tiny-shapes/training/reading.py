# SPDX-License-Identifier: Apache-2.0
"""Reads a drawn picture back: which colour lies behind, and which shape of which colour lies on it.

Plain measuring, no learned judge: the nearest colour of the palette, and the shape whose outline overlaps best.
"""

import itertools
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pictures import COLOURS, SHAPES, coverage, extent

Pixels = NDArray[np.float32]
"""[height, width, 3] in 0..255."""

FRAME = 2
"""Width in pixels of the border that is taken for background."""
BACKGROUND_DISTANCE = 30
"""RGB distance below which a pixel is background for certain."""
FIGURE_DISTANCE = 45
"""RGB distance from which a pixel may be used to find the figure's colour."""
FEWEST_PIXELS = 12
NUDGES = tuple(itertools.product((0.9, 1.0, 1.1), (-1, 0, 1), (-1, 0, 1)))
"""Factor of the radius and shifts in pixels by which an outline is laid over a figure."""


@dataclass(frozen=True)
class Reading:
    """What was found. None where there was too little to tell; overlap is intersection over union, 0..1."""

    colour: str | None
    shape: str | None
    overlap: float


def nearest_colour(rgb: NDArray[np.float32], without: Collection[str] = ()) -> str:
    return min((c for c in COLOURS if c not in without), key=lambda c: float(np.square(rgb - COLOURS[c]).sum()))


def background_rgb(picture: Pixels) -> NDArray[np.float32]:
    border = np.ones(picture.shape[:2], bool)
    border[FRAME:-FRAME, FRAME:-FRAME] = False
    return np.median(picture[border], axis=0)


def read_figure(picture: Pixels, background: NDArray[np.float32]) -> Reading:
    """The one figure on a picture or on a part cut out of one."""
    distance = np.linalg.norm(picture - background, axis=-1)
    foreign = distance[distance > FIGURE_DISTANCE]
    if len(foreign) < FEWEST_PIXELS:
        return Reading(None, None, 0.0)
    rgb = np.median(picture[distance > 0.75 * np.quantile(foreign, 0.8)], axis=0)
    colour = nearest_colour(rgb, without=(nearest_colour(background),))
    # A pixel belongs to the figure from half way between the two colours on.
    towards = rgb - background
    mask = ((picture - background) @ towards > 0.5 * towards @ towards) & (distance > BACKGROUND_DISTANCE)
    if mask.sum() < FEWEST_PIXELS:
        return Reading(colour, None, 0.0)
    overlap, shape = max((_best_overlap(mask, shape), shape) for shape in SHAPES)
    return Reading(colour, shape, overlap)


def _best_overlap(mask: NDArray[np.bool_], shape: str) -> float:
    """Of the outline laid over the figure's bounding box, and nudged a little."""
    rows, columns = np.nonzero(mask)
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    x0, y0, x1, y1 = extent(shape)
    radius = ((right - left) / (x1 - x0) + (bottom - top) / (y1 - y0)) / 2
    x, y = (left + right - radius * (x0 + x1)) / 2, (top + bottom - radius * (y0 + y1)) / 2
    best = 0.0
    for factor, dx, dy in NUDGES:
        template = coverage(shape, x + dx, y + dy, factor * radius)[: mask.shape[0], : mask.shape[1]] > 0.5
        best = max(best, float((template & mask).sum() / (template | mask).sum()))
    return best
