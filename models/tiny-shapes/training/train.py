#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the model, all of it or stage by stage.

Each stage reads what earlier ones left under OUT/work, so that one can be run again alone. The result is OUT/model.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch

import data
import evaluation
import export
import tokenizer
import unet
import vae
from settings import Settings, choose_device


def _evaluate(settings: Settings) -> None:
    evaluation.evaluate(settings.model, device=settings.device, sheet_file=settings.out / "contact-sheet.png")


STAGES: dict[str, Callable[[Settings], None]] = {
    "tokenizer": tokenizer.make,
    "data": data.make,
    "vae": vae.train,
    "latents": vae.encode,
    "decoder": vae.train_decoder,
    "unet": unet.train,
    "refine": unet.refine,
    "refine-long": unet.refine_long,
    "export": export.make,
    "evaluate": _evaluate,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"default: all, in this order: {' '.join(STAGES)}")
    parser.add_argument("--smoke", action="store_true", help="try every stage in a few minutes; the model is useless")
    parser.add_argument("--minutes-scale", type=float, default=1.0, metavar="F", help="multiply the training times by F")
    parser.add_argument("--device", default="auto", help="auto (a GPU where there is one), cpu or cuda")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads on a CPU; default: all cores")
    arguments = parser.parse_args()
    unknown = [stage for stage in arguments.stages if stage not in STAGES]
    if unknown:
        parser.error(f"no stage is called {unknown[0]}; the stages are: {' '.join(STAGES)}")
    if arguments.minutes_scale <= 0:
        parser.error("--minutes-scale must be more than 0")
    return arguments


def main() -> None:
    a = _arguments()
    torch.set_num_threads(a.threads)
    settings = Settings(out=a.out, device=choose_device(a.device))
    if a.smoke:
        settings = settings.smoke()
    settings = settings.scaled(a.minutes_scale)
    settings.work.mkdir(parents=True, exist_ok=True)
    for stage in a.stages or STAGES:
        start = time.monotonic()
        STAGES[stage](settings)
        print(f"{stage}: done in {time.monotonic() - start:.0f} s on {settings.device}", flush=True)


if __name__ == "__main__":
    main()
