#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the golden values that parity_test compares the pipeline with, by running Python diffusers on models/tiny-shapes.

Writes, into golden/ beside this file:
  parity.safetensors   per case and as said in parity.json: latents before decoding and the picture; per prompt: embeddings
  parity.json          the cases and the versions of the libraries that made them
  tokens.jsonl         one text per line with the token ids that transformers gives it

Needs: torch, diffusers, transformers (5), safetensors. Run on one thread of a CPU, in fp32.
"""
import argparse
import json
import os
import pathlib
import platform
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import diffusers  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
PROMPT = "a small yellow star above a blue square on a black background"
NEGATIVE = "red, blurry"
SEED = 1234
SCHEDULERS = {
    "pndm": diffusers.PNDMScheduler,
    "ddim": diffusers.DDIMScheduler,
    "euler": diffusers.EulerDiscreteScheduler,
}

TEXTS = [
    "a red circle on a white background", "", " ", "A  RED\tCircle\u00a0on\u3000white", "it's we're they'll I'd I'm I've don't",
    "!!!wow??? (really)", "12 345 6½ x² ٣ Ⅷ", "über naïve cafe\u0301 CAFÉ", "ΟΔΟΣ όδος ΣΊΣΥΦΟΣ", "İstanbul ISPARTA ıi",
    "日本語 の テキスト 中文,한국어", "שלום עולם مرحبا بالعالم", "हिन्दी में नमस्ते क्षत्रिय", "👩‍👩‍👧‍👦 family 🏳️‍🌈 🇩🇪 ❤️", "zero\u200bwidth non\u00adbreaking",
    "<|startoftext|>a<|endoftext|>b", "<|STARTOFTEXT|> and <|ENDOFTEXT|>!", "x<|StartOfText|>y <|endoftext|><|endoftext|>",
    "!<|ENDOFTEXT|>!", "<|endoftext", "a" * 200, "star " * 60, "'s't're", "''s ''", "rock'n'roll o'clock 'tis", "ﬁ ﬂ Ǆ ǅ ß ẞ ŉ",
    "A\u030a \u212b Å", "\u1e9b\u0323 \u1e9b \u0323", "tab\tnew\u0085line\u2028sep\u2029par", "\ufeffbom \u2060 word", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛 𐐀𐐨",
    "100% $5 €10 #tag @me a_b a-b a/b a\\b", "¿qué? «sí» “quotes” ‘single’ – — …", "े alone mark ◌́", "\u0000nul \u0007bel \u007f del",
    "ᾼ ᾳ ῌ ΐ", "Ⓐ ⓐ ꭰ Ꭰ", "e\u0301\u0301\u0327 Z\u0351\u036b\u0343a\u0363lgo", "ʼn 'N ’s ’t", "a red circle, a blue square, and a green triangle",
]


def golden_cases():
    for scheduler in SCHEDULERS:
        for steps in (1, 4, 20):
            for guidance in (1, 5):
                yield {"name": f"{scheduler}-{steps}-{guidance}", "scheduler": scheduler, "steps": steps,
                       "guidance_scale": guidance}


def draw(pipe, case):
    pipe.scheduler = SCHEDULERS[case["scheduler"]].from_config(pipe.own_scheduler_config)
    kept = {}

    def keep(_pipe, _index, _timestep, kwargs):
        kept["latents"] = kwargs["latents"].clone()
        return kwargs

    image = pipe(PROMPT, negative_prompt=NEGATIVE, num_inference_steps=case["steps"],
                 guidance_scale=case["guidance_scale"], generator=torch.Generator("cpu").manual_seed(SEED),
                 output_type="np", callback_on_step_end=keep).images[0]
    return kept["latents"][0], torch.from_numpy((image * 255).round().astype("uint8"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, default=HERE.parents[1] / "models" / "tiny-shapes")
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "golden")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)

    pipe = diffusers.StableDiffusionPipeline.from_pretrained(options.model, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    pipe.own_scheduler_config = pipe.scheduler.config
    positive, negative = pipe.encode_prompt(PROMPT, "cpu", 1, True, NEGATIVE)
    tensors = {"prompt_embeds": positive[0].contiguous(), "negative_prompt_embeds": negative[0].contiguous()}
    cases = list(golden_cases())
    for case in cases:
        latents, image = draw(pipe, case)
        tensors[case["name"] + ".latents"] = latents.contiguous()
        tensors[case["name"] + ".image"] = image.contiguous()
    save_file(tensors, options.out / "parity.safetensors")
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__,
                "transformers": transformers.__version__, "python": platform.python_version()}
    document = {"made_by": "make_golden.py", "versions": versions, "prompt": PROMPT, "negative_prompt": NEGATIVE,
                "seed": SEED, "cases": cases}
    (options.out / "parity.json").write_text(json.dumps(document, indent=1) + "\n")

    with open(options.out / "tokens.jsonl", "w", encoding="utf-8") as lines:
        for text in TEXTS:
            ids = pipe.tokenizer(text, padding="max_length", truncation=True,
                                 max_length=pipe.tokenizer.model_max_length).input_ids
            lines.write(json.dumps({"text": text, "ids": ids}, ensure_ascii=True) + "\n")
    print(f"{len(cases)} cases, {len(TEXTS)} texts -> {options.out}", file=sys.stderr)


if __name__ == "__main__":
    with torch.no_grad():
        main()
