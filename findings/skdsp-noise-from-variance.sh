#!/usr/bin/env bash
# scikit-dsp-comm: a carrier goes through its noise channel without noise, and on-off keying with 3 dB less than asked for.
#
# Seen with: scikit-dsp-comm 2.1.2, numpy 2.3.3.
# One would expect: cpx_awgn(x, es_n0, ns) does what its docstring says, "set the channel energy per symbol-to-noise power
#   spectral density ratio (Es/N0) in dB", for any x: a symbol's energy is that of its samples.
# What happens: right for signals of mean zero. A mean is left out: es_n0=10 gives 13 dB for on-off keying, 11 dB for QPSK on
#   a pilot carrier of half its amplitude, and no noise at all, whatever es_n0 says, for an unmodulated carrier at zero.
# Where it comes from: sigsys.py and digitalcom.py, cpx_awgn: the energy is np.var(x), which is the power only where the
#   mean is zero.
# Why it matters: training sequences, pilots and sounding tones have a mean, also a frame of few symbols has by chance; the
#   SNR then depends on what is sent. An estimator of channel or frequency tested with a tone is perfect at any SNR.
#   Remedy: noise of one's own from np.mean(abs(x)**2).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --no-deps "scikit-dsp-comm==2.1.2"
"$work/venv/bin/pip" install --quiet --no-compile "numpy==2.3.3" "scipy==1.17.1"
"$work/venv/bin/python" - <<'PY'
import importlib.metadata
import math
import sys
from types import ModuleType

import numpy as np

for name in ("matplotlib", "matplotlib.pyplot", "matplotlib.pylab", "matplotlib.mlab"):  # only to draw
    sys.modules[name] = ModuleType(name)
from sk_dsp_comm import digitalcom, sigsys  # noqa: E402

print("scikit-dsp-comm", importlib.metadata.version("scikit-dsp-comm"), "numpy", np.__version__)
np.random.seed(1)
bits = np.random.randint(0, 2, 200_000)
qpsk = np.exp(1j * np.pi / 2 * np.random.randint(0, 4, 200_000))
EXPECTED = {"BPSK": 10, "on-off keying": 13.01, "QPSK with a pilot carrier": 10.97, "a carrier": math.inf}
SIGNALS = dict(zip(EXPECTED, (2.0 * bits - 1, 1.0 * bits, qpsk + 0.5, np.ones(200_000, complex))))
as_seen = True
for name, signal in SIGNALS.items():
    for module in (sigsys, digitalcom):
        noise = np.mean(np.abs(module.cpx_awgn(signal, 10, 1) - signal) ** 2)
        found = 10 * math.log10(np.mean(np.abs(signal) ** 2) / noise) if noise else math.inf
        print(f"{name}, es_n0=10 of {module.__name__}: {found:.2f} dB")
        as_seen = as_seen and (found == EXPECTED[name] or abs(found - EXPECTED[name]) < 0.1)
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
PY
