"""What a codec's halves cost."""

from __future__ import annotations

import math
import time

import numpy as np

from gr_jscc.benchmarks.codec import codec_overhead
from gr_jscc.codecs.base import Codec, CodecError
from gr_jscc.contract import pictures
from gr_jscc.contract.check import BreachError, SkippedError, held
from gr_jscc.contract.crossing import estimates, reception, rounds_of
from gr_jscc.contract.subject import Subject

SIDE = 256  # pixels
MOST_RATIO = 2.0  # of both halves to the bare network; gr-jscc bench codec has the stricter bars
REPEATS = 3
ATTEMPTS = 4


def speed(subject: Subject) -> str:
    """Its halves take at most twice what the bare passes of its network take, where those are known."""
    codec = subject.codec
    image: np.ndarray = pictures.photo(SIDE, SIDE).copy()
    with held(codec, f"a photo of {SIDE}x{SIDE}"):
        try:
            codec.check_picture(image, subject.cbr)
        except CodecError:
            image = subject.image.copy()
        times = [time.perf_counter()]
        receptions = [reception(one) for one in rounds_of(codec, image, subject.cbr)]
        times.append(time.perf_counter())
        estimates(codec, receptions, *image.shape[:2])
        times.append(time.perf_counter())
        encode, decode = np.diff(times)
        told = f"{image.shape[1]}x{image.shape[0]}: {encode:.2f} s to encode, {decode:.2f} s to decode"
        ratio = _ratio(codec, image, subject.cbr)
        if ratio is None:
            network = "its bare network's passes are not known" if hasattr(codec, "network") else "it has no network"
            raise SkippedError(f"{network}; {told}")
    if ratio > MOST_RATIO:
        raise BreachError(f"{ratio:.2f} times the bare network's passes; {told}")
    return f"{ratio:.2f} times the bare network's passes; {told}"


def _ratio(codec: Codec, image: np.ndarray, cbr: float) -> float | None:
    """Least ratio of some measurements, up to the first that holds: a neighbour's load for a moment is no breach."""
    least = math.inf
    for _ in range(ATTEMPTS):
        overhead = codec_overhead(codec, image, cbr, REPEATS)
        if overhead is None:
            return None
        least = min(least, overhead[0])
        if least <= MOST_RATIO:
            break
    return least
