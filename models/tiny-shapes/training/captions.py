# SPDX-License-Identifier: Apache-2.0
"""Sentences that tell a scene, in the many ways in which people write prompts."""

import random

from pictures import COLOURS, SHAPES
from scenes import RADIUS, Scene

OPENINGS = (
    "a photo of", "a picture of", "an image of", "a drawing of", "an icon of", "a painting of", "an illustration of",
    "there is", "this is", "draw", "a simple picture of", "a cartoon of",
)  # fmt: skip
PRAISE = (
    "highly detailed", "best quality", "4k", "8k", "minimalist", "digital art", "simple", "flat design", "masterpiece",
    "sharp focus", "vector art", "trending on artstation", "beautiful", "clean", "high quality",
)  # fmt: skip
BACKGROUNDS = (
    "on a {} background", "on {}", "with a {} background", "against a {} background", "in front of a {} background",
    "on a {} canvas",
)  # fmt: skip
RELATIONS = {
    "left": ("to the left of", "left of", "on the left of"),
    "right": ("to the right of", "right of"),
    "above": ("above", "over", "on top of"),
    "below": ("below", "under", "beneath"),
    "and": ("and", "next to", "beside"),
}
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}

# A word named twice is said twice as often.
SYNONYMS = {
    "small": ("small", "tiny", "little"),
    "medium": ("medium", "medium sized"),
    "large": ("large", "big", "huge"),
    "circle": ("circle", "circle", "ball", "dot", "disc"),
    "square": ("square", "square", "box"),
    "diamond": ("diamond", "diamond", "rhombus"),
    "purple": ("purple", "purple", "violet"),
}

# Words that say nothing about these pictures. They teach the tokenizer everyday spelling and the text encoder to let
# words pass that it does not know.
IDLE_WORDS = tuple(
    """
    a about above across after again against air all almost along also always am among an and animal another answer any
    around art as ask at autumn away back bank be beach beautiful because bed been before began best between bird black
    boat body book both bottle box boy bread bridge bright brother brown build but by call came camera can candle car
    castle cat change child church cinematic city clear cloud coat cold come cook corner could country cow crowd cup dark
    day deep desk detailed did dinner do dog door down dragon draw dream each early earth east eat eight end even evening
    every eye face family far farm father field fire fish five floor flower fog follow food for forest found four fox
    friend from front garden get girl give glass go gold good grass great ground group grow had hair half hand happy hard
    has have he head hear help her here high hill him his home horse hot hour house how ice if in inside into iron island
    it its journey just keep kitchen knight know lake lamp land landscape large last late learn leaf leave left letter
    light like line lion listen live long look lost love low made make man many map may me mean meet men milk mirror
    moon more morning most mother mountain move much music must my name near never new next night no north not nothing
    now number ocean of off often oil old on once one only open or other our out over own page paper part path pencil
    people perhaps person photo picture piece place plant play poem point portrait quick quiet rain read realistic right
    river road robot rock room round run sad said sail same sand saw school sea second see sentence set seven shadow she
    ship short should show side silver sing sister six sketch sky sleep slow snow so soft some song soon south spring
    stand start stone story street style such summer sun sunset table take tall tell ten than that the their them then
    there these they thing think this those thought three through time to today together told too took tower town train
    travel tree true turn two under until up upon us use valley very village voice walk wall want warm was watch water
    watercolor way we well went west what wheel when where which while white who why wide wild will wind window winter
    with without wolf woman wood word work world would write year yes yet you young your
    """.split()
)


def every_word() -> list[str]:
    """Each word that captions are built from, once."""
    said = [word for words in SYNONYMS.values() for word in words]
    return sorted({*IDLE_WORDS, *COLOURS, *SHAPES, *RADIUS, *said})


def _say(rng: random.Random, word: str) -> str:
    return rng.choice(SYNONYMS.get(word, (word,)))


def _noun_phrase(rng: random.Random, scene: Scene, index: int) -> str:
    figure = scene.figures[index]
    words = [_say(rng, scene.size)] if scene.size else []
    words += [_say(rng, figure.colour)] if scene.colours_named[index] else []
    words.append(_say(rng, figure.shape))
    article = rng.choice(("a", "a", "a", "the", "one", ""))
    if article == "a" and words[0][0] in "aeiou":
        article = "an"
    return " ".join([article, *words]).strip()


def _layout(rng: random.Random, scene: Scene) -> str:
    """The figures and how they lie; 'left' may as well be told from the other figure, as 'right'."""
    phrases = [_noun_phrase(rng, scene, i) for i in range(len(scene.figures))]
    if scene.relation is None:
        return phrases[0]
    relation = scene.relation
    if relation in OPPOSITE and rng.random() < 0.35:
        phrases.reverse()
        relation = OPPOSITE[relation]
    return f"{phrases[0]} {rng.choice(RELATIONS[relation])} {phrases[1]}"


def _with_background(rng: random.Random, text: str, background: str) -> str:
    name, kind = _say(rng, background), rng.random()
    if kind < 0.15:
        return f"{text}, {name} background"
    if kind < 0.95:
        return f"{text} {rng.choice(BACKGROUNDS).format(name)}"
    return f"on a {name} background {text}"


def describe(rng: random.Random, scene: Scene) -> str:
    """One of the many captions of a scene."""
    text = _layout(rng, scene)
    if scene.background_named:
        text = _with_background(rng, text, scene.background)
    if rng.random() < 0.3:
        text = f"{rng.choice(OPENINGS)} {text}"
    if rng.random() < 0.2:
        extra = rng.sample(PRAISE, rng.randint(1, 2)) if rng.random() < 0.6 else rng.sample(IDLE_WORDS, rng.randint(1, 3))
        text = ", ".join([text, *extra])
    return text.capitalize() if rng.random() < 0.05 else text
