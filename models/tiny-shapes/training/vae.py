# SPDX-License-Identifier: Apache-2.0
"""The stages that make pictures into latents and back."""

import math
from collections.abc import Callable

import torch
from torch import nn

from data import Images
from networks import new_vae
from optimiser import Clock, Optimiser, Progress, save
from settings import SEED, Phase, Settings

KL_WEIGHT = 4e-4
"""Just enough to keep latents near a unit Gaussian; more costs sharpness."""

DECODER_NOISE = 1.5
"""The decoder is finished on latents up to this many posterior deviations off, because samplers do not hit them either."""

WEIGHT_DECAY = 1e-3
ENCODE_AT_ONCE = 200
PSNR_SAMPLE = 2000

Losses = tuple[torch.Tensor, ...]


def _reconstruction(got: torch.Tensor, wanted: torch.Tensor) -> Losses:
    return (got - wanted).abs().mean(), (got - wanted).square().mean()


def _train(
    name: str, module: nn.Module, settings: Settings, batch: Callable[[Phase], Losses], losses_of: Callable[..., Losses]
) -> None:
    """Minimises the first of losses_of(*batch) and leaves the averaged weights in the module."""
    phase = settings.phases[name]
    if settings.compile:
        losses_of = torch.compile(losses_of)
    optimiser, clock, progress = Optimiser(module, phase, WEIGHT_DECAY), Clock(phase.minutes), 0.0
    report = Progress(name, ("loss", "l1", "mse", "kl"), every=250)
    while progress < 1.0:
        losses = losses_of(*batch(phase))
        losses[0].backward()
        optimiser.step(progress)
        report.add(losses)
        progress = clock.tick()
    report.report()
    optimiser.average.apply()


def train(settings: Settings) -> None:
    """Stage 'vae': encoder and decoder together."""
    torch.manual_seed(SEED)
    images, vae = Images.open(settings), new_vae().to(settings.device)

    def batch(phase: Phase) -> Losses:
        wanted = images[images.random_indices(phase.batch)]
        side = vae.config.sample_size // 2 ** (len(vae.config.block_out_channels) - 1)
        return wanted, torch.randn(phase.batch, vae.config.latent_channels, side, side, device=settings.device)

    def losses_of(wanted: torch.Tensor, noise: torch.Tensor) -> Losses:
        posterior = vae.encode(wanted).latent_dist
        got = vae.decode(posterior.mean + posterior.std * noise).sample
        kl = 0.5 * (posterior.mean.square() + posterior.var - 1 - posterior.logvar).mean()
        l1, mse = _reconstruction(got, wanted)
        return l1 + mse + KL_WEIGHT * kl, l1, mse, kl

    _train("vae", vae, settings, batch, losses_of)
    save(vae.state_dict(), settings.work / "vae.pt")


@torch.no_grad()
def encode(settings: Settings) -> None:
    """Stage 'latents': encodes every picture once, and finds the factor that gives latents unit variance."""
    images, vae = Images.open(settings), new_vae().to(settings.device)
    vae.load_state_dict(torch.load(settings.work / "vae.pt", map_location=settings.device))
    means, deviations, errors = [], [], []
    for start in range(0, len(images), ENCODE_AT_ONCE):
        wanted = images[slice(start, start + ENCODE_AT_ONCE)]
        posterior = vae.encode(wanted).latent_dist
        means.append(posterior.mean.half().cpu())
        deviations.append(posterior.std.half().cpu())
        if start < PSNR_SAMPLE:
            errors.append((vae.decode(posterior.mean).sample.clamp(-1, 1) - wanted).square().mean().item())
    mean, deviation = torch.cat(means), torch.cat(deviations)
    scale = round(1 / math.sqrt(mean.float().var().item() + deviation.float().square().mean().item()), 5)
    save({"mean": mean, "deviation": deviation, "scale": torch.tensor(scale)}, settings.work / "latents.pt")
    psnr = 10 * math.log10(4 / (sum(errors) / len(errors)))  # pictures span -1..1, so the peak is 2
    print(f"latents: scaling factor {scale}, pictures come back at {psnr:.1f} dB")


def train_decoder(settings: Settings) -> None:
    """Stage 'decoder': the decoder alone, on fixed latents. Cheaper than a longer first stage, and it buys sharpness."""
    torch.manual_seed(SEED + 1)
    images, vae = Images.open(settings), new_vae().to(settings.device)
    vae.load_state_dict(torch.load(settings.work / "vae.pt", map_location=settings.device))
    latents = torch.load(settings.work / "latents.pt", map_location=settings.device)

    def batch(phase: Phase) -> Losses:
        which = images.random_indices(phase.batch)
        mean, deviation = latents["mean"][which].float(), latents["deviation"][which].float()
        amount = DECODER_NOISE * torch.rand(phase.batch, 1, 1, 1, device=settings.device)
        return mean + amount * deviation * torch.randn_like(mean), images[which]

    def losses_of(noisy: torch.Tensor, wanted: torch.Tensor) -> Losses:
        l1, mse = _reconstruction(vae.decode(noisy).sample, wanted)
        return l1 + mse, l1, mse

    _train("decoder", nn.ModuleList([vae.post_quant_conv, vae.decoder]), settings, batch, losses_of)
    save(vae.state_dict(), settings.work / "vae-final.pt")
