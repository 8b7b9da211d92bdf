#!/usr/bin/env bash
# scikit-dsp-comm: its Viterbi decoder, given soft values as documented, errs more than with their signs alone, and
#   takes the bits that depuncture marks as erased for likely zeros.
#
# Seen with: scikit-dsp-comm 2.1.2, numpy 2.3.3.
# One would expect: viterbi_decoder(x, "unquant"), "unquantized soft decision decoding. Expects +/-1 input values",
#   gains 2 dB over "hard"; and depuncture's default erase_value=3.5, the middle of the 3-bit soft values 0 to 7 that
#   the default metric "soft" expects, says nothing for either bit.
# What happens: no error, and without noise no wrong bit. But at rate 1/2, K = 3 and 6 dB "unquant" has more than three
#   times the bit errors of "hard"; of the same values mapped to 0 and 1 it has next to none. Punctured to 3/4, "soft"
#   has twice the errors at 4 dB that neutral erasures give, and no erase_value is neutral.
# Where it comes from: fec_conv.py, bm_calc. For "unquant" it squares the distance to the code bit, 0 or 1, not to -1 or
#   1. The threshold is then 0.5; a path with zeros in place of ones is at half its distance (6 dB), one with ones in
#   place of zeros at one and a half times. For "soft" it takes int() of each value: 3.5 is 3, whose squared distance
#   is 9 from a zero and 16 from a one.
# Why it matters: +/-1 plus noise is what BPSK and QPSK give. The curve looks like a decoder's, only 3 to 4 dB late, and
#   a JSCC scheme beats "convolutional code, soft decisions" by as much. Remedy: "unquant" of (x + 1) / 2 and
#   erase_value=0.5; for quantized values, divided by 7, too.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile "numpy==2.3.3" "scipy==1.17.1"
"$work/venv/bin/pip" install --quiet --no-compile --no-deps "scikit-dsp-comm==2.1.2"
"$work/venv/bin/python" -W ignore - <<'PY'
import importlib.metadata
import sys
from types import ModuleType

import numpy as np

for name in ("matplotlib", "matplotlib.pyplot", "matplotlib.pylab", "matplotlib.mlab"):  # only to draw
    sys.modules[name] = ModuleType(name)
from sk_dsp_comm.fec_conv import FECConv  # noqa: E402

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("scikit-dsp-comm", "numpy")))
PATTERN = ("110", "101")  # every second bit of the code's rate 1/2 three times in turn: 3/4
rng = np.random.default_rng(1)
code = FECConv(("111", "101"), 20)
bits = rng.integers(0, 2, 21000)
coded, _ = code.conv_encoder(bits, "00")


def errors(values, metric):
    decoded = code.viterbi_decoder(values, metric)
    return int(np.sum(decoded != bits[: len(decoded)]))


def received(sent, ebn0_db):
    rate = len(bits) / len(sent)
    return 2 * sent - 1 + rng.standard_normal(len(sent)) * np.sqrt(0.5 / rate / 10 ** (ebn0_db / 10))


def own_errors(values):
    """The Viterbi decoder of the same code written anew: the path that correlates best with +/-1."""
    totals, steps = [0.0, -1e9, -1e9, -1e9], []
    for first, second in values.reshape(-1, 2):
        best, step = [-1e12] * 4, [None] * 4
        for state in range(4):  # the newest bit, twice, and the one before
            new, old = divmod(state, 2)
            for bit in (0, 1):
                total = totals[state] + (2 * (bit ^ new ^ old) - 1) * first + (2 * (bit ^ old) - 1) * second
                if total > best[2 * bit + new]:
                    best[2 * bit + new], step[2 * bit + new] = total, (state, bit)
        totals = best
        steps.append(step)
    state, found = int(np.argmax(totals)), []
    for step in reversed(steps):
        state, bit = step[state]
        found.append(bit)
    return int(np.sum(np.array(found[::-1]) != bits))


clean = errors(2 * coded[:2000] - 1, "unquant")
noisy = received(coded, 6)
hard, documented = errors((noisy > 0).astype(int), "hard"), errors(noisy, "unquant")
mapped, own = errors((noisy + 1) / 2, "unquant"), own_errors(noisy)
print(f"rate 1/2, {len(bits)} bits, 6 dB: hard {hard} wrong, unquant {documented}, unquant of (x + 1) / 2 {mapped}, "
      f"a decoder written anew {own}; without noise, unquant {clean}")  # fmt: skip
away = [code.bm_calc(reference, [3.5, 3.5], "soft", 3) // 2 for reference in (0b00, 0b11)]
levels = np.clip(np.round(3.5 * received(code.puncture(coded, PATTERN), 4) + 3.5), 0, 7)
default = errors(code.depuncture(levels, PATTERN), "soft")
upper = errors(code.depuncture(levels, PATTERN, 4), "soft")
neutral = errors(code.depuncture(levels, PATTERN) / 7, "unquant")
print(f"rate 3/4, 4 dB, 3-bit soft values: erased as 3.5 {default} wrong, as 4 {upper}, neutrally {neutral}; "
      f"squared distances of 3.5 from zero and one: {away}")  # fmt: skip
as_seen = clean == 0 and documented > 1.5 * hard and hard > 5 * mapped and own == mapped
as_seen = as_seen and away == [9, 16] and min(default, upper) > 1.5 * neutral > 0
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
PY
