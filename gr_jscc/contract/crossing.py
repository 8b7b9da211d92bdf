"""Pictures from one half of a codec to the other, in the ways that checks compare."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from gr_jscc.codecs.base import Codec, Payload, Reception
from gr_jscc.contract.check import BreachError

NOISE_VAR = 0.1  # 10 dB
MOST_ROUNDS = 64  # of a picture, which is what the link numbers


def rounds_of(codec: Codec, image: np.ndarray, cbr: float) -> list[Payload]:
    """All rounds of uint8[H, W, 3] without feedback; the codec is given a copy of the picture.

    Raises:
        BreachError: they do not end.
    """
    transmitter = codec.transmitter(cbr)
    rounds = [transmitter.start(image.copy())]
    while (payload := transmitter.next(None)) is not None:
        rounds.append(payload)
        if len(rounds) > MOST_ROUNDS:
            raise BreachError(f"next(None) gives more than {MOST_ROUNDS} rounds")
    return rounds


def reception(payload: Payload, noise_var: float = NOISE_VAR) -> Reception:
    """A round behind white noise of a variance, always the same noise."""
    drawn = np.random.default_rng(1).standard_normal((len(payload.symbols), 2)) @ (1, 1j) * np.sqrt(noise_var / 2)
    variance = np.full(len(payload.symbols), noise_var, np.float32)
    return Reception(payload.symbols + drawn, variance, payload.side_info)


def lost(payload: Payload) -> Reception:
    """A round of which nothing arrived."""
    count = len(payload.symbols)
    return Reception(np.zeros(count, np.complex64), np.full(count, np.inf, np.float32), None)


def estimates(codec: Codec, receptions: Iterable[Reception], height: int, width: int) -> list[np.ndarray]:
    """What a new receiver shows after each of these rounds."""
    receiver = codec.receiver(height, width)
    return [np.array(receiver.push(one)) for one in receptions]


def same_rounds(ours: Sequence[Payload], others: Sequence[Payload], tolerance: float = 0.0) -> str:
    """How two lists of rounds differ, in a few words; empty where they do not.

    Args:
        ours, others: the rounds.
        tolerance: of each symbol; side information must be the same whatever that is.
    """
    if len(ours) != len(others):
        return f"{len(others)} rounds in place of {len(ours)}"
    for number, (one, other) in enumerate(zip(ours, others)):
        if one.side_info != other.side_info:
            return f"other side information in round {number}"
        if one.symbols.shape != other.symbols.shape:
            return f"{len(other.symbols)} symbols in place of {len(one.symbols)} in round {number}"
        apart = float(np.abs(one.symbols - other.symbols).max(initial=0))
        if apart > tolerance:
            return f"symbols of round {number} differ by up to {apart:.2g}"
    return ""


def same_pictures(ours: Sequence[np.ndarray], others: Sequence[np.ndarray], levels: int = 0) -> str:
    """How two lists of pictures differ by more than so many grey levels, in a few words; empty where they do not."""
    for number, (one, other) in enumerate(zip(ours, others, strict=True)):
        if one.shape != other.shape:
            return f"the picture after round {number} is {list(other.shape)} in place of {list(one.shape)}"
        apart = np.abs(one.astype(np.float64) - other)
        if apart.max(initial=0) > levels:
            where = f"at {np.mean(apart > levels):.1%} of its values by up to {apart.max():.0f} grey levels"
            return f"the picture after round {number} differs {where}"
    return ""


def threads() -> int:
    """Of PyTorch, here and now; 1 where it is not in use, as a codec need not have a network."""
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else 1


@contextlib.contextmanager
def on_threads(count: int) -> Iterator[None]:
    """So many of PyTorch's threads for a while, where it is in use."""
    torch, before = sys.modules.get("torch"), threads()
    if torch:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if torch:
            torch.set_num_threads(before)
