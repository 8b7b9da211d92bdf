"""The channel that papers simulate, in place of the whole OFDM link.

Symbols get white Gaussian noise of variance 1/snr per complex symbol; the receiver is told the truth
about it, side information arrives without error, and what arrived comes back without noise.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from gr_jscc.channel.noise import noise
from gr_jscc.codecs.base import Codec, Insight, Payload, Receiver, Reception
from gr_jscc.link.interleaver import deinterleave
from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY, Numerology


@dataclass(frozen=True)
class IdealRound:
    """A round that crossed.

    Attributes:
        payload: as it was sent.
        picture: uint8[H, W, 3], the estimate after it; None where nobody looked.
        insight: of the receiving half, after it.
        shows_grey: whether the picture is the plain grey one, as nothing was usable.
        encode_seconds, decode_seconds: the two halves took.
        finished: `time.monotonic` when the estimate was there.

    Example:
        >>> from gr_jscc.codecs.separation.codec import Separation
        >>> codec, image = Separation("jpeg:ldpc-2/3:16qam"), np.full((64, 96, 3), 90, np.uint8)
        >>> flat, rng = np.ones(1, np.complex64), np.random.default_rng(1)
        >>> (crossed,) = ideal_transfer(codec, image, cbr=1 / 6, snr_db=20.0, taps=flat, rng=rng)
        >>> crossed.picture.shape, crossed.shows_grey
        ((64, 96, 3), False)
    """

    payload: Payload
    picture: np.ndarray | None
    insight: Insight | None
    shows_grey: bool
    encode_seconds: float
    decode_seconds: float
    finished: float


def ideal_transfer(
    codec: Codec, image: np.ndarray, cbr: float, snr_db: float, taps: np.ndarray, rng: np.random.Generator,
    told: bool = True, every_round: bool = False,
) -> list[IdealRound]:  # fmt: skip
    """A picture from one half of a codec to the other, round by round.

    Args:
        codec: whose halves.
        image: uint8[H, W, 3].
        cbr: asked of the transmitter.
        snr_db, taps, rng: see `ideal_reception`.
        told: whether a codec that uses feedback gets it.
        every_round: whether to look at the estimates before the last.

    Raises:
        CodecError: the codec cannot send it.
    """
    transmitter, receiver = codec.transmitter(cbr), codec.receiver(*image.shape[:2])
    rounds: list[IdealRound] = []
    before = time.monotonic()
    payload = transmitter.start(image)
    while payload is not None:
        encoded = time.monotonic()
        reception = ideal_reception(payload, snr_db, taps, rng)
        received = time.monotonic()
        receiver.hear(reception)
        picture = receiver.show() if every_round else None
        finished = time.monotonic()
        seconds = encoded - before, finished - received
        rounds.append(IdealRound(payload, picture, receiver.insight, receiver.shows_grey, *seconds, finished))
        before = finished
        payload = transmitter.next(reception if told and codec.uses_feedback else None)
    return rounds if every_round else [*rounds[:-1], _shown(rounds[-1], receiver)]


def _shown(last: IdealRound, receiver: Receiver) -> IdealRound:
    """The last round with the picture after it."""
    before = time.monotonic()
    picture, finished = receiver.show(), time.monotonic()
    seconds = last.decode_seconds + finished - before
    return replace(last, picture=picture, shows_grey=receiver.shows_grey, decode_seconds=seconds, finished=finished)


def ideal_reception(
    payload: Payload,
    snr_db: float,
    taps: np.ndarray,
    rng: np.random.Generator,
    numerology: Numerology = DEFAULT_NUMEROLOGY,
) -> Reception:
    """One round over parallel Gaussian channels: the data subcarriers, perfectly known and equalised.

    Args:
        payload: the round.
        snr_db: Es/N0 in dB for a power gain of 1.
        taps: complex64[n], impulse response of the channel.
        rng: of the noise.
        numerology: says which subcarriers carry data.
    """
    response = np.fft.fft(taps, numerology.fft_size)[numerology.data_bins]
    count = len(payload.symbols)
    gain = deinterleave(np.resize(np.abs(response) ** 2, count))
    variance = (10 ** (-snr_db / 10) / np.maximum(gain, 1e-6)).astype(np.float32)
    return Reception(payload.symbols + noise((count,), variance, rng), variance, payload.side_info)
