#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes ../unit/pipeline/scheduler_golden.json: what diffusers' schedulers do with a stand-in for the model.

The first sample is randn(1, 4, 8, 8) of a CPU generator with seed 0, times init_noise_sigma. The stand-in returns
0.3 * (scaled sample) + 0.01 * timestep / 1000. Kept are the timesteps, the sigmas, and the first numbers, mean and
standard deviation of the last sample. Needs torch, diffusers and scipy.
"""
import json
import pathlib

import diffusers
import torch

CLASSES = {
    "ddim": diffusers.DDIMScheduler,
    "pndm": diffusers.PNDMScheduler,
    "euler": diffusers.EulerDiscreteScheduler,
}
SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SD15 = {**SD, "steps_offset": 1, "set_alpha_to_one": False}
V = {"prediction_type": "v_prediction"}

CASES = [
    ("pndm", {**SD15, "skip_prk_steps": True}, (1, 2, 3, 4, 20)),
    ("pndm", {**SD15, "skip_prk_steps": False}, (4, 20)),
    ("pndm", {**SD, **V, "skip_prk_steps": True, "timestep_spacing": "trailing", "set_alpha_to_one": True}, (4, 7)),
    ("pndm", {**SD, "skip_prk_steps": False, "timestep_spacing": "linspace"}, (5, 20)),
    ("ddim", {**SD15, "clip_sample": False}, (1, 4, 20)),
    ("ddim", {}, (4, 20)),
    ("ddim", {**SD15, "clip_sample_range": 2.0, "prediction_type": "sample"}, (4,)),
    ("ddim", {**SD15, "thresholding": True, "dynamic_thresholding_ratio": 0.9, "sample_max_value": 1.5}, (4,)),
    ("ddim", {**SD, **V, "timestep_spacing": "trailing", "rescale_betas_zero_snr": True, "clip_sample": False}, (4, 20)),
    ("ddim", {"beta_schedule": "squaredcos_cap_v2", "timestep_spacing": "linspace", "clip_sample": False}, (4, 20)),
    ("ddim", {"trained_betas": [0.01 + 0.001 * i for i in range(40)], "num_train_timesteps": 40, "clip_sample": False},
     (4,)),
    ("euler", {**SD, "timestep_spacing": "leading", "steps_offset": 1}, (1, 4, 20)),
    ("euler", SD, (1, 4, 20)),
    ("euler", {**SD, **V, "timestep_spacing": "trailing", "rescale_betas_zero_snr": True}, (4, 20)),
    ("euler", {**SD, "timestep_spacing": "trailing", "use_karras_sigmas": True}, (4, 20)),
    ("euler", {**SD, "use_karras_sigmas": True, "sigma_min": 0.05, "sigma_max": 10.0}, (4, 20)),
    ("euler", {**SD, "use_exponential_sigmas": True}, (4, 20)),
    ("euler", {**SD, "use_beta_sigmas": True}, (4, 20)),
    ("euler", {**SD, "final_sigmas_type": "sigma_min", "prediction_type": "sample"}, (4,)),
    ("euler", {**SD, **V, "timestep_type": "continuous", "use_karras_sigmas": True}, (4, 20)),
]


def run(name, config, steps):
    scheduler = CLASSES[name](**config)
    scheduler.set_timesteps(steps)
    sample = torch.randn(1, 4, 8, 8, generator=torch.Generator("cpu").manual_seed(0)) * scheduler.init_noise_sigma
    for timestep in scheduler.timesteps:
        scaled = scheduler.scale_model_input(sample, timestep)
        sample = scheduler.step(0.3 * scaled + 0.01 * timestep / 1000, timestep, sample).prev_sample
    return {
        "scheduler": name,
        "config": {"_class_name": CLASSES[name].__name__, **config},
        "steps": steps,
        "timesteps": [float(t) for t in scheduler.timesteps],
        "sigmas": [float(s) for s in getattr(scheduler, "sigmas", [])],
        "init_noise_sigma": float(scheduler.init_noise_sigma),
        "first": [float(v) for v in sample.flatten()[:6]],
        "mean": float(sample.double().mean()),
        "std": float(sample.double().std()),
    }


def main():
    runs = [run(name, config, steps) for name, config, all_steps in CASES for steps in all_steps]
    document = {
        "made_by": "tests/parity/make_scheduler_golden.py",
        "versions": {"torch": torch.__version__, "diffusers": diffusers.__version__},
        "runs": runs,
    }
    path = pathlib.Path(__file__).resolve().parents[1] / "unit" / "pipeline" / "scheduler_golden.json"
    lines = ",\n".join(json.dumps(r) for r in runs)
    head = json.dumps({k: v for k, v in document.items() if k != "runs"})[:-1]
    path.write_text(f'{head}, "runs": [\n{lines}\n]}}\n')
    print(f"{len(runs)} runs -> {path}")


if __name__ == "__main__":
    main()
