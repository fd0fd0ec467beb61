# SPDX-License-Identifier: Apache-2.0
"""A byte-level BPE vocabulary with CLIP's conventions, so that CLIPTokenizer reads it."""

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

from captions import describe, every_word
from scenes import sample
from settings import SEED, TOKENS, VOCABULARY, Settings

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
WORD_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
WORD_END = "</w>"
WORD_REPEATS = 25
"""How often the corpus repeats each single word: enough for everyday words to get tokens of their own."""


def byte_characters() -> list[str]:
    """The printable stand-in of every byte, in the order in which CLIP's vocabulary begins."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(256 - len(printable))]


def _corpus(captions: int) -> list[str]:
    rng = random.Random(SEED)
    return [describe(rng, sample(rng)) for _ in range(captions)] + every_word() * WORD_REPEATS


def _learn_merges(corpus: list[str], vocabulary: int) -> list[tuple[str, str]]:
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE(end_of_word_suffix=WORD_END, continuing_subword_prefix=""))
    bpe.normalizer = normalizers.Lowercase()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD_PATTERN), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    # The trainer counts its alphabet otherwise than CLIP does, so ask for more than is needed and cut later.
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary + 200, show_progress=False, end_of_word_suffix=WORD_END, initial_alphabet=byte_characters()
    )
    bpe.train_from_iterator(corpus, trainer)
    return [tuple(pair) for pair in json.loads(bpe.to_str())["model"]["merges"]]


def _vocabulary(merges: list[tuple[str, str]]) -> tuple[list[str], list[tuple[str, str]]]:
    """Tokens in order of their ids (bytes, bytes that end a word, merges, the two special ones), and the merges kept."""
    single = byte_characters()
    tokens = single + [char + WORD_END for char in single]
    kept = merges[: VOCABULARY - 2 - len(tokens)]
    tokens += [a + b for a, b in kept] + [START, END]
    if len(set(tokens)) != VOCABULARY:
        raise RuntimeError(f"the corpus gives {len(set(tokens))} different tokens, {VOCABULARY} are wanted: enlarge it")
    return tokens, kept


def _write(folder: Path, tokens: list[str], merges: list[tuple[str, str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    ids = {token: i for i, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(f"{a} {b}" for a, b in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": TOKENS, "do_lower_case": True, "errors": "replace"}
    config |= {"add_prefix_space": False, **special}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True}
    published = {key: {"content": token, **flags} for key, token in special.items()} | {"pad_token": END}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "special_tokens_map.json").write_text(json.dumps(published, indent=2) + "\n")


def make(settings: Settings) -> None:
    """Stage 'tokenizer': learns the vocabulary and writes the tokenizer folder."""
    tokens, merges = _vocabulary(_learn_merges(_corpus(settings.corpus), VOCABULARY))
    _write(settings.work / "tokenizer", tokens, merges)
    load(settings)
    print(f"tokenizer: {len(tokens)} tokens, {len(merges)} merges")


def load(settings: Settings) -> "CLIPTokenizer":
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(settings.work / "tokenizer")
