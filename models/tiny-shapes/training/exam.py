# SPDX-License-Identifier: Apache-2.0
"""The fixed prompts that measure a model, and how an answer is marked."""

import random
from dataclasses import dataclass

from pictures import COLOURS, SHAPES, SIDE
from reading import Pixels, background_rgb, nearest_colour, read_figure
from scenes import default_background, is_hidden

SEED = 99
SINGLES_WITH_BACKGROUND = 40
SINGLES_WITHOUT = 24
PAIRS = 32

OVERLAP_SINGLE = 0.75
OVERLAP_PAIR = 0.7
"""Of the shape found with its best outline; below, the figure is too crooked to count."""

FORMS_WITH_BACKGROUND = (
    "a {size}{colour} {shape} on a {background} background",
    "{size}{colour} {shape}, {background} background",
    "a photo of a {size}{colour} {shape} with a {background} background",
    "a {size}{colour} {shape} on a {background} background, highly detailed, 8k",
)
FORMS_WITHOUT = (
    "a {size}{colour} {shape}",
    "a photo of a {size}{colour} {shape}, highly detailed",
    "{size}{colour} {shape} zorblax quux",
    "the {size}{colour} {shape}",
)


@dataclass(frozen=True)
class Question:
    prompt: str
    background: str
    figures: tuple[tuple[str, str], ...]
    """(colour, shape), in reading order: left to right, top to bottom."""
    axis: str | None = None
    """How two figures lie: 'row', 'column', or 'any' where the prompt does not say and either order is right."""
    hidden: bool = False


@dataclass(frozen=True)
class Mark:
    background: bool
    colours: bool
    shapes: bool
    overlap: float

    @property
    def passed(self) -> bool:
        return self.background and self.colours and self.shapes

    @property
    def points(self) -> int:
        return self.background + self.colours + self.shapes


def questions() -> list[Question]:
    rng = random.Random(SEED)
    return _singles_with_background(rng) + _singles_without() + _pairs(rng)


def _singles_with_background(rng: random.Random) -> list[Question]:
    """As many combinations never seen in training as there is room for, after them some that were."""
    combinations = [(s, c, b) for s in SHAPES for c in COLOURS for b in COLOURS if c != b]
    hidden = [combination for combination in combinations if is_hidden(*combination)]
    seen = [combination for combination in combinations if not is_hidden(*combination)]
    rng.shuffle(hidden)
    chosen = hidden + rng.sample(seen, SINGLES_WITH_BACKGROUND - len(hidden))
    asked = []
    for i, (shape, colour, background) in enumerate(chosen):
        size, form = ("", "small ", "large ", "")[i % 4], FORMS_WITH_BACKGROUND[i // 4 % 4]
        prompt = form.format(size=size, colour=colour, shape=shape, background=background)
        asked.append(Question(prompt, background, ((colour, shape),), hidden=i < len(hidden)))
    return asked


def _singles_without() -> list[Question]:
    asked = []
    for i in range(SINGLES_WITHOUT):
        shape, colour, size = SHAPES[i % 6], list(COLOURS)[(5 * i + 1) % 9], ("", "big ", "small ")[i % 3]
        prompt = FORMS_WITHOUT[i % 4].format(size=size, colour=colour, shape=shape)
        asked.append(Question(prompt, default_background(colour), ((colour, shape),)))
    return asked


def _pairs(rng: random.Random) -> list[Question]:
    layouts = (
        ("above", "column", False),
        ("below", "column", True),
        ("to the left of", "row", False),
        ("to the right of", "row", True),
        ("and", "any", False),
    )
    asked = []
    for i in range(PAIRS):
        words, axis, swapped = layouts[i % 5]
        background = rng.choice(list(COLOURS)) if i % 2 else "white"
        first, second = zip(
            rng.sample([c for c in COLOURS if c != background], 2), (rng.choice(SHAPES), rng.choice(SHAPES))
        )
        prompt = f"a {' '.join(first)} {words} a {' '.join(second)}"
        prompt += f" on a {background} background" if i % 2 else ""
        asked.append(Question(prompt, background, (second, first) if swapped else (first, second), axis))
    return asked


def mark(question: Question, picture: Pixels) -> Mark:
    if question.axis is None:
        return _mark_figures(question, picture, [picture], question.figures, OVERLAP_SINGLE)
    half = SIDE // 2
    halves = {"column": [picture[:half], picture[half:]], "row": [picture[:, :half], picture[:, half:]]}
    axes = list(halves) if question.axis == "any" else [question.axis]
    orders = [question.figures, question.figures[::-1]] if question.axis == "any" else [question.figures]
    marks = [_mark_figures(question, picture, halves[axis], order, OVERLAP_PAIR) for axis in axes for order in orders]
    return max(marks, key=lambda m: m.points)


def _mark_figures(
    question: Question, picture: Pixels, parts: list[Pixels], wanted: tuple[tuple[str, str], ...], least: float
) -> Mark:
    behind = background_rgb(picture)
    found = [read_figure(part, behind) for part in parts]
    return Mark(
        background=nearest_colour(behind) == question.background,
        colours=all(f.colour == colour for f, (colour, _) in zip(found, wanted)),
        shapes=all(f.shape == shape and f.overlap > least for f, (_, shape) in zip(found, wanted)),
        overlap=min(f.overlap for f in found),
    )
