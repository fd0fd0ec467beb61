# SPDX-License-Identifier: Apache-2.0
"""The stages that train the UNet and the text encoder together to predict v."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

import team as teams
from data import Captions
from networks import NOISE, new_text_encoder, new_unet
from optimiser import Clock, Optimiser, Progress, save
from settings import SEED, TRAINING_STEPS, Settings
from team import Team

WEIGHT_DECAY = 1e-2
SAVE_EVERY = 1000
FILE = "unet.pt"


class Denoiser(nn.Module):
    """UNet and text encoder as one network: noisy latents, noise level and token ids in, v out."""

    def __init__(self, for_cpu: bool) -> None:
        super().__init__()
        self.unet, self.text = new_unet(), new_text_encoder()
        if for_cpu:
            # Plain matrix products: the fused CPU kernel is slower for heads of 16 and 32 channels.
            from diffusers.models.attention_processor import AttnProcessor

            self.unet.set_attn_processor(AttnProcessor())
            self.text.config._attn_implementation = "eager"

    def forward(self, noisy: torch.Tensor, level: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        return self.unet(noisy, level, self.text(tokens).last_hidden_state).sample


@dataclass(frozen=True)
class Examples:
    """Random training examples."""

    captions: Captions
    latents: dict[str, torch.Tensor]
    signal: torch.Tensor
    """Share of the picture's power that is left at each noise level."""
    empty_share: float

    @staticmethod
    def open(settings: Settings) -> "Examples":
        from diffusers import DDPMScheduler

        latents = torch.load(settings.work / "latents.pt", map_location=settings.device)
        signal = DDPMScheduler(**NOISE).alphas_cumprod.to(settings.device)
        return Examples(Captions.open(settings), latents, signal, settings.empty_share)

    def draw(self, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Noisy latents, noise level, token ids, and the v to predict: sqrt(a) * noise - sqrt(1 - a) * latents."""
        which = self.captions.random_pictures(count)
        mean, deviation = self.latents["mean"][which].float(), self.latents["deviation"][which].float()
        clean = (mean + deviation * torch.randn_like(mean)) * self.latents["scale"]
        noise = torch.randn_like(clean)
        level = torch.randint(TRAINING_STEPS, (count,), device=clean.device)
        a = self.signal[level].view(-1, 1, 1, 1)
        noisy = a.sqrt() * clean + (1 - a).sqrt() * noise
        v = a.sqrt() * noise - (1 - a).sqrt() * clean
        return noisy, level, self.captions.random_tokens(which, self.empty_share), v


def train(settings: Settings) -> None:
    """Stage 'unet': from random weights."""
    _run_phase(settings, "unet", resume=False)


def refine(settings: Settings) -> None:
    """Stage 'refine': a second schedule, from the averaged weights of the stage before."""
    _run_phase(settings, "refine", resume=True)


def refine_long(settings: Settings) -> None:
    """Stage 'refine-long': a third, with a longer average."""
    _run_phase(settings, "refine-long", resume=True)


def _run_phase(settings: Settings, name: str, resume: bool) -> None:
    members = settings.phases[name].workers if settings.device.type == "cpu" else 1
    teams.run(members, _train, settings, name, resume)


def _train(team: Team, settings: Settings, name: str, resume: bool) -> None:
    phase, device = settings.phases[name], settings.device
    torch.manual_seed(SEED)  # the same weights in every member ...
    model = Denoiser(for_cpu=device.type == "cpu").to(device)
    if resume:
        model.load_state_dict(torch.load(settings.work / FILE, map_location=device))
    torch.manual_seed(SEED + 1 + team.rank + 100 * list(settings.phases).index(name))  # ... and different examples
    examples, weights = Examples.open(settings), list(model.parameters())
    optimiser, clock = Optimiser(model, phase, WEIGHT_DECAY), Clock(phase.minutes)
    report, progress, step = Progress(name, ("v loss",)), 0.0, 0
    while progress < 1.0:
        noisy, level, tokens, v = examples.draw(phase.batch // team.size)
        with torch.autocast(device.type, torch.bfloat16):
            predicted = model(noisy, level, tokens)
        loss = F.mse_loss(predicted.float(), v)
        loss.backward()
        # The spent time is averaged too: members must agree on the learning rate and on the last step.
        mean_loss, spent = loss.detach().clone(), torch.tensor(clock.tick(), device=device)
        team.average([w.grad for w in weights if w.grad is not None] + [mean_loss, spent])
        progress = spent.item()
        optimiser.step(progress)
        step += 1
        if team.leads:
            report.add([mean_loss])
            if step % SAVE_EVERY == 0 or progress >= 1.0:
                _save_average(model, optimiser, settings)
    if team.leads:
        report.report()


def _save_average(model: Denoiser, optimiser: Optimiser, settings: Settings) -> None:
    """Writes the averaged weights, under the names of the training ones; buffers come along unchanged."""
    names = [name for name, _ in model.named_parameters()]
    save(model.state_dict() | dict(zip(names, optimiser.average.averages_)), settings.work / FILE)


def load_trained(settings: Settings) -> Denoiser:
    model = Denoiser(for_cpu=False)
    model.load_state_dict(torch.load(settings.work / FILE, map_location="cpu"))
    return model
