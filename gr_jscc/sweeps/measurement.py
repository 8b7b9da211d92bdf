"""What a worker does: sends a cell's picture and says what became of it, as a row of the store."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from gr_jscc import __version__
from gr_jscc.codecs.base import Codec
from gr_jscc.codecs.registry import load_codec
from gr_jscc.metrics.picture import lpips
from gr_jscc.reports.row import flattened
from gr_jscc.sweeps.cells import Cell
from gr_jscc.sweeps.store import Row

MODELS_KEPT = 16  # a process; experiments go through all schemes picture by picture


@dataclass(frozen=True)
class Measured:
    """What became of a cell.

    Attributes:
        row: for the store; its ``error`` is a line where the cell failed, and empty elsewhere.
        picture: uint8[H, W, 3] as received; None where nothing was.

    Example:
        >>> Measured({"key": "0123456789abcdef", "error": "a 1x1 picture is too small"}).picture is None
        True
    """

    row: Row
    picture: np.ndarray | None = None


Send = Callable[[Sequence[Cell], Sequence[np.ndarray]], "list[tuple[dict, np.ndarray | None]]"]


@lru_cache(MODELS_KEPT)
def kept_codec(name: str, weights: str, device: str) -> Codec:
    """`load_codec`, which stays loaded in this process."""
    return load_codec(name, weights or None, device)


def check_weights(cell: Cell, codec: Codec) -> None:
    """Makes sure that this machine's weights are those that the sweep was planned with.

    Raises:
        ValueError: they are not.
    """
    if codec.weights_hash.hex() != cell.weights_hash:
        raise ValueError(
            f"the weights here are not those where the sweep was started: {cell.codec} {codec.weights_name}"
        )


def measure(send: Send, cells: Sequence[Cell], pictures: Sequence[np.ndarray]) -> list[Measured]:
    """Sends pictures and makes rows; whatever goes wrong becomes rows with an error.

    Args:
        send: takes cells that differ in their picture only, and their pictures uint8[H, W, 3]; returns for each the
            report (see `gr_jscc.reports.report`) and what was received.
        cells, pictures: what to send.
    """
    try:
        found = send(cells, pictures)
        if len(found) != len(cells):
            raise ValueError(f"{len(found)} of {len(cells)} pictures came back")
        return [
            Measured(_row(cell, report, _lpips(original, received)), received)
            for cell, original, (report, received) in zip(cells, pictures, found)
        ]
    except Exception as error:
        return [failed(cell, error) for cell in cells]


def measure_task(
    send: Send, cells: Sequence[Cell], pictures: Sequence[np.ndarray], shown: Sequence[bool]
) -> list[Measured]:
    """`measure`, one cell after the other but for those between two hosts; only pictures that are shown come back."""
    if cells[0].mode == "two-hosts":
        found = measure(send, cells, pictures)
    else:
        found = [measure(send, [cell], [picture])[0] for cell, picture in zip(cells, pictures)]
    return [one if keep else replace(one, picture=None) for one, keep in zip(found, shown)]


def failed(cell: Cell, error: BaseException) -> Measured:
    """A cell that could not be measured."""
    reason = " ".join(str(error).split())[:300]
    return Measured(_row(cell, {}, None, f"{type(error).__name__}: {reason}"))


def _lpips(original: np.ndarray, received: np.ndarray | None) -> float | None:
    comparable = received is not None and received.shape == original.shape
    return lpips(original, received) if comparable else None


def _row(cell: Cell, report: dict, distance: float | None, error: str = "") -> Row:
    flat = flattened(report)
    flat.setdefault("weights", cell.weights)
    return {
        "key": cell.key,
        "error": error,
        "mode": cell.mode,
        "cbr": cell.cbr,
        "seed": cell.seed,
        "numerology": cell.numerology.description,
        "burst_symbols": cell.burst_symbols,
        "image_hash": cell.image_hash,
        "weights_hash": cell.weights_hash,
        **flat,
        # As the experiment says: the report's depend on the mode.
        "codec": cell.codec,
        "channel": cell.channel,
        "snr_db": cell.snr_db,
        "image.name": cell.image,
        "lpips": distance,
        "version": __version__,
        "measured": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }
