"""Turns in the complex plane, as compiled code that vectorises."""

import numpy as np
from numba import njit

__all__ = ["FAST", "cosine_sine"]

#: What the compiler may do with floating-point sums: reorder and fuse, but not forget that there are NaN and infinity.
FAST = {"contract", "reassoc", "nsz"}

_PI = np.float32(np.pi)
_ONE = np.float32(1)
_TWO = np.float32(2)
# Taylor coefficients of sin h / h and cos h in h².
_S1, _S2, _S3, _S4, _S5 = (np.float32(c) for c in (-1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800))
_C1, _C2, _C3, _C4 = (np.float32(c) for c in (-1 / 2, 1 / 24, -1 / 720, 1 / 40320))
_C5, _C6 = np.float32(-1 / 3628800), np.float32(1 / 479001600)


@njit(cache=True, nogil=True, fastmath=FAST)
def cosine_sine(turns):
    """Cosine and sine, float32 each and accurate to 3e-7, of an angle in whole turns, float64 or float32.

    The library's functions work on one value at a time; this is a dozen multiplications that a loop does on many.
    Whole turns go in the precision of the argument, the rest is done on half the angle, at most a right angle, in
    single precision.
    """
    half = np.float32(turns - np.rint(turns)) * _PI
    h = half * half
    sine = half * (_ONE + h * (_S1 + h * (_S2 + h * (_S3 + h * (_S4 + h * _S5)))))
    cosine = _ONE + h * (_C1 + h * (_C2 + h * (_C3 + h * (_C4 + h * (_C5 + h * _C6)))))
    return _ONE - _TWO * sine * sine, _TWO * sine * cosine
