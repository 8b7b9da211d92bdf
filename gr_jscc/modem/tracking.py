"""What a burst's known cells say of its phase, its channel and its noise.

Kernels over many bursts. The known cells are those of preamble and header (`early`: every used carrier) and the
payload's pilots (`late`), each as an observation of the channel: received over sent. `weights`, float32[n], is the
power that the known cells of each OFDM symbol were sent with over that of data, and so the inverse of their noise.
The phase of carrier k in OFDM symbol m, counted from the burst's middle, is a + b m + c k m: a line has the rows
(a, b, c), in radians. `places`, int64[payload's symbols, pilot_count], says where among the used carriers the payload's
pilots stand.
"""

import numpy as np
from numba import njit

from gr_jscc.modem.header_code import HEADER_SYMBOLS
from gr_jscc.modem.turning import FAST, cosine_sine

__all__ = ["correlate", "observe", "pilot_phases", "refine_line", "residuals", "turn_back", "whitened"]

_PER_TURN = 1 / (2 * np.pi)


@njit(cache=True, nogil=True, fastmath=FAST)
def observe(spectrum, headers, training, scramble, pilots, bins, data_index, pilot_index, places):
    """The known cells as observations of the channel.

    Args:
        spectrum: complex64[c, n, fft_size], FFTs of whole bursts.
        headers: complex64[c, 240], header symbols as sent.
        training: complex64[4, used_count], as sent, over its power.
        scramble: complex64[head, data_count], of the header's OFDM symbols.
        pilots: float32[head + payload's symbols, pilot_count], as sent, over their power.
        bins: int64[used_count]; data_index, pilot_index: int64, places of the header's cells among the used carriers.
        places: of the payload's pilots.

    Returns:
        early, complex64[c, 4 + head, used_count]; late, complex64[c, payload's symbols, pilot_count].
    """
    count, opening, head = len(spectrum), len(training), len(scramble)
    rows, cells, spread = len(pilots) - head, len(data_index), len(pilot_index)
    early = np.empty((count, opening + head, len(bins)), np.complex64)
    late = np.empty((count, rows, spread), np.complex64)
    for c in range(count):
        for row in range(opening):
            for k in range(len(bins)):
                early[c, row, k] = spectrum[c, row, bins[k]] * np.conj(training[row, k])
        place = 0
        for row in range(head):
            received, out = spectrum[c, opening + row], early[c, opening + row]
            for d in range(cells):
                out[data_index[d]] = received[bins[data_index[d]]] * np.conj(scramble[row, d] * headers[c, place])
                place = place + 1 if place + 1 < HEADER_SYMBOLS else 0
            for p in range(spread):
                out[pilot_index[p]] = received[bins[pilot_index[p]]] * pilots[row, p]
        for row in range(rows):
            for p in range(spread):
                late[c, row, p] = spectrum[c, opening + head + row, bins[places[row, p]]] * pilots[head + row, p]
    return early, late


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def correlate(early, late, response, matched, most, places, weights):
    """Observations times conj(channel), summed over each OFDM symbol: complex64[c, n].

    Args:
        response: complex64[c, used_count], the channel; matched: the same over each carrier's noise in proportion to
            the mean, for the likeliest phase.
        most: times the size that the channel gives a sum, beyond which it is cut down to that: so an interferer cannot
            outweigh the OFDM symbols that it leaves alone.
    """
    count, opening, used = early.shape
    _, rows, spread = late.shape
    correlations = np.empty((count, opening + rows), np.complex64)
    power = np.empty(used)
    for c in range(count):
        whole = 0.0
        for k in range(used):
            power[k] = response[c, k].real * matched[c, k].real + response[c, k].imag * matched[c, k].imag
            whole += power[k]
        for row in range(opening + rows):
            total, limit = np.complex64(0), whole
            if row < opening:
                for k in range(used):
                    total += early[c, row, k] * np.conj(matched[c, k])
            else:
                limit = 0.0
                for p in range(spread):
                    k = places[row - opening, p]
                    total += late[c, row - opening, p] * np.conj(matched[c, k])
                    limit += power[k]
            excess = np.sqrt(total.real * total.real + total.imag * total.imag) / max(most * limit, 1e-30)
            correlations[c, row] = total * weights[row] / np.float32(max(excess, 1.0))
    return correlations


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def pilot_phases(late, response, shape, places):
    """The phase that each of the payload's OFDM symbols has besides its channel's, and the strength of its pilots.

    Args:
        late: turned back by the line.
        response: complex64[c, 1 or payload's symbols, used_count], the channel.
        shape: float64[c, used_count], noise of each carrier in proportion to the mean.

    Returns:
        float64[c, payload's symbols] each: radians, and the pilots' power over their noise in proportion to the mean.
    """
    count, rows, spread = late.shape
    phase, strength = np.empty((count, rows)), np.zeros((count, rows))
    for c in range(count):
        for row in range(rows):
            moment = row if response.shape[1] > 1 else 0
            total = 0j
            for p in range(spread):
                k = places[row, p]
                expected = response[c, moment, k]
                total += late[c, row, p] * np.conj(expected) / shape[c, k]
                strength[c, row] += (expected.real * expected.real + expected.imag * expected.imag) / shape[c, k]
            phase[c, row] = np.arctan2(total.imag, total.real)
    return phase, strength


