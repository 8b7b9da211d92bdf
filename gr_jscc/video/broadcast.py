"""One transmission, any number of receivers: nobody answers, and each makes of it what its own channel allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from gr_jscc.channel import Scenario
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.plots import plain, save_figure
from gr_jscc.video.passage import FrameSender, Viewer, shortest_slot


@dataclass(frozen=True)
class Heard:
    """What one receiver makes of a picture.

    Attributes:
        image: uint8[H, W, 3]; grey where nothing could be decoded.
        psnr_db: of it; None where nothing could.

    Example:
        >>> Heard(np.full((64, 96, 3), 128, np.uint8), psnr_db=None).image.shape
        (64, 96, 3)
    """

    image: np.ndarray
    psnr_db: float | None


@dataclass(frozen=True)
class Broadcast:
    """A picture that a codec sent once.

    Attributes:
        name: of the codec.
        total: complex symbols charged: payload, side information and headers.
        heard: by each receiver.

    Example:
        >>> grey = np.full((64, 96, 3), 128, np.uint8)
        >>> len(Broadcast("deepjscc", total=2_000, heard=(Heard(grey, 25.0), Heard(grey, 31.0))).heard)
        2
    """

    name: str
    total: int
    heard: tuple[Heard, ...]


def broadcast(
    image: np.ndarray,
    sender: FrameSender,
    snrs_db: Sequence[float],
    seed: int = 1,
    settings: LinkSettings | None = None,
) -> Broadcast:
    """Sends a picture once to receivers at several SNRs.

    Args:
        image: uint8[H, W, 3].
        sender: of whatever codec.
        snrs_db: Es/N0 of each receiver.
        seed: of the first one's noise; each has its own.
        settings: the sender's.

    Raises:
        CodecError: the codec cannot send it.
    """
    sent, size = sender.send(0, image), image.shape[:2]
    heard = []
    for number, snr_db in enumerate(snrs_db):
        viewer = Viewer(sender.codec, Scenario({"awgn": {"snr_db": snr_db}}, seed=seed + number), settings)
        shown = viewer.receive(sent, shortest_slot(sent), size)
        heard.append(Heard(viewer.image, psnr_db(image, viewer.image) if shown else None))
    return Broadcast(sender.codec.name, sent.uses.total, tuple(heard))


def draw_broadcasts(path: Path, image: np.ndarray, snrs_db: Sequence[float], sent: Sequence[Broadcast]) -> None:
    """Draws what each receiver sees: a row a codec, a column a receiver.

    Args:
        path: the picture to write, PNG or WebP.
        image: as it was sent, uint8[H, W, 3].
        snrs_db: of the receivers.
        sent: by each codec.

    Raises:
        UserError: it cannot be written.
    """
    height, width = image.shape[:2]
    figure = Figure(figsize=(3.2 * len(snrs_db) + 0.3, (3.2 * height / width + 0.3) * len(sent) + 0.3))
    figure.set_layout_engine("constrained")
    for row, (axes_row, each) in enumerate(zip(figure.subplots(len(sent), len(snrs_db), squeeze=False), sent)):
        for axes, snr_db, heard in zip(axes_row, snrs_db, each.heard):
            axes.imshow(heard.image)
            axes.set(xticks=[], yticks=[])
            quality = "not received" if heard.psnr_db is None else f"{heard.psnr_db:.1f} dB"
            axes.set_xlabel(f"PSNR {quality}" if heard.psnr_db is not None else quality, fontsize=9)
            if row == 0:
                axes.set_title(f"receiver at {snr_db:g} dB", fontsize=10)
        axes_row[0].set_ylabel(plain(f"{each.name}, CBR {each.total / image.size:.3f}"), fontsize=9)
    save_figure(figure, path)
