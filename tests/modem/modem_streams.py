"""What the modem's tests share: bursts through simple channels, seeded."""

from dataclasses import dataclass

import numpy as np

from gr_jscc.modem import (
    DEFAULT_NUMEROLOGY,
    BurstHeader,
    BurstKind,
    Numerology,
    StreamDemodulator,
    header_ofdm_symbols,
    modulate,
    payload_ofdm_symbols,
)
from gr_jscc.modem.layout import data_places


def gaussian(rng: np.random.Generator, count: int) -> np.ndarray:
    """Complex Gaussian values of power 1: complex64[count]."""
    return ((rng.normal(size=count) + 1j * rng.normal(size=count)) * np.sqrt(0.5)).astype(np.complex64)


@dataclass
class Sent:
    """A burst in a stream: where it begins, what it carried, its offset and its channel's taps."""

    header: BurstHeader
    start: int
    symbols: np.ndarray
    cfo: float
    taps: np.ndarray | None


def make_stream(
    rng,
    bursts: int,
    snr_db: float | None,
    numerology: Numerology = DEFAULT_NUMEROLOGY,
    symbols: int = 2400,
    cfo: float = 0.5,
    gap: int = 300,
    taps=None,
) -> tuple[np.ndarray, list[Sent]]:
    """Bursts with random gaps up to `gap` samples, phases and offsets up to `cfo` subcarriers, in white noise."""
    parts, sent, position = [], [], 0
    for number in range(bursts):
        header = BurstHeader(BurstKind.ANALOG, number % 1024, number // 1024, number, max(bursts, 1), symbols)
        payload = gaussian(rng, symbols)
        samples = modulate(header, payload, numerology)
        channel = None if taps is None else taps(rng)
        if channel is not None:
            samples = np.convolve(samples, channel)
        offset = rng.uniform(-cfo, cfo) / numerology.fft_size
        samples = samples * np.exp(2j * np.pi * (offset * np.arange(len(samples)) + rng.uniform()))
        silence = int(rng.integers(0, gap + 1))
        parts += [np.zeros(silence), samples]
        sent.append(Sent(header, position + silence, payload, offset, channel))
        position += silence + len(samples)
    stream = np.concatenate([*parts, np.zeros(100)])
    if snr_db is not None:
        stream = stream + gaussian(rng, len(stream)) * 10 ** (-snr_db / 20)
    return stream.astype(np.complex64), sent


def receive(stream: np.ndarray, numerology: Numerology = DEFAULT_NUMEROLOGY, **options):
    """All bursts of a stream, and the demodulator."""
    demodulator = StreamDemodulator(numerology, **options)
    return demodulator.push(stream) + demodulator.flush(), demodulator


def errors(received, sent) -> list[tuple]:
    """(burst, what was sent, |error|² of each symbol) of the bursts that arrived."""
    by_number = {(s.header.round, s.header.transfer): s for s in sent}
    pairs = [(burst, by_number[burst.header.round, burst.header.transfer]) for burst in received]
    return [(burst, s, np.square(np.abs(burst.symbols - s.symbols))) for burst, s in pairs]


def on_symbols(values: np.ndarray, count: int, layout: Numerology = DEFAULT_NUMEROLOGY) -> np.ndarray:
    """What each of `count` payload symbols finds on its carrier, from float or complex[used_count]."""
    rows = payload_ofdm_symbols(count, layout)
    return values[data_places(layout, header_ofdm_symbols(layout), rows)].ravel()[:count]


def exponential_channel(rng: np.random.Generator) -> np.ndarray:
    """Rayleigh taps, an exponential profile inside the default prefix, mean power 1: complex64[12]."""
    profile = np.exp(-np.arange(12) / 4)
    return gaussian(rng, 12) * np.sqrt(profile / profile.sum())
