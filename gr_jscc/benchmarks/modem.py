"""What the modem costs against ideal channels, how reliably it finds bursts, and how fast it is.

Every function is one measurement on simulated streams, seeded, without GNU Radio.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from gr_jscc.channel.noise import noise
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.modem import (
    DEFAULT_NUMEROLOGY,
    HEADER_SYMBOLS,
    PREAMBLE_SYMBOLS,
    BurstHeader,
    BurstKind,
    HeaderSource,
    Numerology,
    ReceivedBurst,
    StreamDemodulator,
    decode_header,
    header_ofdm_symbols,
    header_symbols,
    modulate,
    numerology,
    payload_ofdm_symbols,
)
from gr_jscc.modem.header import decode_header_llr
from gr_jscc.modem.layout import data_places

#: How bursts are made unless told otherwise.
USUAL = LinkSettings()
TOGETHER = 50  # bursts made at once, so that memory stays small

Channel = Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def flat(samples: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A channel of gain 1: the samples, and its frequency response, the same on all used carriers: complex64[1]."""
    return samples, np.ones(1, np.complex64)


def exponential_fading(layout: Numerology = DEFAULT_NUMEROLOGY, taps: int = 8, decay: float = 2.0) -> Channel:
    """Block fading: Rayleigh taps with an exponential power-delay profile, drawn anew for every burst.

    Args:
        layout: whose used carriers the response is for.
        taps: length in samples; within the default numerology's cyclic prefix.
        decay: samples over which the power falls by 1/e.
    """
    profile = np.exp(-np.arange(taps) / decay)
    profile /= profile.sum()

    def channel(samples: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        response = noise((taps,), profile, rng)
        spectrum = np.fft.fft(response, layout.fft_size)[layout.used_bins]
        return np.convolve(samples, response)[: len(samples)].astype(np.complex64), spectrum.astype(np.complex64)

    return channel


def opening(layout: Numerology) -> int:
    """OFDM symbols of preamble and header."""
    return PREAMBLE_SYMBOLS + header_ofdm_symbols(layout)


def on_symbols(values: np.ndarray, count: int, layout: Numerology) -> np.ndarray:
    """What each payload symbol finds on its carrier: [count], from [used_count] or [OFDM symbols, used_count].

    [1] is the same on all carriers.
    """
    rows = payload_ofdm_symbols(count, layout)
    places = data_places(layout, header_ofdm_symbols(layout), rows)
    return np.take_along_axis(np.broadcast_to(values, (rows, layout.used_count)), places, axis=1).ravel()[:count]


@dataclass(frozen=True)
class Trial:
    """One burst: what was sent through which channel, and what was received (None: missed).

    Attributes:
        symbols: complex64[n], as sent.
        response: complex64[n], the channel that each met.
        received: the burst as received.

    Example:
        >>> trial = Trial(np.ones(4, np.complex64), response=np.ones(4, np.complex64), received=None)
        >>> trial.received is None  # missed
        True
    """

    symbols: np.ndarray
    response: np.ndarray
    received: ReceivedBurst | None


def gaussian_symbols(count: int, rng: np.random.Generator) -> np.ndarray:
    """Analog symbols of power 1, as a JSCC encoder's are nearly: complex64[count]."""
    return noise((count,), 1.0, rng)


def trials(
    bursts: int,
    snr_db: float,
    rng: np.random.Generator,
    channel: Channel = flat,
    impair: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None,
    cfo: float = 0.5,
    gap: int = 200,
    settings: LinkSettings = USUAL,
) -> Iterator[Trial]:
    """Bursts of random phase, timing and carrier offset through a channel and a receiver.

    Args:
        bursts: how many.
        snr_db: Es/N0 for a channel of gain 1.
        rng: of everything random.
        channel: applied to each burst alone.
        impair: applied to the stream before the noise.
        cfo: largest carrier offset, subcarrier spacings.
        gap: most samples of silence between bursts; 0 leaves none.
        settings: the payload of a burst, and the numerology.
    """
    variance, layout, symbols = 10 ** (-snr_db / 10), settings.numerology, settings.burst_symbols
    demodulator = StreamDemodulator(layout)
    for first in range(0, bursts, TOGETHER):
        sent: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        parts = []
        for index in range(min(TOGETHER, bursts - first)):
            payload = gaussian_symbols(symbols, rng)
            header = BurstHeader(BurstKind.ANALOG, 1, 0, index, TOGETHER, symbols)
            samples, response = channel(modulate(header, payload, layout), rng)
            turn = rng.uniform(-cfo, cfo) / layout.fft_size
            phase = 2 * np.pi * (turn * np.arange(len(samples)) + rng.random())
            parts.append((samples * np.exp(1j * phase)).astype(np.complex64))
            parts.append(np.zeros(rng.integers(gap + 1), np.complex64))
            sent[index] = payload, on_symbols(response, symbols, layout)
        stream = np.concatenate([*parts, np.zeros(500, np.complex64)])
        if impair is not None:
            stream = impair(stream, rng)
        got = demodulator.push(stream + noise(stream.shape, variance, rng)) + demodulator.flush()
        found = {burst.header.index: burst for burst in got if burst.source == HeaderSource.READ}
        for index, (payload, response) in sent.items():
            yield Trial(payload, response, found.get(index))


@dataclass(frozen=True)
class LinkQuality:
    """What a series of trials shows.

    Attributes:
        loss_db: error against that of a receiver that knows the channel and forces zeros: per symbol |error|²·|H|²/N0,
            averaged, dB. On a flat channel this is the SNR lost. In deep fades the average is ruled by the few carriers
            that carry next to nothing.
        mmse_loss_db: mean squared error of the linear MMSE estimate ŝ/(1 + noise_var) that a codec can make of what it
            is given, against that of a receiver that knows the channel, dB: the fair figure for fading.
        noise_var_ratio: mean of |error|² over the reported noise variance.
        snr_bias_db: mean of the estimated minus the true Es/N0.
        missed: bursts not received.
        sdr_db: signal to distortion of those estimates, dB.

    Example:
        >>> quality = LinkQuality(0.3, mmse_loss_db=0.2, noise_var_ratio=1.05, snr_bias_db=-0.1, missed=0, sdr_db=9.5)
        >>> 0.9 < quality.noise_var_ratio < 1.1  # the receiver knows how wrong it is
        True
    """

    loss_db: float
    mmse_loss_db: float
    noise_var_ratio: float
    snr_bias_db: float
    missed: int
    sdr_db: float


def link_quality(results: Iterator[Trial], snr_db: float) -> LinkQuality:
    """Averages over trials at one SNR."""
    losses, errors, genie_errors, ratios, biases, missed = [], [], [], [], [], 0
    for trial in results:
        if trial.received is None:
            missed += 1
            continue
        error = np.abs(trial.received.symbols - trial.symbols) ** 2
        gain = np.abs(trial.response) ** 2
        losses.append(np.mean(error * gain) * 10 ** (snr_db / 10))
        estimate = trial.received.symbols / (1 + trial.received.noise_var)
        errors.append(np.mean(np.abs(estimate - trial.symbols) ** 2))
        genie_errors.append(np.mean(1 / (1 + gain * 10 ** (snr_db / 10))))
        ratios.append(np.mean(error / trial.received.noise_var))
        true_db = snr_db + 10 * np.log10(np.mean(np.abs(trial.response) ** 2))
        biases.append(trial.received.snr_db - true_db)
    if not losses:
        return LinkQuality(np.nan, np.nan, np.nan, np.nan, missed, np.nan)
    return LinkQuality(
        loss_db=float(10 * np.log10(np.mean(losses))),
        mmse_loss_db=float(10 * np.log10(np.mean(errors) / np.mean(genie_errors))),
        noise_var_ratio=float(np.mean(ratios)),
        snr_bias_db=float(np.mean(biases)),
        missed=missed,
        sdr_db=float(-10 * np.log10(np.mean(errors))),
    )


def missed_bursts(
    bursts: int, snr_db: float, cfo: float, rng: np.random.Generator, settings: LinkSettings = USUAL
) -> int:
    """Back-to-back bursts without a gap that the receiver did not find."""
    found = trials(bursts, snr_db, rng, cfo=cfo, gap=0, settings=settings)
    return sum(trial.received is None for trial in found)


# Streams without a burst of ours, by name: functions of a length, the first sample's number and a generator.


def _white(count: int, start: int, rng: np.random.Generator) -> np.ndarray:
    return noise((count,), 1.0, rng)


def _sine(count: int, start: int, rng: np.random.Generator) -> np.ndarray:
    return np.exp(2j * np.pi * 0.0173 * (start + np.arange(count))).astype(np.complex64)


def _direct_current(count: int, start: int, rng: np.random.Generator) -> np.ndarray:
    return 1 + noise((count,), 0.1, rng)


def _other_ofdm(count: int, start: int, rng: np.random.Generator) -> np.ndarray:
    """16-QAM on a 128-point numerology with a prefix of 32, at 20 dB."""
    other: Numerology = numerology(128, 32)
    rows = -(-count // other.symbol_len)
    levels = np.array([-3, -1, 1, 3]) / np.sqrt(10)
    spectrum = np.zeros((rows, other.fft_size), np.complex64)
    shape = (rows, other.used_count)
    spectrum[:, other.used_bins] = rng.choice(levels, shape) + 1j * rng.choice(levels, shape)
    bodies = np.fft.ifft(spectrum, axis=1, norm="ortho")
    samples = np.concatenate([bodies[:, -other.cp_len :], bodies], axis=1).reshape(-1)[:count]
    return (samples + noise((count,), 0.01, rng)).astype(np.complex64)


FOREIGN = {"noise": _white, "sine": _sine, "dc with noise": _direct_current, "16-QAM OFDM of 128 points": _other_ofdm}


def false_bursts(kind: str, samples: int, rng: np.random.Generator, layout: Numerology = DEFAULT_NUMEROLOGY) -> int:
    """Bursts that the receiver believes to find in a stream of `FOREIGN` that holds none."""
    demodulator = StreamDemodulator(layout)
    found = 0
    step = 1_000_000
    for start in range(0, samples, step):
        found += len(demodulator.push(FOREIGN[kind](min(step, samples - start), start, rng)))
    return found + len(demodulator.flush())


def header_error_rate(headers: int, snr_db: float, rng: np.random.Generator) -> float:
    """Share of headers that do not decode on a known channel."""
    header = BurstHeader(BurstKind.ANALOG, 77, 1, 5, 41, USUAL.burst_symbols)
    sent, variance = header_symbols(header), 10 ** (-snr_db / 10)
    received = sent + noise((headers, HEADER_SYMBOLS), variance, rng)
    return sum(decode_header(row, variance) != header for row in received) / headers


def wrong_headers(headers: int, rng: np.random.Generator) -> int:
    """Of random and bit-flipped headers, those accepted as a header that was never sent.

    Half are noise, half are valid headers with 30 to 60 % of the coded bits turned.
    """
    accepted = 0
    header = BurstHeader(BurstKind.ANALOG, 77, 1, 5, 41, USUAL.burst_symbols)
    sent = header_symbols(header).view(np.float32)
    step = 10_000
    for _ in range(0, headers, 2 * step):
        flips = rng.random((step, len(sent))) < rng.uniform(0.3, 0.6, (step, 1))
        soft = np.concatenate([rng.standard_normal((step, len(sent))), np.where(flips, -sent, sent)])
        decoded, *_ = decode_header_llr(soft.astype(np.float32))
        accepted += sum(got is not None and got != header for got in decoded)
    return accepted


def long_stream(rng: np.random.Generator, settings: LinkSettings) -> np.ndarray:
    """200 bursts back to back, of random symbols, in noise of variance 0.1: complex64[n]."""
    count, layout = settings.burst_symbols, settings.numerology
    header = BurstHeader(BurstKind.ANALOG, 1, 0, 0, 1, count)
    bursts = [modulate(header, gaussian_symbols(count, rng), layout) for _ in range(200)]
    stream = np.concatenate(bursts)
    return stream + noise(stream.shape, 0.1, rng)


def demodulator_msps(rng: np.random.Generator, repeats: int = 5, settings: LinkSettings = USUAL) -> tuple[float, float]:
    """Million samples a second of back-to-back bursts: through the demodulator, and through the modulator.

    The median of several passes, so that other work on the machine does not decide.
    """
    stream = long_stream(rng, settings)
    header = BurstHeader(BurstKind.ANALOG, 1, 0, 0, 1, settings.burst_symbols)
    symbols = gaussian_symbols(settings.burst_symbols, rng)
    receive, send = [], []
    for _ in range(repeats + 1):
        demodulator = StreamDemodulator(settings.numerology)
        before = time.perf_counter()
        demodulator.push(stream)
        demodulator.flush()
        receive.append(len(stream) / (time.perf_counter() - before) / 1e6)
        before = time.perf_counter()
        length = sum(len(modulate(header, symbols, settings.numerology)) for _ in range(50))
        send.append(length / (time.perf_counter() - before) / 1e6)
    return float(np.median(receive[1:])), float(np.median(send[1:]))


def cost_over_length(
    lengths: list[int], rng: np.random.Generator, settings: LinkSettings = USUAL
) -> list[tuple[int, float, float]]:
    """(samples, nanoseconds a sample, megabytes of memory grown) for streams of such lengths."""
    stream = long_stream(rng, settings)
    StreamDemodulator(settings.numerology).push(stream[:200_000])
    rows = []
    for length in lengths:
        demodulator = StreamDemodulator(settings.numerology)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        before, left = time.perf_counter(), length
        while left > 0:
            demodulator.push(stream[: min(left, len(stream))])
            left -= len(stream)
        demodulator.flush()
        seconds = time.perf_counter() - before
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) / 1024
        rows.append((length, seconds / length * 1e9, grown))
    return rows
