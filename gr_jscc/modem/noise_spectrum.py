"""The noise of each carrier, from the few cells of a burst that are known.

White noise is what is expected, and a dozen cells a carrier would only make a poor estimate of it; but a spur, a
narrowband interferer or a neighbour's skirts raise some carriers far above the rest. So carriers share one level until
the burst shows otherwise: the stretch of carriers that a level of its own makes most likely is given one, if that beats
what chance does, and both parts are looked at again (circular binary segmentation: Olshen et al., Biostatistics 2004).
What is left is closed up, so that the skirts on both sides of a spur become one stretch.
"""

from functools import lru_cache

import numpy as np
from numba import njit

from gr_jscc.modem.turning import FAST

__all__ = ["noise_spectrum"]

# Natural logarithm of how much likelier than one level two must be, besides the logarithm of the places to look at.
# White noise reaches it in one burst of some hundreds.
_EVIDENCE = 6.0
# Degrees of freedom that the quieter of two parts must have. Interferers make carriers louder; one that the preamble
# alone shows to be a hundred times quieter than the rest is so by chance, and would outweigh all others in the header.
_QUIET_FREEDOM = 12
# Share of the signal's power below which errors are those of single precision.
_ROUNDING = 1e-8
# Degrees of freedom that the phase's line takes of the errors, all carriers together.
_LINE_FREEDOM = 1.5


def noise_spectrum(energy: np.ndarray, freedom: int, response: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean noise variance of a cell, and each carrier's in proportion to it.

    Both are made so that the mean of their inverse is right, which is what an error is divided by.

    Args:
        energy: float[bursts, carriers], squared errors of the known cells of each carrier, summed; in ascending order
            of the carriers.
        freedom: degrees of freedom of each of those sums.
        response: complex64[bursts, carriers], the channel. Noise 80 dB below it is rounding, which has no spectrum.

    Returns:
        float64[bursts], and float64[bursts, carriers], exactly 1 where nothing speaks against white noise.
    """
    quiet = -(-_QUIET_FREEDOM // freedom)
    return _segmented(energy, freedom, response, *_windows(energy.shape[1]), _EVIDENCE, quiet)


@lru_cache(maxsize=32)
def _windows(carriers: int) -> tuple[np.ndarray, np.ndarray]:
    """Lengths of stretches to look at, up to all but one of the carriers, and the steps between them: int64[n] each."""
    lengths = [1, 2, 3]
    while lengths[-1] < carriers:
        lengths.append(2 * lengths[-2])
    lengths = np.array([length for length in lengths if length < carriers])
    return lengths, np.maximum(lengths // 4, 1)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _segmented(energy, freedom, response, lengths, hops, evidence, quiet):
    bursts, carriers = energy.shape
    noise, shape = np.empty(bursts), np.ones((bursts, carriers))
    # Carriers in an order in which those of one level stand together, and what of that order is still to be looked at.
    order, moved = np.empty(carriers, np.int64), np.empty(carriers, np.int64)
    begins, ends = np.empty(carriers + 1, np.int64), np.empty(carriers + 1, np.int64)
    sums = np.zeros(carriers + 1)
    # What a carrier adds, its share of the line taken off.
    own = freedom - _LINE_FREEDOM / carriers
    for b in range(bursts):
        total, power = 0.0, 0.0
        for k in range(carriers):
            order[k] = k
            total += energy[b, k]
            power += response[b, k].real ** 2 + response[b, k].imag ** 2
        least = freedom * (_ROUNDING * power / carriers + 1e-30)
        noise[b] = max(total / (carriers * own - 1), 1e-30)
        begins[0], ends[0], left = 0, carriers, 1
        while left:
            left -= 1
            begin, count = begins[left], ends[left] - begins[left]
            for i in range(count):
                sums[i + 1] = sums[i] + max(energy[b, order[begin + i]], least)
            first, length = _likeliest(sums, count, lengths, hops, (evidence + np.log(carriers)) / freedom, quiet)
            if length == 0:
                if count < carriers:
                    level = sums[count] / (count * own - 1) / noise[b]
                    for i in range(begin, begin + count):
                        shape[b, order[i]] = level
                continue
            for i in range(count):
                inside = first <= i < first + length
                moved[i - first if inside else length + (i if i < first else i - length)] = order[begin + i]
            for i in range(count):
                order[begin + i] = moved[i]
            begins[left], ends[left] = begin, begin + length
            begins[left + 1], ends[left + 1] = begin + length, begin + count
            left += 2
    return noise, shape


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _likeliest(sums, count, lengths, hops, evidence, quiet):
    """The stretch that two levels, its own and that of the rest, make likelier by most, and by more than `evidence`.

    Args:
        sums: float64[≥ count + 1], energy before each place; evidence: for each degree of freedom of a carrier; quiet:
            least carriers of the quieter of the two levels.

    Returns:
        its first place and its length; 0, 0 if there is none.
    """
    total, mean = sums[count], sums[count] / count
    most, first, best = evidence, 0, 0
    for which in range(len(lengths)):
        length = lengths[which]
        if length >= count:
            break
        for start in range(0, count - length + 1, hops[which]):
            inner = sums[start + length] - sums[start]
            outer, excess = total - inner, inner - mean * length
            if (length if excess < 0 else count - length) < quiet:
                continue
            # No gain is larger than count excess² / (inner outer), from log x <= x - 1; nearly all places fail this.
            if count * excess * excess > most * inner * outer:
                gain = length * np.log(mean * length / inner)
                gain += (count - length) * np.log(mean * (count - length) / outer)
                if gain > most:
                    most, first, best = gain, start, length
    return first, best
