#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes ../unit/pipeline/scheduler_golden.json: what diffusers' schedulers do with a stand-in for the model.

All noise comes from one CPU generator with seed 0. The first draw, randn(1, 4, 8, 8), times init_noise_sigma is the first
sample; schedulers that add noise draw on. A run with "begin" starts in the middle, as image to image does: the second
draw, halved, is the picture that the first one is added to with add_noise. The stand-in returns
0.3 * (scaled sample) + 0.01 * timestep / 1000. Kept are the timesteps, and the first numbers, mean and standard deviation
of the last sample and of what add_noise made. Needs torch, diffusers and scipy.
"""
import inspect
import json
import pathlib

import diffusers
import torch

CLASSES = {
    "ddim": diffusers.DDIMScheduler,
    "pndm": diffusers.PNDMScheduler,
    "euler": diffusers.EulerDiscreteScheduler,
    "euler_a": diffusers.EulerAncestralDiscreteScheduler,
    "dpmpp_2m": diffusers.DPMSolverMultistepScheduler,
    "unipc": diffusers.UniPCMultistepScheduler,
    "lcm": diffusers.LCMScheduler,
}
ALL_STEPS = (1, 4, 20)
SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SD15 = {**SD, "steps_offset": 1, "set_alpha_to_one": False}
V = {"prediction_type": "v_prediction"}
COSINE = {"beta_schedule": "squaredcos_cap_v2"}
ZERO_SNR = {"rescale_betas_zero_snr": True}
SIGMA_MIN = {"final_sigmas_type": "sigma_min"}
THRESHOLD = {"thresholding": True, "dynamic_thresholding_ratio": 0.9, "sample_max_value": 1.5}
KARRAS = {"use_karras_sigmas": True}
PREDICTIONS = {
    "ddim": ("epsilon", "v_prediction", "sample"),
    "pndm": ("epsilon", "v_prediction"),
    "euler": ("epsilon", "v_prediction", "sample"),
    "euler_a": ("epsilon", "v_prediction"),
    "dpmpp_2m": ("epsilon", "v_prediction", "sample"),
    "unipc": ("epsilon", "v_prediction", "sample"),
    "lcm": ("epsilon", "v_prediction", "sample"),
}

# Every class with every spacing and prediction type; 7 steps, as no stride is then whole.
GRID = [
    (name, {**SD, "timestep_spacing": spacing, "prediction_type": prediction, "steps_offset": 1,
            **({"skip_prk_steps": True} if name == "pndm" else {}),
            **({"clip_sample": False} if name == "ddim" else {})}, (7,))
    for name, predictions in PREDICTIONS.items()
    for prediction in predictions
    for spacing in ("linspace", "leading", "trailing")
]

OTHERS = [
    ("pndm", {**SD15, "skip_prk_steps": True}, (1, 2, 3, 4, 20)),
    ("pndm", {**SD15, "skip_prk_steps": False}, (4, 20)),
    ("pndm", {**SD, **V, "skip_prk_steps": True, "timestep_spacing": "trailing", "set_alpha_to_one": True}, (4, 48)),
    ("pndm", {**SD, "skip_prk_steps": False, "timestep_spacing": "linspace"}, (5, 20)),
    ("ddim", {**SD15, "clip_sample": False}, ALL_STEPS),
    ("ddim", {}, (4, 20)),
    ("ddim", {**SD15, "clip_sample_range": 2.0, "prediction_type": "sample"}, (4,)),
    ("ddim", {**SD15, **THRESHOLD}, (4,)),
    ("ddim", {**SD, **V, **ZERO_SNR, "timestep_spacing": "trailing", "clip_sample": False}, (4, 20)),
    ("ddim", {**COSINE, "timestep_spacing": "linspace", "clip_sample": False}, (4, 20)),
    ("ddim", {"trained_betas": [0.01 + 0.001 * i for i in range(40)], "num_train_timesteps": 40, "clip_sample": False},
     (4,)),
    ("euler", {**SD, "timestep_spacing": "leading", "steps_offset": 1}, ALL_STEPS),
    ("euler", SD, ALL_STEPS),
    ("euler", {**SD, **V, **ZERO_SNR, "timestep_spacing": "trailing"}, (4, 20)),
    ("euler", {**SD, **KARRAS, "timestep_spacing": "trailing"}, (4, 20)),
    ("euler", {**SD, **KARRAS, "sigma_min": 0.05, "sigma_max": 10.0}, (4, 20)),
    ("euler", {**SD, "use_exponential_sigmas": True}, (4, 20)),
    ("euler", {**SD, "use_beta_sigmas": True}, (4, 20)),
    ("euler", {**SD, **SIGMA_MIN, "prediction_type": "sample"}, (4,)),
    ("euler", {**SD, **V, **KARRAS, "timestep_type": "continuous"}, (4, 20)),
    ("euler", {**SD, "interpolation_type": "log_linear"}, (4,)),
    ("euler_a", SD, ALL_STEPS),
    ("euler_a", {**SD, "timestep_spacing": "trailing"}, (48,)),
    ("euler_a", {**SD, **V, **ZERO_SNR, "timestep_spacing": "trailing"}, (4, 20)),
    ("dpmpp_2m", SD, (1, 2, 3, 4, 14, 15, 20)),
    ("dpmpp_2m", {**SD, **KARRAS}, ALL_STEPS),
    ("dpmpp_2m", {**SD, **KARRAS, "timestep_spacing": "leading", "steps_offset": 1}, (20,)),
    ("dpmpp_2m", COSINE, (4, 20)),
    ("dpmpp_2m", {**SD, "use_exponential_sigmas": True}, (4, 20)),
    ("dpmpp_2m", {**SD, "use_beta_sigmas": True}, (4, 20)),
    ("dpmpp_2m", {**SD, "use_lu_lambdas": True}, (4, 20)),
    ("dpmpp_2m", {**SD, "solver_type": "heun"}, (4, 20)),
    ("dpmpp_2m", {**SD, "solver_order": 1}, (4,)),
    ("dpmpp_2m", {**SD, "solver_order": 3}, ALL_STEPS),
    ("dpmpp_2m", {**SD, "euler_at_final": True}, (20,)),
    ("dpmpp_2m", {**SD, **SIGMA_MIN, "lower_order_final": False}, (4, 20)),
    ("dpmpp_2m", {**SD, **SIGMA_MIN, "solver_order": 3, "lower_order_final": False}, (4, 20)),
    ("dpmpp_2m", {**SD, **SIGMA_MIN, "euler_at_final": True, "solver_order": 3}, (20,)),
    ("dpmpp_2m", {**SD, **THRESHOLD}, (4,)),
    ("dpmpp_2m", {**SD, **V, **ZERO_SNR, "timestep_spacing": "trailing"}, (4, 20)),
    ("dpmpp_2m", {**COSINE, "lambda_min_clipped": -5.1}, (4, 20)),
    ("dpmpp_2m", {**COSINE, "lambda_min_clipped": -5.1, "timestep_spacing": "trailing"}, (20,)),
    ("dpmpp_2m", {**SD, "algorithm_type": "sde-dpmsolver++"}, ALL_STEPS),
    ("dpmpp_2m", {**SD, **KARRAS, "algorithm_type": "sde-dpmsolver++", "solver_type": "heun"}, (4, 20)),
    ("dpmpp_2m", {**SD, "algorithm_type": "sde-dpmsolver++", "solver_order": 3}, (20,)),
    ("dpmpp_2m", {**SD, **SIGMA_MIN, "algorithm_type": "dpmsolver"}, (4, 20)),
    ("dpmpp_2m", {**SD, **SIGMA_MIN, "algorithm_type": "dpmsolver", "solver_type": "heun", **V}, (4,)),
    ("dpmpp_2m", {**SD, **SIGMA_MIN, "algorithm_type": "dpmsolver", "solver_order": 3}, (20,)),
    ("dpmpp_2m", {**SD, **SIGMA_MIN, **THRESHOLD, "algorithm_type": "dpmsolver", "prediction_type": "sample"}, (4,)),
    ("dpmpp_2m", {**SD, **SIGMA_MIN, "algorithm_type": "sde-dpmsolver"}, (4, 20)),
    ("dpmpp_2m", {**SD, **SIGMA_MIN, "algorithm_type": "sde-dpmsolver", "solver_type": "heun"}, (4,)),
    ("unipc", SD, (1, 2, 3, 4, 20)),
    ("unipc", {**SD, **KARRAS}, ALL_STEPS),
    ("unipc", {**SD, **KARRAS, **SIGMA_MIN, "sigma_min": 0.05, "sigma_max": 10.0}, (4,)),
    ("unipc", {**SD, "use_exponential_sigmas": True, **SIGMA_MIN}, (4, 20)),
    ("unipc", {**SD, "use_beta_sigmas": True}, (4, 20)),
    ("unipc", {**SD, "solver_order": 1}, (4,)),
    ("unipc", {**SD, "solver_order": 3}, ALL_STEPS),
    ("unipc", {**SD, "solver_order": 3, "lower_order_final": False, **SIGMA_MIN}, (4, 20)),
    ("unipc", {**SD, "solver_type": "bh1", **SIGMA_MIN}, (4, 20)),
    ("unipc", {**SD, "predict_x0": False, **SIGMA_MIN}, (4, 20)),
    ("unipc", {**SD, "predict_x0": False, "solver_type": "bh1", "solver_order": 3, **SIGMA_MIN, **V}, (20,)),
    ("unipc", {**SD, "disable_corrector": [0, 2, 5]}, (4, 20)),
    ("unipc", {**SD, **THRESHOLD}, (4,)),
    ("unipc", {**SD, **V, **ZERO_SNR, "timestep_spacing": "trailing"}, (4, 20)),
    ("lcm", {}, ALL_STEPS),
    ("lcm", {"original_inference_steps": 37, "timestep_scaling": 7.5, "clip_sample": True}, (4, 11)),
    ("lcm", {**THRESHOLD}, (4,)),
    ("lcm", {"beta_schedule": "linear", "prediction_type": "v_prediction"}, (4,)),
]

# Starts in the middle: steps, and the index of the first call.
BEGINS = [
    ("pndm", {**SD15, "skip_prk_steps": True}, [(4, 1), (4, 2), (4, 4), (20, 4)]),
    ("pndm", {**SD15, "skip_prk_steps": False}, [(4, 2), (20, 1), (20, 4), (20, 27)]),
    ("ddim", {**SD15, "clip_sample": False}, [(20, 4)]),
    ("euler", {**SD, "timestep_spacing": "leading", "steps_offset": 1}, [(20, 4), (4, 3)]),
    ("euler_a", SD, [(20, 4)]),
    ("dpmpp_2m", SD, [(4, 3), (20, 4)]),
    ("dpmpp_2m", {**SD, **KARRAS, "solver_order": 3}, [(14, 9), (20, 4)]),
    ("dpmpp_2m", {**SD, "algorithm_type": "sde-dpmsolver++"}, [(20, 10)]),
    ("dpmpp_2m", {**COSINE, **KARRAS}, [(20, 4)]),
    ("unipc", {**SD, "solver_order": 3}, [(4, 3), (20, 4)]),
    ("unipc", {**SD, **KARRAS, "disable_corrector": [4]}, [(20, 4)]),
    ("lcm", {}, [(4, 1), (8, 7)]),
]


def summary(sample):
    return {
        "first": [float(v) for v in sample.flatten()[:6]],
        "mean": float(sample.double().mean()),
        "std": float(sample.double().std()),
    }


def run(name, config, steps, begin=None):
    scheduler = CLASSES[name](**config)
    scheduler.set_timesteps(steps)
    generator = torch.Generator("cpu").manual_seed(0)
    sample = torch.randn(1, 4, 8, 8, generator=generator)
    result = {
        "scheduler": name,
        "config": {"_class_name": CLASSES[name].__name__, **config},
        "steps": steps,
        "timesteps": [float(t) for t in scheduler.timesteps],
        "init_noise_sigma": float(scheduler.init_noise_sigma),
    }
    if begin is None:
        sample = sample * scheduler.init_noise_sigma
    else:
        original = torch.randn(1, 4, 8, 8, generator=generator) * 0.5
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(begin)
        sample = scheduler.add_noise(original, sample, scheduler.timesteps[begin : begin + 1])
        result["begin"] = begin
        result["noised"] = summary(sample)
    more = {"generator": generator} if "generator" in inspect.signature(scheduler.step).parameters else {}
    for timestep in scheduler.timesteps[begin or 0 :]:
        scaled = scheduler.scale_model_input(sample, timestep)
        sample = scheduler.step(0.3 * scaled + 0.01 * timestep / 1000, timestep, sample, **more).prev_sample
    if not torch.isfinite(sample).all():
        raise SystemExit(f"not finite: {name} {config} {steps}")
    return {**result, **summary(sample)}


def main():
    runs = [run(name, config, steps) for name, config, all_steps in GRID + OTHERS for steps in all_steps]
    runs += [run(name, config, steps, begin) for name, config, pairs in BEGINS for steps, begin in pairs]
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
