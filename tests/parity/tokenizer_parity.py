#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares `actor tokenize` with transformers' CLIPTokenizer, over CLIP's real vocabulary, on a generated corpus.

The vocabulary comes with the PyPI wheel of open_clip_torch and is not kept. Both layouts of a tokenizer's files, and both
paddings in use, are compared line by line; any difference is printed and ends the program with 1.
"""
import argparse
import gzip
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata
import zipfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import transformers  # noqa: E402

from make_tiny_models import END, START, WORD_END, byte_characters  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
WHEEL = "open_clip_torch==3.3.0"
MERGES = 49152 - 256 - 2
TOKENS = 77

WORDS = ("a photo of the cat dog astronaut riding horse on mars highly detailed 4k trending artstation portrait woman man landscape "
         "oil painting by greg van gogh it's don't we'll they're I'm you've he'd rock'n'roll 16:9 f/1.8 #art @home").split()
PIECES = [
    "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "❤️", "👍🏽", "1️⃣", "日本語", "テキスト", "中文字符", "한국어", "ｆｕｌｌ ｗｉｄｔｈ", "שלום עולם", "مرحبا بالعالم", "हिन्दी क्षत्रिय",
    "ไทย", "ΟΔΟΣ ὈΔΥΣΣΕΎΣ σς", "İstanbul ıI İ", "ß ẞ ǅ Ǆ ŉ ﬁ ﬀ", "e\u0301\u0327", "A\u030a\u212b", "\u00a0", "\u200b", "\u200d", "\ufeff", "\u2028", "\u0085",
    "\u3000", "\u00ad", "\u0000", "\u0007", "\u007f", "\x1b[0m", "\t", "\x0b", "\x0c", START, END, START.upper(), END.upper(), "<|EndOfText|>",
    "<|endoftext", "|endoftext|>", "''s", "'S", "’s", "'t'", "½²³Ⅷ٣", "𝔘𝔫𝔦", "\U0001d7d9", "\uffff", "\U0010ffff", "…—–«»“”", "!!!???", "$€£¥", "_-_", "a_b",
    "\\(x\\)", "((a:1.3))", "0123456789", "x" * 90, "🙂" * 40, "ﷺ", "ᾼ ᾳ", "\u0345", "\u1e9b\u0323", "각", "각", "Å", "\u0958", "\ufb1d", "\U0002f800",
]


def download_vocabulary(folder):
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, WHEEL], check=True)
    wheel = next(folder.glob("open_clip_torch-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.read("open_clip/bpe_simple_vocab_16e6.txt.gz")
    lines = gzip.decompress(packed).decode("utf-8").split("\n")
    merges = [tuple(line.split()) for line in lines[1:MERGES + 1]]
    characters = byte_characters()
    tokens = characters + [c + WORD_END for c in characters] + ["".join(pair) for pair in merges] + [START, END]
    return {token: i for i, token in enumerate(tokens)}, merges


def write_folders(base, ids, merges):
    """One tokenizer folder per layout and padding."""
    for pad, name in ((END, "eos"), ("!", "bang")):
        transformers.CLIPTokenizer(vocab=ids, merges=merges, pad_token=pad, model_max_length=TOKENS).save_pretrained(base / f"json-{name}")
        folder = base / f"files-{name}"
        folder.mkdir()
        special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": pad}
        config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": TOKENS, "do_lower_case": True, **special}
        (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
        (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *(" ".join(pair) for pair in merges)]) + "\n", encoding="utf-8")
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
        (folder / "special_tokens_map.json").write_text(json.dumps(special))
        yield base / f"json-{name}"
        yield folder


def assigned_characters():
    """By general category; what this Python's Unicode does not know yet may be known to one side and not to the other."""
    by_category = {}
    for point in range(0x110000):
        if not 0xD800 <= point <= 0xDFFF and chr(point) not in "\n\r":
            by_category.setdefault(unicodedata.category(chr(point)), []).append(chr(point))
    left_out = len(by_category.pop("Cn", []))
    return by_category, left_out


def make_line(rng, by_category):
    kind = rng.random()
    if kind < 0.25:
        parts = [rng.choice(WORDS) for _ in range(rng.randrange(1, 40))]
        return rng.choice((" ", "  ", ", ", ",", "")).join(parts)
    if kind < 0.5:
        return "".join(rng.choice(PIECES) + rng.choice(("", " ", "a", ",")) for _ in range(rng.randrange(1, 8)))
    if kind < 0.75:
        category = rng.choice(list(by_category))
        return "".join(rng.choice(by_category[category]) for _ in range(rng.randrange(1, 30)))
    pools = [WORDS, PIECES, *by_category.values()]
    line = "".join(rng.choice(rng.choice(pools)) for _ in range(rng.randrange(1, 30)))
    return line if kind < 0.98 else line * 50


def compare(actor, folder, lines, text):
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder)
    theirs = tokenizer(lines, padding="max_length", truncation=True, max_length=TOKENS).input_ids
    done = subprocess.run([actor, "tokenize", "--model", folder.parent, "--subfolder", folder.name], input=text, stdout=subprocess.PIPE, check=True)
    ours = [json.loads(line) for line in done.stdout.splitlines()]
    wrong = [line for line, a, b in zip(lines, ours, theirs, strict=True) if a != b]
    for line in wrong[:10]:
        print(f"{folder.name}: differs: {json.dumps(line)}")
    print(f"{folder.name}: {len(lines) - len(wrong)} of {len(lines)} lines identical", flush=True)
    return len(wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--actor", type=pathlib.Path, default=ROOT / "build/release/bin/actor")
    parser.add_argument("--lines", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=None, help="of the corpus; random where it is not given")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 31) if options.seed is None else options.seed
    transformers.utils.logging.set_verbosity_error()
    by_category, left_out = assigned_characters()
    count = sum(len(characters) for characters in by_category.values())
    print(f"seed {seed}; transformers {transformers.__version__}; {count} characters of Unicode {unicodedata.unidata_version}, "
          f"{left_out} not assigned there left out")
    rng = random.Random(seed)
    lines = [make_line(rng, by_category) for _ in range(options.lines)]
    # Characters of every category, at most 3000 of each, alone between two letters and at a word's end.
    lines += [f"a{c}b {c}" for characters in by_category.values() for c in characters[:3000]]
    text = "".join(line + "\n" for line in lines).encode("utf-8")
    with tempfile.TemporaryDirectory() as name:
        base = pathlib.Path(name)
        ids, merges = download_vocabulary(base)
        wrong = sum(compare(options.actor, folder, lines, text) for folder in list(write_folders(base, ids, merges)))
    print("all identical" if wrong == 0 else f"{wrong} lines differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
