"""What a receiver must bear: damaged side information, losses, noise of any level, rounds in disorder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gr_jscc.codecs.base import Payload, Receiver, Reception
from gr_jscc.codecs.grey import grey_picture
from gr_jscc.contract.check import BreachError, held
from gr_jscc.contract.crossing import NOISE_VAR, lost, reception
from gr_jscc.contract.subject import Subject

MOST_PLACES = 24  # of side information that are damaged, one at a time


def side_information(subject: Subject) -> str:
    """With damaged or missing side information a receiver raises nothing and gives a picture."""
    rounds, tried = subject.rounds, 0
    numbers = {0, len(rounds) - 1}
    for number in sorted(numbers):
        for what, side in damaged(rounds[number].side_info):
            came = [reception(one) for one in rounds[: number + 1]]
            came[number] = Reception(came[number].symbols, came[number].noise_var, side)
            _push_all(subject, came, f"round {number} with side information {what}")
            tried += 1
    return f"{tried} ways"


def damaged(side: bytes) -> Iterator[tuple[str, bytes | None]]:
    """(What was done, the bytes) for everything that is done to side information."""
    yield "lost (None)", None
    yield "empty", b""
    places = sorted(set(np.linspace(0, len(side) - 1, MOST_PLACES).astype(int))) if side else []
    for place in places:
        for flipped in (0xFF, 0x01):
            one = bytes([side[place] ^ flipped])
            yield f"whose byte {place} of {len(side)} was flipped", side[:place] + one + side[place + 1 :]
    for length in sorted({1, 2, len(side) // 2, len(side) - 1} & set(range(1, len(side)))):
        yield f"cut to {length} of {len(side)} bytes", side[:length]
    yield "longer by a byte", side + b"\0"
    yield "all zero", bytes(len(side) or 4)
    rng = np.random.default_rng(1)
    for length in (len(side), len(side), 1, 7, 300):
        yield f"of {length} random bytes", rng.bytes(length)


def losses(subject: Subject) -> str:
    """Whatever is lost a receiver raises nothing; with nothing at all it shows grey and says so."""
    rounds, size = subject.rounds, subject.size
    receiver = subject.codec.receiver(*size)
    for number, one in enumerate(rounds):
        picture = _push(subject, receiver, lost(one), f"round {number} of which nothing arrived")
        if not np.array_equal(picture, grey_picture(*size)):
            raise BreachError(f"with nothing arrived the picture after round {number} is not the plain grey one")
        if not receiver.shows_grey:
            raise BreachError(f"with nothing arrived shows_grey is not set after round {number}")
    for one in rounds:
        _push(subject, receiver, reception(one), "a round that arrived after others that did not")
    tried = 0
    for what, came in received(rounds):
        receiver = _push_all(subject, came, what)
        if what.startswith("all of it") and receiver.shows_grey:
            raise BreachError(f"{what}: shows_grey is set")
        tried += 1
    return f"{tried} ways"


def received(rounds: Sequence[Payload]) -> Iterator[tuple[str, list[Reception]]]:
    """(What came, the receptions) for all that a channel may do to rounds."""
    honest = [reception(one) for one in rounds]
    rng = np.random.default_rng(1)
    yield "all of it", honest
    for level in (0.0, 1e-9, 1e-3, 1.0, 1e6):
        yield f"a noise variance of {level:g}", [_with(one, np.full(len(one.symbols), level)) for one in honest]
    for what, is_lost in (
        ("all symbols", lambda count: np.ones(count, bool)),
        ("every second symbol", lambda count: np.arange(count) % 2 == 0),
        ("the first half, a burst,", lambda count: np.arange(count) < count / 2),
        ("the last tenth, a burst,", lambda count: np.arange(count) >= 0.9 * count),
        ("all but one symbol", lambda count: np.arange(count) != count // 2),
        ("symbols at random", lambda count: rng.random(count) < 0.5),
    ):
        yield f"{what} lost", [_with(o, np.where(is_lost(len(o.symbols)), np.inf, NOISE_VAR)) for o in honest]
    for what, change in (
        ("none of its symbols", lambda symbols: symbols[:0]),
        ("a single symbol", lambda symbols: symbols[:1]),
        ("a symbol too few", lambda symbols: symbols[:-1]),
        ("a symbol too many", lambda symbols: np.append(symbols, np.complex64(1))),
        ("twice the symbols", lambda symbols: np.tile(symbols, 2)),
        ("symbols of amplitude 10 000", lambda symbols: symbols * 0 + 1e4),
        ("symbols that are all zero", lambda symbols: symbols * 0),
    ):
        yield f"{what}", [_filled(change(one.symbols), one.side_info) for one in honest]
    if len(rounds) > 1:
        nothing = [_with(one, np.full(len(one.symbols), np.inf)) for one in honest]
        yield "the first round lost", nothing[:1] + honest[1:]
        yield "the first round never seen", honest[1:]
        yield "the last round lost", honest[:-1] + nothing[-1:]
        yield "the rounds in reverse", honest[::-1]
    yield "each round twice", [one for one in honest for _ in range(2)]


def _with(one: Reception, noise_var: np.ndarray) -> Reception:
    return Reception(one.symbols, noise_var.astype(np.float32), one.side_info)


def _filled(symbols: np.ndarray, side: bytes | None) -> Reception:
    return Reception(symbols.astype(np.complex64), np.full(len(symbols), NOISE_VAR, np.float32), side)


def _push_all(subject: Subject, receptions: Sequence[Reception], what: str) -> Receiver:
    with held(subject.codec, f"receiver{subject.size}"):
        receiver = subject.codec.receiver(*subject.size)
    for one in receptions:
        _push(subject, receiver, one, what)
    return receiver


def _push(subject: Subject, receiver: Receiver, one: Reception, what: str) -> np.ndarray:
    """The picture after a push, which is one, and grey where it says so."""
    with held(subject.codec, f"push of {what}"):
        picture = receiver.push(one)
    height, width = subject.size
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8 or picture.shape != (height, width, 3):
        kind = f"{picture.dtype}{list(picture.shape)}" if isinstance(picture, np.ndarray) else type(picture).__name__
        raise BreachError(f"{what}: the picture is {kind}, not uint8[{height}, {width}, 3]")
    if receiver.shows_grey and not np.array_equal(picture, grey_picture(height, width)):
        raise BreachError(f"{what}: shows_grey is set, and the picture is not grey")
    return picture
