#!/usr/bin/env bash
# sewar: the MS-SSIM of a colour picture is that of a picture whose colours have run into each other.
#
# Seen with: sewar 0.4.10, scipy 1.17.1.
# One would expect: sewar's README names the paper of Wang, Simoncelli and Bovik (2003) for it: filter, halve, and compare
#   structure again, on grey pictures. For colour one takes the mean over the channels, as sewar's own `ssim` does. So
#   msssim(picture) is close to the mean of msssim(channel), and errors that only differ in their colour cost the same.
# What happens: a channel alone gives what others give (pytorch-msssim 1.0.0 agrees to 0.02 dB of -10 log10(1 - MS-SSIM)),
#   and so does a picture whose errors are grey. Errors of the same strength that are independent between the colours,
#   as those of a codec that works on RGB, are told 1 dB smaller.
# Where it comes from: full_ref.py, msssim. Between scales it calls `uniform_filter(image, 2)` of SciPy on the array
#   H x W x C, which averages pairs along *each* axis, the colours too: red with itself, green with red, blue with green.
#   From the second scale on, noise of one channel is averaged away by its neighbour's.
# Why it matters: MS-SSIM in dB is an axis of most figures of learned compression and of JSCC. Two codecs are ordered by
#   the colour of their errors, and no figure can be held beside one of another implementation. Remedy: call it once a
#   channel and take the mean.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile "sewar==0.4.10" "scipy==1.17.1" "numpy==2.3.3"
"$work/venv/bin/python" - <<'PY'
import importlib.metadata
import math
import sys

import numpy as np
from scipy.ndimage import gaussian_filter
from sewar.full_ref import msssim

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("sewar", "scipy", "numpy")))
rng = np.random.default_rng(1)
SHAPE = (256, 256, 3)


def grey():
    """Noise that is the same in all three channels."""
    return np.repeat(rng.standard_normal((*SHAPE[:2], 1)), 3, axis=2)


# Like a photograph: structure of all sizes in brightness, little of it in colour.
field = sum(width * gaussian_filter(grey() + 0.1 * rng.standard_normal(SHAPE), (width, width, 0)) for width in (1, 4, 16))
picture = np.interp(field, (field.min(), field.max()), (30, 225)).round().astype(np.uint8)


def decibels(value):
    return -10 * math.log10(1 - value)


gained = {}
for name, noise in {"grey": grey(), "independent between colours": rng.standard_normal(SHAPE)}.items():
    received = np.clip(picture + 25 * noise, 0, 255).round().astype(np.uint8)
    at_once = decibels(float(msssim(picture, received)))
    each = decibels(float(np.mean([msssim(picture[..., c], received[..., c]) for c in range(3)])))
    print(f"noise {name}: the picture {at_once:.2f} dB, the mean of its channels {each:.2f} dB")
    gained[name] = at_once - each
as_seen = abs(gained["grey"]) < 0.1 and gained["independent between colours"] > 0.7
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
PY
