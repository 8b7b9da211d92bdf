#!/usr/bin/env bash
# py3gpp: belief propagation, offset min-sum and list decoding are accepted by its decoders, and none of them is done.
#
# Seen with: py3gpp 0.6.0, numpy 2.3.3.
# One would expect: what nrLDPCDecode's Algorithm names, "Layered belief propagation" by default, and Offset to be
#   subtracted in "Offset min-sum"; other names are refused ("is not supported"). README: "See Matlab documentation of
#   equivalent function", where these are three algorithms. L of nrPolarDecode is the "length of decoding list", here as
#   there.
# What happens: no error. Belief propagation and offset min-sum, with any Offset, return bit for bit what plain min-sum
#   does, that is normalised min-sum with a factor of 1. At -3 dB and rate 1/5 it leaves more wrong bits than there were
#   before decoding, where belief propagation leaves none and normalised min-sum a few. nrPolarDecode returns the same
#   for any L: successive cancellation without a list, also where the word it returns is less likely than the one that
#   was sent.
# Where it comes from: nrLDPCDecode.py turns the name into a number and asks only whether it is that of normalised
#   min-sum; Offset is not used. nrPolarDecode.py does not use L (nor CRClen beyond checking it), and nrBCHDecode passes
#   L = 8 in vain.
# Why it matters: LDPC with belief propagation is the digital baseline of papers on JSCC. This default is more than 1 dB
#   worse than what it is called, and a comparison of algorithms shows that offset and belief propagation "perform
#   alike". Remedy: Algorithm="Normalized min-sum"; for polar codes another library.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile "py3gpp==0.6.0" "numpy==2.3.3" "scipy==1.17.1"
"$work/venv/bin/python" - <<'PY'
import importlib.metadata
import sys

import numpy as np
from py3gpp import nrLDPCDecode, nrLDPCEncode, nrPolarDecode, nrPolarEncode
from py3gpp.nrLDPCEncode import _lift_basegraph, _load_basegraph

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("py3gpp", "numpy")))
rng = np.random.default_rng(1)
GRAPH, LIFTING, WORDS, ITERATIONS = 2, 80, 20, 20
PUNCTURED = 2 * LIFTING
bits = rng.integers(0, 2, (10 * LIFTING, WORDS))
coded = nrLDPCEncode(bits, GRAPH)


def soft_bits(word, noise_var):
    return 2 / noise_var * (1 - 2 * word + np.sqrt(noise_var) * rng.standard_normal(word.shape))


def phi(x):
    return -np.log(np.tanh(np.clip(x, 1e-7, 30) / 2))


def belief_propagation(soft):
    """The definition, for comparison: all checks, then all bits."""
    checks = _lift_basegraph(_load_basegraph(2, GRAPH), LIFTING).tocoo()  # 80 = 5 * 16 is in the third set of sizes
    order = np.lexsort((checks.col, checks.row))
    row, col = checks.row[order], checks.col[order]
    first = np.flatnonzero(np.diff(row, prepend=-1))
    channel = np.vstack([np.zeros((PUNCTURED, WORDS)), soft])
    total, message = channel.copy(), np.zeros((len(row), WORDS))
    for _ in range(ITERATIONS):
        incoming = total[col] - message
        sign, size = np.where(incoming < 0, -1, 1), phi(np.abs(incoming))
        message = np.multiply.reduceat(sign, first)[row] * sign * phi(np.add.reduceat(size, first)[row] - size)
        total = channel.copy()
        np.add.at(total, col, message)
    return total[: len(bits)] < 0


CASES = {
    "Layered belief propagation, the default": {},
    "Offset min-sum, Offset=0.5": {"Algorithm": "Offset min-sum"},
    "Offset min-sum, Offset=100": {"Algorithm": "Offset min-sum", "Offset": 100},
    "Normalized min-sum, ScalingFactor=1": {"Algorithm": "Normalized min-sum", "ScalingFactor": 1},
    "Normalized min-sum, ScalingFactor=0.75": {"Algorithm": "Normalized min-sum"},
}
soft = soft_bits(coded, 2.0)
found = {name: nrLDPCDecode(soft.copy(), GRAPH, ITERATIONS, **options)[0] for name, options in CASES.items()}
found["belief propagation by its definition"] = belief_propagation(soft)
before = np.mean((soft < 0) != coded)
print(f"LDPC of rate 1/5, {ITERATIONS} iterations, SNR -3 dB: wrong bits (before decoding {before:.1%})")
for name, decoded in found.items():
    print(f"{name}: {np.mean(decoded != bits):.2%}")
first, *others = found.values()
same = [np.array_equal(first, decoded) for decoded in others]
print("the same bits as the default:", *same)
as_seen = same == [True, True, True, False, False] and np.mean(first != bits) > before
as_seen = as_seen and not np.any(found["belief propagation by its definition"] != bits)

LENGTH, INFORMATION = 512, 56
message = rng.integers(0, 2, INFORMATION)
word = nrPolarEncode(message, LENGTH)
blocks = [soft_bits(word, 4.0) for _ in range(20)]
lists = [[nrPolarDecode(soft, INFORMATION, LENGTH, length, iil=False) for soft in blocks] for length in (1, 8, 32)]
lost = [(soft, decoded) for soft, decoded in zip(blocks, lists[1]) if not np.array_equal(decoded, message)]
unlikely = sum((1 - 2 * nrPolarEncode(decoded, LENGTH)) @ soft < (1 - 2 * word) @ soft for soft, decoded in lost)
same = np.array_equal(lists[0], lists[1]) and np.array_equal(lists[0], lists[2])
print(f"polar code, {INFORMATION} of {LENGTH} bits, SNR -6 dB, L=8: {len(lost)} of {len(blocks)} words lost,", end=" ")
print(f"{unlikely} of these for a less likely one; the same bits with L=1, 8 and 32: {same}")
as_seen = as_seen and same and unlikely > 2
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
PY
