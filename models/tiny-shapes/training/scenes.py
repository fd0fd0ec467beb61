# SPDX-License-Identifier: Apache-2.0
"""What a picture shows, before it is drawn or told: one or two figures, how they lie, and the background."""

import random
from dataclasses import dataclass

from pictures import COLOURS, SHAPES, SIDE, Figure

RADIUS = {"small": 8.5, "medium": 14.0, "large": 21.0}
"""Radius in pixels of a figure that is alone; two figures share a picture at PAIR_RADIUS."""

PAIR_RADIUS = 10.5
PAIR_DISTANCE = 29.0
RELATIONS = ("left", "right", "above", "below", "and")


@dataclass(frozen=True)
class Scene:
    figures: tuple[Figure, ...]
    background: str
    background_named: bool
    """False where the caption leaves the background out; it is then white, or black for a white figure."""
    size: str | None = None
    """The size that the caption names, for a figure that is alone."""
    relation: str | None = None
    """Where the first of two figures lies as seen from the second; 'and' is told in reading order, left to right."""
    colours_named: tuple[bool, ...] = ()


def default_background(colour: str) -> str:
    """What lies behind a figure when the caption does not say."""
    return "black" if colour == "white" else "white"


def is_hidden(shape: str, colour: str, background: str) -> bool:
    """True for the combinations that the UNet never sees alone on a picture.

    The evaluation asks for them to tell composing from remembering. There are 24: eight squares, eight stars and eight
    diamonds, in every colour but blue. The rule depends on nothing random, so that the evaluation need not know how the
    data was made.
    """
    names = list(COLOURS)
    return (5 * SHAPES.index(shape) + 3 * names.index(colour) + 7 * names.index(background)) % 10 == 0


def is_training_scene(scene: Scene) -> bool:
    figure = scene.figures[0]
    return len(scene.figures) == 2 or not is_hidden(figure.shape, figure.colour, scene.background)


def _colours(rng: random.Random, count: int) -> tuple[str, bool, list[str]]:
    """A background, whether it is named, and colours that can be seen on it."""
    if rng.random() < 0.6:
        background, named = rng.choice(list(COLOURS)), True
        first = rng.choice([c for c in COLOURS if c != background])
    else:
        first, named = rng.choice(list(COLOURS)), False
        background = default_background(first)
    visible = [c for c in COLOURS if c != background]
    return background, named, [first] + [rng.choice(visible) for _ in range(count - 1)]


def _centre(rng: random.Random, spread: float) -> tuple[float, float]:
    return SIDE / 2 + rng.uniform(-spread, spread), SIDE / 2 + rng.uniform(-spread, spread)


def _single(rng: random.Random) -> Scene:
    background, named, (colour,) = _colours(rng, 1)
    size = None if rng.random() < 0.45 else rng.choice(list(RADIUS))
    radius = RADIUS[size or "medium"] * rng.uniform(0.94, 1.06)
    x, y = _centre(rng, min(5.0, max(1.5, SIDE / 2 - 5.5 - radius)))
    figure = Figure(rng.choice(SHAPES), colour, x, y, radius)
    return Scene((figure,), background, named, size=size, colours_named=(rng.random() >= 0.02,))


def _pair(rng: random.Random) -> Scene:
    background, named, colours = _colours(rng, 2)
    relation = rng.choice(RELATIONS)
    first_side = -1 if relation in ("left", "above", "and") else 1
    figures = []
    for colour, side in zip(colours, (first_side, -first_side)):
        x, y = _centre(rng, 1.5)
        if relation in ("above", "below"):
            y += side * PAIR_DISTANCE / 2
        else:
            x += side * PAIR_DISTANCE / 2
        figures.append(Figure(rng.choice(SHAPES), colour, x, y, PAIR_RADIUS * rng.uniform(0.94, 1.06)))
    return Scene(
        tuple(figures), background, named, relation=relation, colours_named=tuple(rng.random() >= 0.02 for _ in figures)
    )


def sample(rng: random.Random) -> Scene:
    """A random scene: one figure (64 %) or two (36 %)."""
    return _pair(rng) if rng.random() < 0.36 else _single(rng)