@njit(cache=True, nogil=True, fastmath=FAST)
def turn_back(early, late, line, trust, used, places, weights):
    """The observations turned back by a line, their sums over the burst, and how many were summed.

    Args:
        line: float64[c, 3].
        trust: float64[c, payload's symbols], weights of the late OFDM symbols in the sums.
        used: float32[used_count], the carriers.

    Returns:
        early and late, turned; complex64[c, used_count]; and float64[c, used_count].
    """
    count, opening, carriers = early.shape
    _, rows, spread = late.shape
    middle = (opening + rows - 1) / 2
    turned_early, turned_late = np.empty_like(early), np.empty_like(late)
    sums, counts = np.zeros((count, carriers), np.complex64), np.empty((count, carriers))
    for c in range(count):
        counts[c] = weights[:opening].sum()
        for row in range(opening + rows):
            m = row - middle
            common = -(line[c, 0] + line[c, 1] * m) * _PER_TURN
            # Under a turn even on long bursts: single precision will do from here on.
            start, tilt = np.float32(common - np.rint(common)), np.float32(-line[c, 2] * m * _PER_TURN)
            if row < opening:
                for k in range(carriers):
                    cosine, sine = cosine_sine(start + tilt * used[k])
                    turned = early[c, row, k] * np.complex64(complex(cosine, sine))
                    turned_early[c, row, k] = turned
                    sums[c, k] += turned * weights[row]
            else:
                weight = np.float32(trust[c, row - opening]) * weights[row]
                for p in range(spread):
                    k = places[row - opening, p]
                    cosine, sine = cosine_sine(start + tilt * used[k])
                    turned = late[c, row - opening, p] * np.complex64(complex(cosine, sine))
                    turned_late[c, row - opening, p] = turned
                    sums[c, k] += turned * weight
                    counts[c, k] += weight
    return turned_early, turned_late, sums, counts


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def refine_line(line, early, late, trust, response, matched, used, places, weights, precision, fft_size):
    """One Gauss-Newton step towards the likeliest line.

    A fixed slope over the carriers is fitted along and dropped: the expected channel may be that of another moment than
    the burst's middle, and a clock offset makes the two differ by a delay. The next channel estimate takes it up.

    Args:
        line: float64[c, 3].
        early, late: turned back by it.
        trust: float64[c, payload's symbols].
        response: complex64[c, used_count], the channel expected; matched: the same over each carrier's noise in
            proportion to the mean.
        used: float32[used_count], the carriers.
        precision: float64[c], how firmly the drift is believed to be zero beforehand.
        fft_size: points of the FFT.

    Returns:
        float64[c, 3].
    """
    count, opening, carriers = early.shape
    _, rows, spread = late.shape
    middle = (opening + rows - 1) / 2
    limit = 1 / max(1.0, middle)
    refined = line.copy()
    power = np.empty(carriers)
    for c in range(count):
        # Unknowns: a, b, c and the slope to be dropped, with regressors 1, m, k m and k.
        gradient, fisher = np.zeros(4), np.zeros((4, 4))
        whole = np.zeros(3)  # sums of channel power times k^j over all carriers
        for k in range(carriers):
            power[k] = response[c, k].real * matched[c, k].real + response[c, k].imag * matched[c, k].imag
            whole[0] += power[k]
            whole[1] += power[k] * used[k]
            whole[2] += power[k] * used[k] * used[k]
        for row in range(opening + rows):
            m = row - middle
            error, moment = np.float32(0), np.float32(0)
            if row < opening:
                weight, zeroth, first, second = np.float64(weights[row]), whole[0], whole[1], whole[2]
                for k in range(carriers):
                    value = early[c, row, k].imag * matched[c, k].real - early[c, row, k].real * matched[c, k].imag
                    error += value
                    moment += value * used[k]
            else:
                weight, zeroth, first, second = trust[c, row - opening] * weights[row], 0.0, 0.0, 0.0
                for p in range(spread):
                    k = places[row - opening, p]
                    observed = late[c, row - opening, p]
                    value = observed.imag * matched[c, k].real - observed.real * matched[c, k].imag
                    error += value
                    moment += value * used[k]
                    zeroth += power[k]
                    first += power[k] * used[k]
                    second += power[k] * used[k] * used[k]
            gradient[0] += weight * error
            gradient[1] += weight * error * m
            gradient[2] += weight * moment * m
            gradient[3] += weight * moment
            zeroth, first, second = weight * zeroth, weight * first, weight * second
            fisher[0, 0] += zeroth
            fisher[1, 0] += zeroth * m
            fisher[1, 1] += zeroth * m * m
            fisher[2, 0] += first * m
            fisher[2, 1] += first * m * m
            fisher[2, 2] += second * m * m
            fisher[3, 0] += first
            fisher[3, 1] += first * m
            fisher[3, 2] += second * m
            fisher[3, 3] += second
        gradient[2] -= precision[c] * line[c, 2]
        fisher[2, 2] += precision[c]
        step = _solve(fisher, gradient)
        refined[c, 0] += min(max(step[0], -1.0), 1.0)
        refined[c, 1] += min(max(step[1], -limit), limit)
        refined[c, 2] += min(max(step[2], -limit / fft_size), limit / fft_size)
    return refined


