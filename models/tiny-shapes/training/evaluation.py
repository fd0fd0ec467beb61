#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks a model for the pictures of the exam, reads them back, and reports how many are what their prompts say."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

import exam
import sheet
from exam import Mark, Question
from pictures import SIDE
from settings import choose_device

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

BATCH = 32
FOLDER_OF_THE_MODEL = Path(__file__).resolve().parent.parent


def load(model: Path, scheduler: str | None, device: torch.device) -> "StableDiffusionPipeline":
    """The pipeline in fp32, with the folder's own scheduler or another of diffusers' classes built from its config."""
    import diffusers

    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(model, dtype=torch.float32, safety_checker=None)
    if scheduler:
        # DDIM clips its guess of the clean latents to -1..1 unless told not to; these latents go beyond.
        config = {**pipeline.scheduler.config, "clip_sample": False}
        pipeline.scheduler = getattr(diffusers, scheduler).from_config(config)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def draw(
    pipeline: "StableDiffusionPipeline", prompts: Sequence[str], steps: int, guidance: float, seed: int
) -> NDArray[np.uint8]:
    """[n, SIDE, SIDE, 3]; picture k has the noise of seed + k, drawn on the CPU."""
    drawn = []
    for start in range(0, len(prompts), BATCH):
        part = list(prompts[start : start + BATCH])
        noise = [torch.Generator("cpu").manual_seed(seed + start + k) for k in range(len(part))]
        drawn.append(
            pipeline(
                part,
                num_inference_steps=steps,
                guidance_scale=guidance,
                generator=noise,
                height=SIDE,
                width=SIDE,
                output_type="np",
            ).images
        )
    return np.round(np.concatenate(drawn) * 255).astype(np.uint8)


def _share(marks: Sequence[Mark], attribute: str) -> str:
    good = sum(getattr(m, attribute) for m in marks)
    return f"{good:2d} of {len(marks)} ({good / len(marks):.1%})"


def report(questions: Sequence[Question], marks: Sequence[Mark], list_misses: bool) -> None:
    groups = {
        "one figure": [m for q, m in zip(questions, marks) if len(q.figures) == 1],
        "  of these never seen in training": [m for q, m in zip(questions, marks) if q.hidden],
        "two figures": [m for q, m in zip(questions, marks) if len(q.figures) == 2],
    }
    for name, group in groups.items():
        parts = [f"{part} {_share(group, part)}" for part in ("background", "colours", "shapes")]
        print(f"{name}: all right {_share(group, 'passed')}; {', '.join(parts)}")
    print(f"mean overlap with the outline, one figure: {np.mean([m.overlap for m in groups['one figure']]):.3f}")
    if list_misses:
        for question, mark in zip(questions, marks):
            wrong = [part for part in ("background", "colours", "shapes") if not getattr(mark, part)]
            if wrong:
                print(f"  wrong {', '.join(wrong)} (overlap {mark.overlap:.2f}): {question.prompt}")


def evaluate(
    model: Path,
    scheduler: str | None = None,
    steps: int = 20,
    guidance: float = 4.0,
    seed: int = 0,
    device: torch.device | None = None,
    sheet_file: Path | None = None,
    list_misses: bool = False,
) -> list[Mark]:
    questions = exam.questions()
    pipeline = load(model, scheduler, device or torch.device("cpu"))
    pictures = draw(pipeline, [q.prompt for q in questions], steps, guidance, seed)
    marks = [exam.mark(question, picture.astype(np.float32)) for question, picture in zip(questions, pictures)]
    print(f"{model}: {type(pipeline.scheduler).__name__}, {steps} steps, guidance {guidance}, seeds from {seed}")
    report(questions, marks, list_misses)
    if sheet_file:
        sheet.write(sheet_file, list(pictures), [m.passed for m in marks])
    return marks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, nargs="?", default=FOLDER_OF_THE_MODEL, help="default: this folder's model")
    parser.add_argument("--scheduler", metavar="CLASS", help="a scheduler class of diffusers; default: the folder's own")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=0, help="of the first picture; picture k has seed + k")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, help="threads on a CPU; default: torch's own choice")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="write all pictures on one, misses framed red")
    parser.add_argument("--misses", action="store_true", help="list the prompts that were drawn wrong")
    a = parser.parse_args()
    if a.threads:
        torch.set_num_threads(a.threads)
    evaluate(a.model, a.scheduler, a.steps, a.guidance, a.seed, choose_device(a.device), a.sheet, a.misses)


if __name__ == "__main__":
    main()
