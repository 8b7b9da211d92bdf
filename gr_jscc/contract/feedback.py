"""What a transmitter must bear: any feedback, and none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gr_jscc.codecs.base import Payload, Reception, channel_uses
from gr_jscc.contract.check import BreachError, held
from gr_jscc.contract.crossing import MOST_ROUNDS, lost, reception
from gr_jscc.contract.subject import Subject


def _garbage(one: Payload) -> Reception:
    rng = np.random.default_rng(len(one.symbols))
    symbols = (100 * rng.standard_normal((max(1, len(one.symbols)), 2))).astype(np.float32).view(np.complex64)[:, 0]
    return Reception(symbols, rng.exponential(10, len(symbols)).astype(np.float32), rng.bytes(9))


def _cut(one: Payload) -> Reception:
    whole = reception(one)
    half = len(one.symbols) // 2
    return Reception(whole.symbols[:half], whole.noise_var[:half], whole.side_info)


FEEDBACK: dict[str, Callable[[Payload], Reception | None]] = {
    "what arrived": reception,
    "none": lambda one: None,
    "a round of which nothing arrived": lost,
    "half a round": _cut,
    "garbage": _garbage,
}


def feedback(subject: Subject) -> str:
    """Whatever is fed back, a transmitter raises nothing, ends, and stays within the CBR."""
    most = channel_uses(subject.cbr, *subject.size)
    longest = 0
    for what, fed_back in FEEDBACK.items():
        with held(subject.codec, "encoding a photo"):
            transmitter = subject.codec.transmitter(subject.cbr)
            payload = transmitter.start(subject.image.copy())
        uses = rounds = 0
        while payload is not None:
            uses, rounds = uses + len(payload.symbols), rounds + 1
            if not np.isfinite(payload.symbols).all():
                raise BreachError(f"with {what} as feedback the symbols of round {rounds - 1} are not finite")
            if uses > most:
                raise BreachError(f"with {what} as feedback {uses} symbols are sent; the CBR allows {most}")
            if rounds > MOST_ROUNDS:
                raise BreachError(f"with {what} as feedback there are more than {MOST_ROUNDS} rounds")
            with held(subject.codec, f"next, with {what} as feedback"):
                payload = transmitter.next(fed_back(payload))
        longest = max(longest, rounds)
    return f"{len(FEEDBACK)} kinds, at most {longest} rounds"
