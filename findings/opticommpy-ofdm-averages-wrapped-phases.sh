#!/usr/bin/env bash
# OptiCommPy: its OFDM receiver gets every bit wrong when the channel turns by half a turn, and writes over the samples
# that it is given.
#
# Seen with: OptiCommPy 0.11.0, numpy 2.3.3.
# One would expect: what the docstring of demodulateOFDM says: the channel is estimated at the pilots, interpolated between
#   them, averaged over the frames, and each subcarrier divided by it. A delay shorter than the cyclic prefix is then no
#   loss. And that a function which returns symbols leaves its argument alone.
# What happens: QPSK at 23 dB, 64 subcarriers of which every seventh is a pilot, a prefix of 16. A channel that only turns
#   by 3.14 radians: all bits wrong; one that turns by 3: none. A delay of one sample: 6 % wrong, of two: 15 %. Of the
#   same samples, with the estimates interpolated as complex numbers, none is wrong in any of these cases.
#   Demodulating the same array twice gives other symbols the second time, without a warning.
# Where it comes from: ofdm.py: magnitudes and angles (np.angle, not unwrapped) are interpolated and averaged apart.
#   Between pilots at 3 and -3 radians the line goes through 0, and so does the mean of frames that are at either. What is
#   reshaped is a view of the argument, and the spectra are written into it.
# Why it matters: any phase is as likely as any other on the air, and a receiver that starts a sample early is right to do
#   so. An error floor found with it is the receiver's, not the channel's. Whoever measures the power or the spectrum of
#   the samples afterwards measures that of subcarriers. Remedy: demodulate a copy without pilotCarriers, which returns
#   all of the subcarriers, and interpolate complex estimates oneself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile "OptiCommPy==0.11.0" "numpy==2.3.3" "scipy==1.17.1"
NUMBA_CACHE_DIR="$work" "$work/venv/bin/python" -W ignore - <<'PY'
import importlib.metadata
import sys

import numpy as np
from optic.comm.modulation import demodulateGray, modulateGray
from optic.comm.ofdm import demodulateOFDM, modulateOFDM
from optic.utils import parameters

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("OptiCommPy", "numpy")))
rng = np.random.default_rng(1)
ofdm = parameters()
ofdm.Nfft, ofdm.G, ofdm.SpS, ofdm.pilot, ofdm.pilotCarriers = 64, 16, 1, 1 + 1j, np.arange(0, 64, 7)
data = np.setdiff1d(np.arange(64), ofdm.pilotCarriers)
bits = rng.integers(0, 2, 2 * len(data) * 200)
sent = modulateOFDM(modulateGray(bits, 4, "qam") / np.sqrt(2), ofdm)


def wrong(symbols):
    return float(np.mean(demodulateGray(symbols.ravel() * np.sqrt(2), 4, "qam") != bits))


def complex_estimates(received):
    """The symbols with the channel as complex numbers, interpolated from pilot to pilot of each frame."""
    carriers = np.fft.fftshift(np.fft.fft(received.reshape(-1, 80)[:, 16:]), axes=1) / 8
    at_pilots = carriers[:, ofdm.pilotCarriers] / ofdm.pilot
    channel = [np.interp(data, ofdm.pilotCarriers, row.real) + 1j * np.interp(data, ofdm.pilotCarriers, row.imag)
               for row in at_pilots]  # fmt: skip
    return carriers[:, data] / np.array(channel)


as_seen = True
for name, received, least, most in (
    ("turned by 3 rad", sent * np.exp(3j), 0, 0.001),
    ("turned by 3.14 rad", sent * np.exp(3.14j), 0.99, 1),
    ("one sample late", np.roll(sent, 1), 0.03, 0.2),
    ("two samples late", np.roll(sent, 2), 0.05, 0.3),
):
    noise = (rng.standard_normal((sent.size, 2)) @ (1, 1j)) * 0.05
    received = (received + noise).astype(np.complex64)
    theirs, ours = wrong(demodulateOFDM(received.copy(), ofdm)), wrong(complex_estimates(received))
    print(f"{name}: {100 * theirs:.1f} % of the bits wrong, with complex estimates {100 * ours:.2f} %")
    as_seen = as_seen and least <= theirs <= most and ours < 0.001

given = sent.copy()
first, second = demodulateOFDM(given, ofdm), demodulateOFDM(given, ofdm)
print(f"the same array twice: {100 * wrong(first):.1f} % wrong, then {100 * wrong(second):.1f} %")
as_seen = as_seen and wrong(first) == 0 and wrong(second) > 0.2 and not np.array_equal(given, sent)
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
PY
