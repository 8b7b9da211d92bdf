"""What a transmitter hands over: symbols of power 1 within the CBR, and what the link can carry."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gr_jscc.codecs.base import Codec, CodecError, Payload, channel_uses
from gr_jscc.contract import pictures
from gr_jscc.contract.check import BreachError, SkippedError, held
from gr_jscc.contract.crossing import rounds_of
from gr_jscc.contract.subject import Subject
from gr_jscc.link.bursts import ROUNDS, round_bursts, settings_of

POWER_TOLERANCE = 1e-3
MOST_POINTS = 1024  # of a constellation
SIGMAS = 5  # by which the mean power of a constellation's symbols may miss 1 by chance
ODD_SIZES = 100


def power(subject: Subject) -> str:
    """Symbols are finite and of mean power 1, side information is bytes."""
    rounds: list[tuple[str, Payload]] = []
    for kind, image in pictures.kinds(*subject.size).items():
        try:
            subject.codec.check_picture(image.copy(), subject.cbr)
        except CodecError:
            continue  # noise takes more bytes than a photo
        with held(subject.codec, f"encoding {kind}"):
            made = rounds_of(subject.codec, image, subject.cbr)
        rounds += [(f"{kind}, round {number}", one) for number, one in enumerate(made)]
    for where, one in rounds:
        if type(one.side_info) is not bytes:
            raise BreachError(f"{where}: side_info is {type(one.side_info).__name__}, not bytes")
        if not np.isfinite(one.symbols).all():
            raise BreachError(f"{where}: {np.count_nonzero(~np.isfinite(one.symbols))} symbols are not finite")
    if points := _constellation([one for _, one in rounds]):
        return _average_power([one for _, one in rounds], points)
    for where, one in rounds:
        mean = float(np.mean(np.abs(one.symbols.astype(np.complex128)) ** 2)) if len(one.symbols) else 0.0
        if mean and abs(mean - 1) > POWER_TOLERANCE:
            raise BreachError(f"{where}: mean power {mean:.4g}")
    return f"{len(rounds)} rounds"


def _constellation(rounds: list[Payload]) -> int:
    """How many points the symbols of all rounds take, each several times; 0 where these are analog values."""
    symbols = np.concatenate([one.symbols for one in rounds])
    points = len(np.unique(symbols.round(4)))
    return points if points <= min(MOST_POINTS, len(symbols) / 4) else 0


def _average_power(rounds: list[Payload], points: int) -> str:
    powers = np.abs(np.concatenate([one.symbols for one in rounds])).astype(np.float64) ** 2
    mean, chance = powers.mean(), SIGMAS * powers.std() / np.sqrt(len(powers))
    if mean and abs(mean - 1) > POWER_TOLERANCE + chance:
        raise BreachError(f"mean power {mean:.4g} of {len(powers)} symbols of a constellation of {points} points")
    return f"on average over {len(powers)} symbols, a constellation of {points} points"


def bound(subject: Subject) -> str:
    """Never more symbols than the CBR allows, and sizes that cannot be sent are refused beforehand."""
    codec, sent, fullest = subject.codec, 0, 0.0
    for number, (height, width) in enumerate(pictures.odd_sizes(ODD_SIZES)):
        cbr = subject.cbrs[number % len(subject.cbrs)]
        at = f"{width}x{height} at CBR {cbr:.4g}"
        image = pictures.photo(height, width, number)
        size, _ = _asked(codec, at, codec.check_size, height, width, cbr)
        picture, _ = _asked(codec, at, codec.check_picture, image.copy(), cbr)
        start, rounds = _asked(codec, at, rounds_of, codec, image, cbr)
        if size and not picture:
            raise BreachError(f"{at}: check_size refuses it, check_picture does not")
        if picture and not start:
            raise BreachError(f"{at}: {'check_size' if size else 'check_picture'} refuses it, and it can be sent")
        if start and not picture:
            raise BreachError(f"{at}: check_size and check_picture let it pass, start refuses it: {start}")
        if start:
            continue
        uses, most = sum(len(one.symbols) for one in rounds), channel_uses(cbr, height, width)
        if uses > most:
            raise BreachError(f"{at}: {uses} symbols, {uses - most} more than the {most} that this allows")
        sent, fullest = sent + 1, max(fullest, uses / most)
    if not sent:
        raise SkippedError(f"it refuses all of {ODD_SIZES} sizes up to 95x95")
    return f"{ODD_SIZES} sizes, {ODD_SIZES - sent} of them refused; at most {fullest:.0%} of what is allowed"


def _asked(codec: Codec, at: str, ask: Callable, *arguments: object) -> tuple[str, object]:
    """What the `CodecError` says by which something is refused, empty where it is not, and what it returns else."""
    with held(codec, at):
        try:
            return "", ask(*arguments)
        except CodecError as error:
            return str(error) or "without a word", None


def unserved(subject: Subject) -> str:
    """A CBR that is not served is refused by `CodecError`, when the transmitter is asked for."""
    codec, (lowest, highest) = subject.codec, subject.codec.cbr_range
    for cbr in (0.0, -1.0, float("nan"), highest * 1.5, lowest / 1.5):
        with held(codec, f"transmitter({cbr:.4g}), which it does not serve"):
            try:
                codec.transmitter(cbr)
            except CodecError:
                continue
        raise BreachError(f"transmitter({cbr:.4g}) is not refused; cbr_range is {lowest:.4g} to {highest:.4g}")
    return f"serves {lowest:.4g} to {highest:.4g}"


def carried(subject: Subject) -> str:
    """The link can carry its rounds."""
    if subject.codec.ideal_only:
        raise SkippedError("a bound that no air carries")
    if len(subject.rounds) > ROUNDS:
        raise BreachError(f"{len(subject.rounds)} rounds; the link numbers {ROUNDS}")
    bursts = []
    for number, one in enumerate(subject.rounds):
        with held(subject.codec, f"round {number} of a {subject.size[1]}x{subject.size[0]} picture on the link"):
            settings = settings_of(subject.codec)
            bursts += round_bursts(one, *subject.size, subject.codec.weights_hash, 0, number, settings)
    side = sum(len(one.side_info) for one in subject.rounds)
    return f"{len(subject.rounds)} rounds, {side} bytes of side information, {len(bursts)} bursts"
