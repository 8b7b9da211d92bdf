"""Where a burst was cut: samples are missing, and what follows is not what the burst's channel says it should be.

An overflow in the receiver's host leaves a gap without a trace. After it the FFT's windows lie across other symbols
than they should, and every cell holds something of the right power that has nothing to do with what was sent there.
That is not noise on top of a symbol: the symbol is gone, and its variance infinite.
"""

import numpy as np
from numba import njit

from gr_jscc.modem.turning import FAST, cosine_sine

__all__ = ["lost_from"]

# Natural logarithm of how much likelier the pilots must be absent than present.
_EVIDENCE = 10.0
# Times the noise from which on the errors of the OFDM symbol before those lost are put down to the cut.
_SPOILED = 3.0


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def lost_from(late, outlying, expected, walk, noise_var, shape, places, weight):
    """The OFDM symbols of the payload after a cut: bool[c, payload's symbols].

    From there to the end of the burst noise alone is likelier than the pilots with noise, the power of the noise being
    free in each OFDM symbol and both times the likeliest. So an interferer, which leaves the pilots in place and adds
    to them, is not taken for a cut, however strong.

    Args:
        late: complex64[c, payload's symbols, pilot_count], pilots turned back by the line, as observations of the
            channel.
        outlying: bool[c, payload's symbols], those with more noise than others; a burst without was not cut.
        expected: complex64[c, payload's symbols, pilot_count], the channel where they are.
        walk: float64[c, payload's symbols], radians besides the line.
        noise_var: float64[c], mean of a cell; shape: float64[c, used_count], each carrier's in proportion to it.
        places: int64[payload's symbols, pilot_count], where the pilots stand among the used carriers.
        weight: a pilot's power as sent over that of data, which its noise is less by.
    """
    count, rows, spread = late.shape
    lost, spoiled = np.zeros((count, rows), np.bool_), np.empty(rows, np.bool_)
    for c in range(count):
        if not outlying[c].any():
            continue
        gain, most, first = 0.0, _EVIDENCE, rows
        for row in range(rows - 1, -1, -1):
            cosine, sine = cosine_sine(-walk[c, row] / (2 * np.pi))
            turn = np.complex64(complex(cosine, sine))
            present, absent = 0.0, 0.0
            for p in range(spread):
                k = places[row, p]
                seen = late[c, row, p] * turn
                off = seen - expected[c, row, p]
                present += (off.real * off.real + off.imag * off.imag) / shape[c, k]
                absent += (seen.real * seen.real + seen.imag * seen.imag) / shape[c, k]
            least = spread * noise_var[c] / weight
            spoiled[row] = present > _SPOILED * least
            gain += spread * np.log(max(present, least) / max(absent, least))
            if gain > most:
                most, first = gain, row
        # The cut goes through an OFDM symbol, of which enough may be left to show the pilots.
        if 0 < first < rows and spoiled[first - 1]:
            first -= 1
        lost[c, first:] = True
    return lost
