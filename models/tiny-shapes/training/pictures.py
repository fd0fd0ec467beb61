# SPDX-License-Identifier: Apache-2.0
"""Flat shapes as pixels: colours, outlines, and a rasteriser that works from exact signed distances.

A signed distance gives each edge pixel its share of the shape without supersampling, so that edges look the same at
every size and position, and a decoder of 64 x 64 pixels has something smooth to learn.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

SIDE = 64
"""Width and height of every picture, in pixels."""

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (222, 48, 48),
    "orange": (245, 140, 30),
    "yellow": (250, 214, 50),
    "green": (52, 168, 83),
    "blue": (48, 108, 222),
    "purple": (132, 66, 186),
    "pink": (246, 150, 190),
    "white": (250, 250, 250),
    "black": (28, 28, 32),
}

# The order is part of the data: it decides which combinations are hidden from training (scenes.is_hidden).
SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond")

Vertices = NDArray[np.float32]
"""[n, 2] corners of a closed polygon in units of the shape's radius; y grows downwards."""


@dataclass(frozen=True)
class Figure:
    """One shape placed on a picture; centre and radius are in pixels."""

    shape: str
    colour: str
    x: float
    y: float
    radius: float


def _star(outer: float, inner: float) -> Vertices:
    angles = math.radians(-90) + np.arange(10) * math.pi / 5
    lengths = np.where(np.arange(10) % 2 == 0, outer, inner)
    return np.stack([lengths * np.cos(angles), lengths * np.sin(angles)], axis=1).astype(np.float32)


def _heart(corners: int = 32) -> Vertices:
    """The usual parametric heart curve, centred and scaled so that it looks as large as the other shapes."""
    t = np.arange(corners) * 2 * math.pi / corners
    x = 16 * np.sin(t) ** 3
    y = 2 * np.cos(3 * t) + np.cos(4 * t) + 5 * np.cos(2 * t) - 13 * np.cos(t)
    return np.stack([x / 16.2, (y - 2) / 16.2], axis=1).astype(np.float32)


@cache
def outline(shape: str) -> Vertices | None:
    """The corners of a shape of radius 1, or None for the circle, which has none."""
    if shape == "circle":
        return None
    if shape == "star":
        return _star(1.12, 0.48)
    if shape == "heart":
        return _heart()
    corners = {
        "square": [(-0.84, -0.84), (0.84, -0.84), (0.84, 0.84), (-0.84, 0.84)],
        "triangle": [(0, -0.95), (1.04, 0.80), (-1.04, 0.80)],
        "diamond": [(0, -1.15), (0.78, 0), (0, 1.15), (-0.78, 0)],
    }
    return np.array(corners[shape], np.float32)


@cache
def extent(shape: str) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a shape of radius 1 around its own origin."""
    corners = outline(shape)
    if corners is None:
        return -1.0, -1.0, 1.0, 1.0
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def polygon_distance(points: NDArray[np.float32], corners: Vertices) -> NDArray[np.float32]:
    """Signed distance of points [..., 2] to a closed polygon, negative inside.

    The distance is the least over all edges; the sign is the even-odd rule: a ray to the left crosses an odd number
    of edges exactly when it starts inside.
    """
    start, end = corners, np.roll(corners, -1, axis=0)
    edge = end - start
    x, y = points[..., 0, None], points[..., 1, None]
    dx, dy = x - start[:, 0], y - start[:, 1]
    along = np.clip((dx * edge[:, 0] + dy * edge[:, 1]) / np.square(edge).sum(axis=1), 0, 1)
    distance = np.sqrt((np.square(dx - along * edge[:, 0]) + np.square(dy - along * edge[:, 1])).min(axis=-1))

    spans = (start[:, 1] <= y) != (end[:, 1] <= y)
    rise = np.where(edge[:, 1] == 0, 1, edge[:, 1])  # level edges span nothing, so any divisor does
    crossings = (spans & (start[:, 0] + dy / rise * edge[:, 0] < x)).sum(axis=-1)
    return np.where(crossings % 2 == 1, -distance, distance)


def _pixels(low: float, high: float) -> tuple[slice, NDArray[np.float32]]:
    """The rows or columns that a figure from low to high can touch, and where their centres lie."""
    first, last = max(0, math.floor(low) - 1), min(SIDE, math.ceil(high) + 1)
    return slice(first, max(first, last)), np.arange(first, last, dtype=np.float32) + 0.5


def coverage(shape: str, x: float, y: float, radius: float) -> NDArray[np.float32]:
    """How much of each pixel the shape covers, [SIDE, SIDE] in 0..1."""
    left, top, right, bottom = extent(shape)
    columns, centres_x = _pixels(x + left * radius, x + right * radius)
    rows, centres_y = _pixels(y + top * radius, y + bottom * radius)
    points = np.empty((len(centres_y), len(centres_x), 2), np.float32)
    points[..., 0] = (centres_x - x) / radius
    points[..., 1] = (centres_y[:, None] - y) / radius
    corners = outline(shape)
    distance = np.hypot(points[..., 0], points[..., 1]) - 1 if corners is None else polygon_distance(points, corners)
    covered = np.zeros((SIDE, SIDE), np.float32)
    covered[rows, columns] = np.clip(0.5 - distance * radius, 0, 1)
    return covered


def draw(background: str, figures: list[Figure]) -> NDArray[np.uint8]:
    """The picture [SIDE, SIDE, 3]; later figures lie on top of earlier ones."""
    canvas = np.empty((SIDE, SIDE, 3), np.float32)
    canvas[:] = COLOURS[background]
    for figure in figures:
        share = coverage(figure.shape, figure.x, figure.y, figure.radius)[..., None]
        canvas += share * (np.array(COLOURS[figure.colour], np.float32) - canvas)
    return np.round(canvas).astype(np.uint8)
