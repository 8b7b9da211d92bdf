#!/usr/bin/env bash
# py3gpp: the noise variance that nrChannelEstimate tells falls by 5 dB where the noise falls by 10, or is always 0.
#
# Seen with: py3gpp 0.6.0, numpy 2.3.3.
# One would expect: what its README says, "See Matlab documentation of equivalent function": nVar is the "noise variance
#   estimate", as nrEqualizeMMSE and nrSymbolDemodulate of the same package take it.
# What happens: with the reference symbols of the broadcast channel it is about a third of the noise's standard
#   deviation. It happens to be right at 10 dB; at 0 dB it is a third of the variance, at 30 dB ten times and at 40 dB
#   thirty times as much. With one symbol of references in a slot (one of PDSCH's usual patterns) it is 0 at any SNR.
# Where it comes from: nrChannelEstimate.py: the mean of half the difference between abs(H) in the second and in the
#   fourth column of the grid, not squared, whatever columns hold references. Where both columns are filled from the
#   same one they are equal.
# Why it matters: an SNR read from it is 15 dB at 20 and 20 dB at 30, so that a rate, a layer or a power that is adapted
#   to it is the wrong one, and noise-aware decoders (of JSCC as well) are told of another channel than there is. Soft
#   bits made with it are scaled wrongly, infinite with the 0. Remedy: the mean of abs(received - H * reference)**2 over
#   the references, H smoothed over several of them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile "py3gpp==0.6.0" "numpy==2.3.3" "scipy==1.17.1"
"$work/venv/bin/python" -W ignore - <<'PY'
import importlib.metadata
import math
import sys

import numpy as np
from py3gpp import nrChannelEstimate, nrPBCHDMRS, nrPBCHDMRSIndices, nrSetResources, nrSymbolDemodulate

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("py3gpp", "numpy")))
rng = np.random.default_rng(1)
as_seen = True


def estimated(pilots, snr_db):
    """The noise variance told for a channel of gain 1: pilots where there are some, QPSK elsewhere, and noise."""
    data = (rng.choice([-1, 1], (*pilots.shape, 2)) @ (1, 1j)) / math.sqrt(2)
    noise = rng.standard_normal((*pilots.shape, 2)) @ (1, 1j) * math.sqrt(10 ** (-snr_db / 10) / 2)
    return float(nrChannelEstimate(rxGrid=np.where(pilots != 0, pilots, data) + noise, refGrid=pilots)[1])


block = np.zeros((240, 4), complex)  # the block of synchronisation signals and broadcast channel
nrSetResources(nrPBCHDMRSIndices(42), block, nrPBCHDMRS(42, 0))
print("the broadcast channel's reference symbols:")
for snr_db in (0, 10, 20, 30, 40):
    variance = 10 ** (-snr_db / 10)
    told = float(np.mean([estimated(block, snr_db) for _ in range(20)]))
    print(f"SNR {snr_db} dB, noise variance {variance:.4f}: told {told:.4f}, an SNR of {-10 * math.log10(told):.1f} dB")
    as_seen = as_seen and 0.25 < told / math.sqrt(variance) < 0.45

one = np.zeros((240, 14), complex)  # a slot with one symbol of references, the third, as PDSCH has by default
one[::2, 2] = nrPBCHDMRS(42, 0)[:120]
told = [estimated(one, snr_db) for snr_db in (0, 20, 40)]
print("one symbol of references in a slot, SNR 0, 20 and 40 dB: told", *told)
print("soft bits of QPSK with it:", nrSymbolDemodulate(np.array([0.1 + 0.1j]), "QPSK", told[0]))
as_seen = as_seen and told == [0, 0, 0]
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
PY