@njit(cache=True, nogil=True, error_model="numpy")
def _solve(matrix, right):
    """The solution of a positive semidefinite system, given the lower triangle; overwrites its arguments.

    Equilibrated, since the unknowns have scales far apart; and never singular, even on silence.
    """
    count = len(right)
    scale = np.empty(count)
    for i in range(count):
        scale[i] = 1 / np.sqrt(max(matrix[i, i], 1e-30))
    for i in range(count):
        right[i] *= scale[i]
        for j in range(i + 1):
            total = matrix[i, j] * scale[i] * scale[j]
            if i == j:
                total += 1e-9
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = np.sqrt(max(total, 1e-12)) if i == j else total / matrix[j, j]
    for i in range(count):
        for k in range(i):
            right[i] -= matrix[i, k] * right[k]
        right[i] /= matrix[i, i]
    for i in range(count - 1, -1, -1):
        for k in range(i + 1, count):
            right[i] -= matrix[k, i] * right[k]
        right[i] /= matrix[i, i]
    return right * scale


@njit(cache=True, nogil=True, fastmath=FAST)
def residuals(early, late, response, places, weights):
    """Squared errors of turned observations, times their weights.

    Returns:
        against the channel, summed over the early cells of each carrier: float64[c, used_count]; the same against
        each carrier's own mean, which tells its noise even where the channel is wrong; and of each pilot of the
        payload against the channel: float64[c, payload's symbols, pilot_count].
    """
    count, opening, carriers = early.shape
    _, rows, spread = late.shape
    early_error, scatter = np.empty((count, carriers)), np.empty((count, carriers))
    late_error = np.empty((count, rows, spread))
    sums, energy = np.empty(carriers, np.complex64), np.empty(carriers, np.float32)
    whole = weights[:opening].sum()
    for c in range(count):
        sums[:], energy[:] = 0, 0
        for row in range(opening):
            weight = weights[row]
            for k in range(carriers):
                error = early[c, row, k] - response[c, k]
                sums[k] += error * weight
                energy[k] += (error.real * error.real + error.imag * error.imag) * weight
        for k in range(carriers):
            early_error[c, k] = energy[k]
            off = sums[k].real * sums[k].real + sums[k].imag * sums[k].imag
            scatter[c, k] = max(energy[k] - off / whole, 0.0)
        for row in range(rows):
            for p in range(spread):
                error = late[c, row, p] - response[c, places[row, p]]
                late_error[c, row, p] = (error.real * error.real + error.imag * error.imag) * weights[opening + row]
    return early_error, scatter, late_error


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def whitened(early_error, late_error, shape, places):
    """The squared errors over the noise of their carriers, which is given in proportion to the mean.

    Args:
        early_error, late_error: of `residuals`.
        shape: float64[c, used_count].

    Returns:
        summed over the early cells, float64[c]; and the mean over the pilots of each of the payload's symbols,
        float64[c, payload's symbols].
    """
    count, carriers = early_error.shape
    _, rows, spread = late_error.shape
    early, late = np.zeros(count), np.zeros((count, rows))
    for c in range(count):
        for k in range(carriers):
            early[c] += early_error[c, k] / shape[c, k]
        for row in range(rows):
            for p in range(spread):
                late[c, row] += late_error[c, row, p] / (spread * shape[c, places[row, p]])
    return early, late
