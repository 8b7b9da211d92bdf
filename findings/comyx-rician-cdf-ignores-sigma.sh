#!/usr/bin/env bash
# comyx: the distribution function of its Rician fading has no scale, so that outages are read off another channel than
#   the one that samples and density are of; rms_value knows nothing of K.
#
# Seen with: comyx 0.2.5, numpy 1.26.4, scipy 1.13.1.
# One would expect: Rician(K, sigma).cdf(x) to be the share of get_samples() below x, and the integral of pdf() up to x;
#   rms_value() the root of the mean square, which is sigma * sqrt(2 K + 2).
# What happens: cdf() answers for sigma = 1 whatever sigma is. With K = 4 and a mean power of 1 (sigma = 0.316) it gives
#   an outage of 0.27 % below half the amplitude, where there is one of 6.8 %; with K = 10 one of 0.001 % instead of
#   1.1 %. rms_value() gives 0.598 at that sigma, for every K; it is 1.
# Where it comes from: fading/rician.py. pdf() and get_samples() have sigma, cdf() calls scipy's rice.cdf(x, nu / sigma)
#   without scale=sigma. rms_value() is the formula of the docstring, sigma * sqrt(2 + pi / 2), which has no K.
# Why it matters: the outage probability is 1 - reliability of a link, and cdf() at the threshold is how one gets it in
#   closed form. A simulation beside it looks 4 to 1000 times too bad. Remedy: cdf(x / sigma); sqrt(omega), which is
#   right, in place of rms_value().
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile "numpy==1.26.4" "scipy==1.13.1" "pandas==2.2.3" "mpmath==1.3.0"
"$work/venv/bin/pip" install --quiet --no-compile --no-deps "comyx==0.2.5"
"$work/venv/bin/python" - <<'PY'
import importlib.metadata
import sys

import numpy as np
from comyx.fading import Rician
from scipy.integrate import quad

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("comyx", "numpy", "scipy")))
wrong = []
for k in (1.0, 4.0, 10.0):
    sigma = (2 * k + 2) ** -0.5  # of mean power 1
    fading = Rician(k, sigma)
    samples = fading.get_samples(400_000, seed=1)
    share, by_density = (samples < 0.5).mean(), quad(fading.pdf, 0, 0.5)[0]
    said, scaled = float(fading.cdf(0.5)), float(fading.cdf(0.5 / sigma))
    rms = np.sqrt(np.square(samples).mean())
    print(f"K {k:g}: below 0.5 are {share:.5f} of the samples and of the density {by_density:.5f}; cdf {said:.5f}, "
          f"cdf(0.5 / sigma) {scaled:.5f}; root mean square {rms:.3f}, rms_value {fading.rms_value():.3f}, "
          f"sqrt(omega) {np.sqrt(fading.omega):.3f}")  # fmt: skip
    sound = abs(share - by_density) < 0.002 and abs(scaled - by_density) < 1e-5 and abs(rms - 1) < 0.01
    wrong.append(sound and said < by_density / 2 and abs(fading.rms_value() - rms) > 0.05)
unit = Rician(4.0, 1.0)
right_at_one = abs(float(unit.cdf(2.0)) - quad(unit.pdf, 0, 2.0)[0]) < 1e-6
if not all(wrong) or not right_at_one:
    sys.exit("the behaviour has changed")
print("as described")
PY
