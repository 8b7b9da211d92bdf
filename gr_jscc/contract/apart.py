"""Another process, that is given a codec's name and what crossed the air, and nothing else."""

from __future__ import annotations

import functools
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gr_jscc.codecs.base import Codec, Payload
from gr_jscc.codecs.registry import load_codec
from gr_jscc.contract.check import BreachError, held
from gr_jscc.contract.crossing import estimates, on_threads, rounds_of
from gr_jscc.contract.crossing import reception as received

if TYPE_CHECKING:
    from gr_jscc.sweeps.cells import Cell
    from gr_jscc.sweeps.measurement import Measured

MOST_SECONDS = 300  # for one answer, with the time that networks take to load


@dataclass(frozen=True)
class Place:
    """How a codec is found: as after ``--codec``, ``--weights`` and ``--device``.

    Example:
        >>> Place("deepjscc")
        Place(name='deepjscc', weights='', device='cpu')
    """

    name: str
    weights: str = ""
    device: str = "cpu"


class Apart:
    """A process of its own, started when it is first asked; a context manager that ends it.

    Example:
        >>> with Apart() as apart:
        ...     apart.ask(abs, -3)
        3
    """

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin)

    def __enter__(self) -> Apart:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def ask(self, answer: Callable, *arguments: object) -> object:
        """What a function of this file returns there.

        Raises:
            BreachError: the codec cannot be loaded there, fails, ends the process, or gives no answer.
        """
        try:
            return self._pool.submit(answer, *arguments).result(MOST_SECONDS)
        except BrokenProcessPool as error:
            raise BreachError("the other process ended while the codec ran in it") from error
        except TooLate as error:
            for process in list(self._pool._processes.values()):
                process.kill()
            raise BreachError(f"the other process gave no answer within {MOST_SECONDS} s") from error


def _begin() -> None:
    """Leaves Ctrl-C to the program, which ends this process in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@functools.lru_cache
def _codec(place: Place) -> Codec:
    try:
        return load_codec(place.name, place.weights or None, place.device)
    except Exception as error:
        raise BreachError(f"it cannot be loaded in another process: {' '.join(str(error).split())}") from None


def _plain(answer: Callable) -> Callable:
    """An answer whose failures can be sent from one process to another."""

    @functools.wraps(answer)
    def answered(*arguments: object) -> object:
        try:
            return answer(*arguments)
        except BreachError as breach:
            raise BreachError(str(breach)) from None

    return answered


@_plain
def sent_by(place: Place, threads: int, image: np.ndarray, cbr: float) -> list[Payload]:
    """The rounds that a codec makes of uint8[H, W, 3], on so many of PyTorch's threads, without feedback."""
    codec = _codec(place)
    with held(codec, "encoding in another process"), on_threads(threads):
        return rounds_of(codec, image, cbr)


@_plain
def shown_by(
    place: Place, threads: int, rounds: Sequence[tuple[bytes, bytes]], height: int, width: int
) -> list[np.ndarray]:  # fmt: skip
    """The estimates uint8[H, W, 3] of rounds given as bytes, of symbols and of side information."""
    codec = _codec(place)
    receptions = [received(Payload(np.frombuffer(symbols, np.complex64), side)) for symbols, side in rounds]
    with held(codec, "decoding in another process"), on_threads(threads):
        return estimates(codec, receptions, height, width)


@_plain
def identity_of(place: Place) -> tuple[str, str, bytes]:
    """Name, name of the weights and their hash."""
    codec = _codec(place)
    with held(codec, "weights_name or weights_hash in another process"):
        return codec.name, codec.weights_name, codec.weights_hash


@_plain
def measured_by(cell: Cell, image: np.ndarray, device: str) -> Measured:
    """A sweep's cell as a worker measures it."""
    from gr_jscc.sweeps.measurement import measure  # here, as all but this does without and starts sooner
    from gr_jscc.sweeps.modes import send

    (measured,) = measure(functools.partial(send, device), [cell], [image])
    return measured
