"""NTSCC's perceptual distortion, equation 29 of the paper: squared error, LPIPS and a conditional GAN.

    d = β_M ‖x − x̂‖² + β_L LPIPS(x, x̂) − β_D log D(x̂, ỹ)

The discriminator D learns beside the network, by an optimiser of its own, to tell x from x̂ given the latents ỹ.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gr_jscc.metrics.lpips import lpips_network, missing_for_lpips
from gr_jscc.training.checkpoint import optimiser_tensors, restore_optimiser
from gr_jscc.training.ntscc_discriminator import Discriminator
from gr_jscc.training.recipe import RecipeError

LEARNING_RATE = 1e-4  # of the discriminator: HiFiC's
CLIP = 1.0
PREFIX = "adversary"  # of its groups in checkpoints


class PerceptualDistortion:
    """Judges decoded pictures by equation 29, and trains the discriminator on those that it judged.

    Under ``torchrun`` every process has one; their gradients are averaged, so that all stay the same.

    Args:
        latents: C of the network.
        betas: β_M (for values in [0, 1]), β_L and β_D.
        device: of the pictures.

    Raises:
        RecipeError: this machine cannot compute LPIPS; the message says what is missing.

    Example:
        >>> there = not missing_for_lpips()
        >>> judge = PerceptualDistortion(latents=6, betas=(152.4, 1.0, 0.15), device="cpu") if there else None
        >>> judge is None or judge.figures() == {}  # it has judged nothing yet
        True
    """

    def __init__(self, latents: int, betas: tuple[float, float, float], device: torch.device | str) -> None:
        if missing := missing_for_lpips():
            raise RecipeError(f"the perceptual distortion needs LPIPS: {missing}")
        self.betas = betas
        self.lpips = copy.deepcopy(lpips_network()).to(device).requires_grad_(False)
        self.network = Discriminator(latents).to(device)
        self.optimiser = torch.optim.Adam(self.network.parameters(), LEARNING_RATE)
        self._names = [name for name, _ in self.network.named_parameters()]
        self._judged: tuple[Tensor, Tensor, Tensor] | None = None  # source, decoded, latents
        self._losses: list[float] = []

    def __call__(self, pictures: Tensor, images: Tensor, latents: Tensor) -> Tensor:
        """The distortion float32[B], over β_M: on the scale of a mean squared error of values in [0, 1].

        Args:
            pictures: decoded, float32[B, 3, H, W]; may lie outside [0, 1].
            images: the source, float32[B, 3, H, W] in [0, 1].
            latents: ỹ, float32[B, C, h, w] of unit variance. No gradient flows into them.
        """
        squared, similarity, adversarial = self.betas
        latents = latents.detach().float()
        with torch.autocast(images.device.type, enabled=False):
            pictures = pictures.float()
            self._judged = images, pictures.detach(), latents
            error = (pictures - images).square().mean((1, 2, 3))
            distance = self.lpips(2 * pictures - 1, 2 * images - 1)
        self.network.requires_grad_(False)  # this is the other network's turn
        doubt = F.softplus(-self.network(pictures, latents).float()).mean((1, 2, 3))
        self.network.requires_grad_(True)
        return error + (similarity * distance + adversarial * doubt) / squared

    def step(self) -> bool:
        """Trains the discriminator on what was judged last; False where its gradient was not finite and it stays.

        Its loss is −log D(x, ỹ) − log(1 − D(x̂, ỹ)).
        """
        images, pictures, latents = self._judged
        verdict = self.network(torch.cat([images, pictures]), torch.cat([latents, latents])).float()
        true, decoded = verdict.chunk(2)
        loss = F.softplus(-true).mean() + F.softplus(decoded).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            for parameter in self.network.parameters():
                torch.distributed.all_reduce(parameter.grad)
                parameter.grad /= torch.distributed.get_world_size()
        finite = bool(torch.isfinite(nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)))
        if finite:
            self.optimiser.step()
            self._losses.append(float(loss.detach()))
        return finite

    def figures(self) -> dict[str, float]:
        """The discriminator's mean loss since the last call; 2 log 2 = 1.386 is that of one that knows nothing."""
        losses, self._losses = self._losses, []
        return {"adversary_loss": sum(losses) / len(losses)} if losses else {}

    def groups(self) -> dict[str, dict[str, Tensor]]:
        """For `save_checkpoint`."""
        moments = optimiser_tensors(self.optimiser, self._names)
        named = {f"{PREFIX}_{moment}": tensors for moment, tensors in moments.items()}
        return {PREFIX: self.network.state_dict(), **named}

    def restore(self, groups: dict[str, dict[str, Tensor]], step: int) -> None:
        """Puts back what `groups` took; steps done are Adam's."""
        self.network.load_state_dict(groups[PREFIX])
        moments = {moment: groups[f"{PREFIX}_{moment}"] for moment in ("exp_avg", "exp_avg_sq")}
        restore_optimiser(self.optimiser, self._names, moments, step)
