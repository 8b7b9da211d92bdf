#!/usr/bin/env bash
# pyldpc: words that it decodes one by one come back wrong when decoded together, and more iterations make it worse.
#
# Seen with: pyldpc 0.7.9, numba 0.68.1, numpy 2.3.3.
# One would expect: decode(H, y, snr) returns for a column of y what it returns for that column alone ("Decoding is
#   performed in parallel if multiple codewords are passed in y"), and loses nothing by a larger maxiter, which is 1000
#   by default: its warning says "You may want to increase maxiter".
# What happens: over white Gaussian noise at 3 dB, which is what it is made for, 3 % of the words fail after 20
#   iterations if each is decoded alone, and a quarter if 200 are decoded at once; of the latter more fail after 20
#   iterations than after 10. One word of pure noise, put beside words that are decoded without error alone, spoils a
#   quarter of them.
# Where it comes from: decoder.py. decode goes on with *all* columns until all are codewords at the same time. In
#   _logbp_numba a check's message is log((1 + X) / (1 - X)), X a product of tanh. Where the soft values have grown so
#   large (about 38) that X is rounded to 1, the message is set to 1 instead of to its largest value: a few such checks
#   no longer outweigh the channel, and bits that had been corrected fall back to what was received.
# Why it matters: decode_img and decode_audio pass all their blocks at once, so that a picture shows errors that the
#   code had corrected, more of them the larger it is, and the code looks worse than it is in comparison with anything
#   else. Remedy: decode(H, y[:, i], snr) word by word.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile setuptools wheel "numpy==2.3.3" "scipy==1.17.1" "numba==0.68.1"
"$work/venv/bin/pip" install --quiet --no-compile --no-build-isolation --no-deps "pyldpc==0.7.9"
"$work/venv/bin/python" -W ignore - <<'PY'
import importlib.metadata
import sys

import numpy as np
from pyldpc import binaryproduct, decode, encode, make_ldpc

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("pyldpc", "numba", "numpy")))
WORDS, SNR_DB = 200, 3.0
rng = np.random.default_rng(1)
checks, generator = make_ldpc(240, 3, 6, seed=1, systematic=True, sparse=False)
messages = rng.integers(0, 2, (generator.shape[1], WORDS))
sent = binaryproduct(generator, messages)
received = encode(generator, messages, SNR_DB, seed=2)


def wrong(found, words):
    """Which words have an error."""
    return (found != words).any(axis=0)


def alone(iterations):
    return np.stack([decode(checks, column, SNR_DB, iterations) for column in received.T], axis=1)


print(f"{WORDS} words of 240 bits, {len(messages)} of them information, SNR {SNR_DB:.0f} dB: words with an error")
shares = {}
for iterations in (5, 10, 20, 50):
    together = float(wrong(decode(checks, received, SNR_DB, iterations), sent).mean())
    each = float(wrong(alone(iterations), sent).mean())
    print(f"maxiter={iterations}: all at once {together:.1%}, each alone {each:.1%}")
    shares[iterations] = together, each

right = ~wrong(alone(20), sent)
noise = rng.standard_normal((240, 1))
lost = int(wrong(decode(checks, np.hstack([received[:, right], noise]), SNR_DB, 20)[:, :-1], sent[:, right]).sum())
print(f"{right.sum()} words, each decoded without error alone, and one of pure noise: {lost} of those have errors now")
as_seen = (
    abs(shares[5][0] - shares[5][1]) < 0.02
    and shares[20][1] < 0.06
    and shares[20][0] > 0.2
    and shares[20][0] > shares[10][0] + 0.03
    and lost > 20
)
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
PY
