"""Turns a round of a codec into the bursts that carry it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gr_jscc.codecs.base import Codec, Payload
from gr_jscc.errors import UserError
from gr_jscc.link.interleaver import interleave
from gr_jscc.link.manifest import Manifest
from gr_jscc.link.session import Session
from gr_jscc.modem.digital import encode_digital, max_digital_bytes
from gr_jscc.modem.digital_thresholds import best_mcs
from gr_jscc.modem.header import HEADER_SYMBOLS, MAX_BURSTS, MAX_ROUND, MAX_SYMBOLS, BurstHeader, BurstKind
from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY, Numerology

ROUNDS = MAX_ROUND + 1
MARGIN_DB = 1.0  # below an SNR that was measured, for what it does not tell: fades, an estimate's error


class LinkError(UserError):
    """A round that the link cannot carry; the message is one line for a person.

    Example:
        >>> LinkSettings(burst_symbols=0)
        Traceback (most recent call last):
            ...
        gr_jscc.link.bursts.LinkError: burst_symbols must be 1 to 16384, not 0
    """


@dataclass(frozen=True)
class LinkSettings:
    """How rounds become bursts, and those samples; of all this the receiver needs the numerology only.

    Attributes:
        burst_symbols: most analog symbols of one burst.
        mcs: modulation and coding of the digital bursts; None: as the codec asks, else the most robust.
        manifest_copies: how often the manifest and side information are sent; one suffices. None: as the codec asks,
            else see `copies`.
        control_snr_db: Es/N0 at the receiver, where it is known: manifests and side information are then sent once, by
            the scheme that takes the fewest symbols and loses at most 1 % of them at `MARGIN_DB` below. None: as
            ``mcs`` and ``manifest_copies`` say.
        manifest_seconds: of a stream whose receivers know it for one: for so long a manifest stands for the pictures
            that follow, as far as the codec can have it hold for them. 0: each picture has its own.
        refresh: of a stream, frames from one that needs no other to the next, at most; of no account to most codecs.
        session: the sender's.
        numerology: the modulator's, which says what headers cost; the demodulator must have the same.

    Example:
        >>> LinkSettings(burst_symbols=1200, manifest_copies=3).burst_symbols
        1200
    """

    burst_symbols: int = 2400
    mcs: int | None = None
    manifest_copies: int | None = None
    control_snr_db: float | None = None
    manifest_seconds: float = 0.0
    refresh: int = 10
    session: Session = Session()
    numerology: Numerology = DEFAULT_NUMEROLOGY

    def __post_init__(self) -> None:
        if not 1 <= self.burst_symbols <= MAX_SYMBOLS:
            raise LinkError(f"burst_symbols must be 1 to {MAX_SYMBOLS}, not {self.burst_symbols}")
        if self.manifest_copies is not None and not 1 <= self.manifest_copies <= 64:
            raise LinkError(f"manifest_copies must be 1 to 64, not {self.manifest_copies}")

    def scheme(self, length: int) -> int:
        """The modulation and coding of so many bytes, a number in `gr_jscc.modem.digital.MCS`."""
        if self.control_snr_db is not None:
            return best_mcs(self.control_snr_db - MARGIN_DB, length)
        return self.mcs or 0

    def copies(self, analog: list[Burst], control: list[Burst]) -> int:
        """How often the manifest is sent, in the ``control`` bursts each time, among the analog ones.

        Unless told: at least three copies and at most ten; one control burst to five analog ones, and of a few long
        analog ones up to six copies while they take a twentieth of their symbols. With six copies one picture in 400 is
        lost where an interferer hits 30 % of the air, of three it was one in 25; with eight (a 768x512 picture at CBR
        1/12 in short bursts) one in 256 when half of all bursts are lost.
        """
        if self.control_snr_db is not None:
            return 1
        if self.manifest_copies is not None:
            return self.manifest_copies
        symbols = sum(burst.header.symbols for burst in analog)
        each = sum(burst.header.symbols + HEADER_SYMBOLS for burst in control)
        return min(max(round(len(analog) / (5 * len(control))), min(symbols // (20 * each), 6), 3), 10)


def settings_of(codec: Codec, asked: LinkSettings | None = None) -> LinkSettings:
    """Settings in which what nobody asked for is as a codec wants its side information to be carried."""
    asked = asked or LinkSettings()
    return replace(
        asked,
        mcs=codec.side_info_mcs if asked.mcs is None else asked.mcs,
        manifest_copies=codec.side_info_copies if asked.manifest_copies is None else asked.manifest_copies,
    )


@dataclass(frozen=True)
class Burst:
    """What the modulator is given: a header and complex64[header.symbols] of power about 1.

    Example:
        >>> bursts = analog_bursts(np.ones(5000, np.complex64), transfer=7, round_=0, settings=LinkSettings())
        >>> [burst.header.symbols for burst in bursts]
        [1667, 1667, 1666]
    """

    header: BurstHeader
    symbols: np.ndarray


def burst_size(count: int, bursts: int) -> int:
    """Symbols of all but the last of so many bursts that share ``count`` symbols."""
    return -(-count // bursts)


def analog_bursts(symbols: np.ndarray, transfer: int, round_: int, settings: LinkSettings) -> list[Burst]:
    """Interleaves complex64[k] and cuts it into bursts of equal size (the last may be smaller).

    Raises:
        LinkError: more bursts than a header can number.
    """
    if not len(symbols):
        return []
    size = burst_size(len(symbols), -(-len(symbols) // settings.burst_symbols))
    count = -(-len(symbols) // size)
    if count > MAX_BURSTS:
        raise LinkError(f"{len(symbols)} symbols need {count} bursts; the maximum is {MAX_BURSTS}")
    spread = interleave(symbols)
    cuts = [spread[i * size : (i + 1) * size] for i in range(count)]
    return [
        Burst(BurstHeader(BurstKind.ANALOG, transfer, round_, i, count, len(cut)), cut) for i, cut in enumerate(cuts)
    ]


def digital_bursts(data: bytes, transfer: int, round_: int, settings: LinkSettings) -> list[Burst]:
    """Cuts bytes into coded bursts.

    Raises:
        LinkError: more bursts than a header can number.
    """
    mcs = settings.scheme(len(data))
    room = max_digital_bytes(mcs, settings.burst_symbols)
    parts = [data[i : i + room] for i in range(0, len(data), room)]
    if len(parts) > MAX_BURSTS:
        raise LinkError(f"{len(data)} bytes need {len(parts)} bursts; the maximum is {MAX_BURSTS}")
    bursts = []
    for i, part in enumerate(parts):
        symbols = encode_digital(part, mcs)
        header = BurstHeader(BurstKind.DIGITAL, transfer, round_, i, len(parts), len(symbols), mcs)
        bursts.append(Burst(header, symbols))
    return bursts


def manifest_of(payload: Payload, height: int, width: int, weights_hash: bytes, session: Session) -> Manifest:
    """What a receiver must be told of a codec's round.

    Raises:
        LinkError: a picture too large to be described.
    """
    if not 0 < height < 65536 or not 0 < width < 65536:
        raise LinkError(f"a {width}x{height} picture cannot be described: the maximum is 65535 pixels a side")
    return Manifest(weights_hash, height, width, len(payload.symbols), payload.side_info, session.rest)


def round_bursts(
    payload: Payload,
    height: int,
    width: int,
    weights_hash: bytes,
    transfer: int,
    round_: int = 0,
    settings: LinkSettings | None = None,
) -> list[Burst]:
    """All bursts of one round in the order of sending.

    The copies of the manifest are spread over the round: first, between the analog bursts, and, from
    two copies on, last; a fade or an interferer rarely hits all.

    Args:
        payload: the codec's round.
        height, width: of the picture.
        weights_hash: of the codec in use.
        transfer: number of the transfer, see `Session.transfer`.
        round_: number of the round.
        settings: defaults when None.

    Raises:
        LinkError: too large for the header's fields.
    """
    settings = settings or LinkSettings()
    manifest = manifest_of(payload, height, width, weights_hash, settings.session)
    control = digital_bursts(manifest.sealed(settings.session, transfer, round_), transfer, round_, settings)
    analog = analog_bursts(payload.symbols, transfer, round_, settings)
    copies = settings.copies(analog, control)
    gaps = max(1, copies - 1)
    bursts: list[Burst] = []
    done = 0
    for copy in range(copies):
        until = round(copy * len(analog) / gaps)
        bursts += analog[done:until] + control
        done = max(done, until)
    return bursts + analog[done:]
