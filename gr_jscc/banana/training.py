"""Trains the three systems for the banana source, in minutes on a CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from gr_jscc.banana.models import RATES, BananaDeepJSCC, BananaNTC, BananaNTSCC, draw_banana, multiplier
from gr_jscc.weights import write_model

SNR_DB = 5.0
BATCH = 1024
GROUPS = 4  # of a batch, each with a quality and an η of its own
ETA = (0.2, 1.2)  # log-uniform between
LIMITED = 0.4  # share of the groups whose samples get at most one channel value, or two
LEARNING_RATE = 2e-3
DEEPJSCC_VALUES = (1, 2, 3, 4)
DEEPJSCC_STEPS = 8000


def optimise(network: nn.Module, loss: Callable[[Tensor, torch.Generator], Tensor], steps: int, seed: int) -> None:
    """Adam with a cosine schedule on fresh samples; ``loss`` takes float32[BATCH, 2]."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, LEARNING_RATE / 50)
    for _ in range(steps):
        value = loss(draw_banana(BATCH, generator), generator)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()


def train_ntc(steps: int, seed: int = 1) -> BananaNTC:
    """The compressor for itself: d + λ·bits, a λ for every sample."""
    torch.manual_seed(seed)
    network = BananaNTC()

    def loss(x: Tensor, generator: torch.Generator) -> Tensor:
        quality = torch.rand(len(x), 1, generator=generator)
        _, compressed, bits = network(x, quality, generator)
        return ((compressed - x).square().sum(1) / multiplier(quality[:, 0]) + bits).mean()

    optimise(network, loss, steps, seed)
    return network


def train_ntscc(compressor: BananaNTC, steps: int, seed: int = 1) -> BananaNTSCC:
    """Algorithm 1 of the paper from a trained compressor: d(x, x̂_NTSCC) + d(x, x̂_NTC) + λ·bits."""
    torch.manual_seed(seed)
    network = BananaNTSCC()
    network.compressor.load_state_dict(compressor.state_dict())
    low, high = (float(torch.tensor(bound).log()) for bound in ETA)

    def loss(x: Tensor, generator: torch.Generator) -> Tensor:
        x = x.reshape(GROUPS, -1, 2)
        quality = torch.rand(GROUPS, 1, 1, generator=generator).expand(*x.shape[:2], 1)
        eta = torch.exp(low + (high - low) * torch.rand(GROUPS, 1, generator=generator))
        limits = torch.randint(1, 3, (GROUPS, 1), generator=generator)
        limits = torch.where(torch.rand(GROUPS, 1, generator=generator) < LIMITED, limits, RATES - 1)
        y, compressed, bits = network.compressor(x, quality, generator)
        received = network.transmit(y, network.rate(bits, eta, limits), quality, SNR_DB, generator)
        error = (received - x).square().sum(-1).mean(1)
        compression = (compressed - x).square().sum(-1) / multiplier(quality[..., 0]) + bits
        return (error + 1e-3).log().mean() + compression.mean()

    optimise(network, loss, steps, seed)
    return network


def train_banana(path: Path, compressor_steps: int = 2000, steps: int = 20000) -> None:
    """Trains the model that ships and writes it to ``path``."""
    network = train_ntscc(train_ntc(compressor_steps), steps)
    info = {"steps": f"{compressor_steps} + {steps}"}
    write_model(path, "banana", {}, network.state_dict(), info)


def train_deepjscc(values: int, steps: int, seed: int = 1) -> BananaDeepJSCC:
    """One of k real values a sample."""
    torch.manual_seed(seed)
    network = BananaDeepJSCC(values)
    optimise(network, lambda x, g: (network(x, SNR_DB, g) - x).square().sum(1).mean(), steps, seed)
    return network
