#!/usr/bin/env bash
# liquid-dsp's Python package: its rational resampler gets louder the more it decimates, 14 dB at a fifth of the rate.
#
# Seen with: liquid-dsp 1.8.3, numpy 2.3.3.
# One would expect: gain 1 in the pass band, as msresamp of the same package has at any rate, and as the docstring of scale
#   ("get/set filter output scaling") with its default of 1 suggests.
# What happens: decimation by 3/2, 2 and 5 has a gain of 3.5, 6 and 14 dB, a rate of 3/2 with bw = 0.25 one of 6 dB.
#   Interpolation with the usual bw has 0 dB, so that nobody notices who tries that first. The same scale of 1 is read back each time.
# Where it comes from: bind/rresamp.hh. The filter's gain is one over twice its bandwidth. The C constructor sets the scale
#   that makes up for the bandwidth; the binding sets it to its own default of 1 afterwards. The docstring of the
#   constructor says "output rate Q/P" besides, and it is P/Q.
# Why it matters: one decimates right behind a radio. Samples that filled a quarter of full scale clip when they are stored in
#   16 bits, thresholds of energy detectors are off, and a noise variance measured before the resampler is wrong by 14 dB
#   for the soft decoder, or the noise-aware JSCC decoder, behind it. Remedy: scale = twice the narrower bandwidth over
#   the input's rate (2 * 0.5 * P / Q), or msresamp.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile "liquid-dsp==1.8.3" "numpy==2.3.3"
"$work/venv/bin/python" -W ignore - <<'PY'
import importlib.metadata
import sys

import liquid
import numpy as np

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("liquid-dsp", "numpy")))
slow = np.exp(0.01j * np.arange(12000)).astype(np.complex64)  # far inside of every filter


def gain_db(resampler):
    return float(10 * np.log10(np.mean(np.abs(resampler.execute(slow)[200:]) ** 2)))


as_seen = True
for up, down, more, expected in (
    (3, 2, {}, 0), (5, 1, {}, 0), (3, 2, {"bw": 0.25}, 6.0), (2, 3, {}, 3.5), (1, 2, {}, 6.0), (1, 5, {}, 14.0),
):  # fmt: skip
    resampler = liquid.rresamp(up, down, **more)
    gain, other = gain_db(resampler), gain_db(liquid.msresamp(up / down))
    mended = gain_db(liquid.rresamp(up, down, **more, scale=2 * more.get("bw", min(0.5, 0.5 * up / down))))
    print(f"rresamp({up}, {down}) {more or ''}: gain {gain:.2f} dB, scale {resampler.scale}; with the remedy "
          f"{mended:.2f} dB; msresamp {other:.2f} dB")  # fmt: skip
    as_seen = as_seen and abs(gain - expected) < 0.1 and max(abs(other), abs(mended)) < 0.1 and resampler.scale == 1
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
PY
