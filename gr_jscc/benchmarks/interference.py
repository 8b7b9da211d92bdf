"""What the modem says of noise that is not white, and of bursts that lack samples.

Every function is one measurement on simulated streams, seeded, without GNU Radio.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gr_jscc.benchmarks.modem import TOGETHER, USUAL, Channel, flat, on_symbols, opening, trials
from gr_jscc.channel.noise import noise
from gr_jscc.link.bursts import LinkSettings


@dataclass(frozen=True)
class InterferedQuality:
    """What a series of trials with a narrowband interferer shows.

    Attributes:
        hit_ratio: mean of |error|² over the reported noise variance, on carriers where the interferer is stronger than
            the noise.
        clear_ratio: the same, on the other carriers.
        mmse_loss_db: mean squared error of the linear MMSE estimate ŝ/(1 + noise_var) that a codec can make of what it
            is given, against that of a receiver that knows the channel and the noise of each carrier, dB.
        missed: bursts not received.

    Example:
        >>> quality = InterferedQuality(hit_ratio=1.1, clear_ratio=1.0, mmse_loss_db=0.4, missed=0)
        >>> 0.5 < quality.hit_ratio < 2  # reported noise is neither half nor twice what there is
        True
    """

    hit_ratio: float
    clear_ratio: float
    mmse_loss_db: float
    missed: int


def interfered_quality(
    bursts: int,
    snr_db: float,
    over_noise_db: float,
    width: int,
    rng: np.random.Generator,
    channel: Channel = flat,
    settings: LinkSettings = USUAL,
) -> InterferedQuality:
    """Averages over trials with an interferer somewhere in the band, elsewhere for every `TOGETHER` bursts.

    Args:
        bursts, snr_db, rng, channel, settings: as `trials` takes them.
        over_noise_db: the interferer's power over that of the noise, dB, on a carrier in its middle.
        width: carriers that it is wide, as band-limited noise; 0 for a tone.
    """
    layout = settings.numerology
    variance = 10 ** (-snr_db / 10)
    strength = variance * 10 ** (over_noise_db / 10)
    places: list[float] = []

    def interfere(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        place = rng.uniform(layout.used_carriers[0], layout.used_carriers[-1])
        places.append(place)
        if width == 0:
            cycles = place / layout.fft_size * np.arange(len(samples)) + rng.random()
            return samples + np.sqrt(strength / layout.fft_size) * np.exp(2j * np.pi * cycles).astype(np.complex64)
        half = layout.fft_size / 2
        carriers = np.fft.fftfreq(len(samples)) * layout.fft_size
        inside = np.abs((carriers - place + half) % layout.fft_size - half) < width / 2
        white = np.fft.fft(noise(samples.shape, strength, rng))
        return samples + np.fft.ifft(np.where(inside, white, 0)).astype(np.complex64)

    hit_ratios, clear_ratios, errors, genie_errors, missed = [], [], [], [], 0
    for number, trial in enumerate(trials(bursts, snr_db, rng, channel, interfere, settings=settings)):
        if trial.received is None:
            missed += 1
            continue
        # The receiver turns the interferer along with the burst's carrier offset.
        place = places[number // TOGETHER] - trial.received.cfo * layout.fft_size
        added = strength * _leakage(layout.used_carriers - place, width, layout.fft_size)
        added = on_symbols(added, len(trial.symbols), layout)
        error = np.abs(trial.received.symbols - trial.symbols) ** 2
        ratio = error / trial.received.noise_var
        hit_ratios.append(ratio[added > variance])
        clear_ratios.append(ratio[added <= variance])
        estimate = trial.received.symbols / (1 + trial.received.noise_var)
        errors.append(np.mean(np.abs(estimate - trial.symbols) ** 2))
        genie_errors.append(np.mean(1 / (1 + np.abs(trial.response) ** 2 / (variance + added))))
    if not errors:
        return InterferedQuality(np.nan, np.nan, np.nan, missed)
    return InterferedQuality(
        hit_ratio=float(np.mean(np.concatenate(hit_ratios))),
        clear_ratio=float(np.mean(np.concatenate(clear_ratios))),
        mmse_loss_db=float(10 * np.log10(np.mean(errors) / np.mean(genie_errors))),
        missed=missed,
    )


def _leakage(distance: np.ndarray, width: int, fft_size: int) -> np.ndarray:
    """Power on carriers at such distances, in carriers, from a tone or a band whose own on a carrier within it is 1."""
    within = (np.arange(32 * width) + 0.5) / 32 - width / 2 if width else np.zeros(1)
    x = (distance[:, None] - within) / fft_size
    kernel = (np.sinc(fft_size * x) / np.sinc(x)) ** 2
    return kernel.mean(axis=1) * max(width, 1)


@dataclass(frozen=True)
class CutQuality:
    """What a series of trials shows of bursts that lack samples.

    Attributes:
        noise_var_ratio: mean of |error|² over the reported noise variance, symbols that are not said to be lost.
        erased_before: share of the symbols in OFDM symbols wholly before the cut that are said to be lost.
        erased_after: the same, wholly after the cut.
        mmse_ratio: mean squared error of the linear MMSE estimates ŝ/(1 + noise_var) over what the noise variances
            promise of it, noise_var/(1 + noise_var): 1 is calibrated, whether symbols are noisy or lost.
        missed: bursts not received.

    Example:
        >>> quality = CutQuality(noise_var_ratio=1.0, erased_before=0.0, erased_after=1.0, mmse_ratio=1.0, missed=0)
        >>> quality.erased_after - quality.erased_before
        1.0
    """

    noise_var_ratio: float
    erased_before: float
    erased_after: float
    mmse_ratio: float
    missed: int


def cut_quality(
    bursts: int,
    snr_db: float,
    length: int,
    rng: np.random.Generator,
    channel: Channel = flat,
    settings: LinkSettings = USUAL,
) -> CutQuality:
    """Averages over bursts each of which lacks `length` samples from somewhere in its payload on.

    Args:
        bursts, snr_db, rng, channel, settings: as `trials` takes them.
        length: samples; 0 leaves the bursts whole.
    """
    layout = settings.numerology
    first = opening(layout)
    places: list[int] = []

    def cut(samples: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        samples, response = channel(samples, rng)
        place = int(rng.integers(first * layout.symbol_len, len(samples)))
        places.append(place)
        return np.delete(samples, slice(place, place + length)), response

    ratios, before, after, errors, promised, missed = [], [], [], [], [], 0
    for number, trial in enumerate(trials(bursts, snr_db, rng, cut, settings=settings)):
        if trial.received is None:
            missed += 1
            continue
        variance = trial.received.noise_var.astype(np.float64)
        error = np.abs(trial.received.symbols - trial.symbols) ** 2
        lost = np.isinf(variance)
        ratios.append((error / variance)[~lost])
        hit = places[number] // layout.symbol_len - first
        before.append(lost[: hit * layout.data_count] if length else lost)
        after.append(lost[(hit + 1) * layout.data_count :] if length else lost[:0])
        gain = 1 / (1 + variance)
        errors.append(np.mean(np.abs(trial.received.symbols * gain - trial.symbols) ** 2))
        promised.append(np.mean(1 - gain))
    if not errors:
        return CutQuality(np.nan, np.nan, np.nan, np.nan, np.nan, missed)
    after = np.concatenate(after)
    return CutQuality(
        noise_var_ratio=float(np.mean(np.concatenate(ratios))),
        erased_before=float(np.mean(np.concatenate(before))),
        erased_after=float(after.mean()) if len(after) else np.nan,
        mmse_ratio=float(np.mean(errors) / np.mean(promised)),
        missed=missed,
    )
