"""What a recording heard of each burst, as a file that training replays."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gr_jscc.files.whole import whole
from gr_jscc.training.recipe import RecipeError

STEPS = 50  # moments of a burst: the OFDM symbols of the largest that the link sends


@dataclass(frozen=True)
class HeardAir:
    """Bursts in the order of the air, with those between them that never arrived.

    Attributes:
        carriers: float32[n, data carriers], noise variance of equalised symbols, ``inf`` for a burst that was lost.
        moments: float32[n, STEPS], how many times that it is at each moment of the burst; ``inf`` where samples are
            missing.

    Example:
        >>> import tempfile
        >>> carriers = torch.tensor([0.1, 0.2, torch.inf])[:, None].expand(3, 48)
        >>> heard = HeardAir(carriers, torch.ones(3, STEPS))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     heard.save(Path(folder, "channel.npz"))
        ...     again = load_heard(Path(folder, "channel.npz"))
        >>> len(again), again.lost
        (3, 1)
    """

    carriers: Tensor
    moments: Tensor

    def __len__(self) -> int:
        return len(self.carriers)

    @property
    def lost(self) -> int:
        """How many bursts never arrived."""
        return int(torch.isinf(self.carriers[:, 0]).sum())

    @property
    def snr_db(self) -> Tensor:
        """float32[bursts that arrived]: 1 over the mean noise variance of each, dB."""
        arrived = self.carriers[torch.isfinite(self.carriers[:, 0])]
        return -10 * arrived.mean(1).log10()

    def save(self, path: Path) -> None:
        """Writes a NumPy archive.

        Raises:
            OSError: it cannot be written.
        """
        with whole(path) as part, part.open("wb") as file:
            np.savez(file, carriers=self.carriers.numpy(), moments=self.moments.numpy())


def load_heard(path: Path) -> HeardAir:
    """What `HeardAir.save` wrote.

    Raises:
        RecipeError: there is no such file, or it holds something else.
    """
    damaged = f"channel: {path} does not hold what a recording heard"
    try:
        with np.load(path, allow_pickle=False) as file:
            carriers, moments = (torch.from_numpy(file[name].astype(np.float32)) for name in ("carriers", "moments"))
    except FileNotFoundError as error:
        raise RecipeError(f'channel must be "ideal", "link" or a file of what a recording heard, not {path}') from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RecipeError(damaged) from error
    shapes = carriers.ndim == 2 and carriers.numel() and moments.shape == (len(carriers), STEPS)
    if not shapes or not (carriers > 0).all() or not (moments > 0).all() or not torch.isfinite(carriers).any():
        raise RecipeError(damaged)
    return HeardAir(carriers, moments)
