#!/usr/bin/env bash
# Numba: the mean of more than 16.7 million float32 numbers, which NumPy has right to six digits, comes out too small.
#
# Seen with: numba 0.68.1, numpy 2.3.3.
# One would expect: np.mean, np.sum, np.var and np.std in compiled code are NumPy's ("Supported NumPy features" lists them
#   with no word on precision; the pages on deviations do not mention them); fastmath is off. NumPy adds in pairs.
# What happens: the compiled loop adds one number after the other to a float32. At 2^24 the sum of ones stands still, for
#   1 is less than half its last place: the mean of 2^25 ones is 0.5 and their variance 0.25. Nothing is said.
# Where it comes from: numba/np/arraymath.py (array_mean, array_sum): the accumulator is a zero of the array's own type.
# Why it matters: powers are means over recordings of complex64. The power of one second of white noise at 20 MS/s is told
#   0.18 dB low, of three seconds 1.1 dB: a noise floor, and every SNR drawn from it, that depends on how long one listened.
# Short test vectors do not show it. Remedy: a loop with a float64 accumulator, or mean of means.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile "numba==0.68.1" "numpy==2.3.3"
"$work/venv/bin/python" - <<'PY'
import math
import sys

import numba
import numpy as np


def mean_and_variance(x):
    return np.mean(x), np.var(x)


def power(samples):
    return np.mean(samples.real**2 + samples.imag**2)


def decibels(value):
    return 10 * math.log10(value)


print("numba", numba.__version__, "numpy", np.__version__)
ones = np.ones(2**25, np.float32)
compiled = [float(value) for value in numba.njit(mean_and_variance)(ones)]
print("2^25 ones, mean and variance: NumPy", *(float(v) for v in mean_and_variance(ones)), "Numba", *compiled)
del ones
second = np.random.default_rng(1).standard_normal((20_000_000, 2), np.float32).view(np.complex64)[:, 0]
compiled_power = numba.njit(power)
low = {}
for seconds in (0.1, 1, 3):
    samples = np.tile(second, math.ceil(seconds))[: int(seconds * 20e6)]
    told, truth = decibels(compiled_power(samples)), decibels(power(samples))
    low[seconds] = truth - told
    print(f"power of {seconds} s of noise at 20 MS/s: NumPy {truth:.3f} dB, Numba {told:.3f} dB")
as_seen = compiled == [0.5, 0.25] and low[0.1] < 0.02 and 0.03 < low[1] < low[3] and low[3] > 0.5
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
PY
