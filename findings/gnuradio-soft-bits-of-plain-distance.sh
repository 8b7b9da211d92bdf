#!/usr/bin/env bash
# GNU Radio before 3.10.9: soft bits are of the distance to the points where Gaussian noise asks for its square.
#
# Seen with: GNU Radio 3.10.5.1 (Debian 12), Python 3.11. The sources of 3.10.9.2 have it right.
# Expected: calc_soft_dec(sample, npwr) of a constellation, and the look-up tables and the block "Constellation Soft Decoder"
#   that are made of it, give log-likelihood ratios for noise of power npwr (constellation.h: "estimate of the noise
#   power"): of QPSK with points of power 1 and a sample r, 2 sqrt(2) Re r / npwr.
# Seen: probabilities are exp(-|r - point| / npwr). Signs are right, so that hard decisions and tests without noise pass;
#   values are not: -1.3 where -5.7 is right at 0 dB, strong samples are trusted little more than weak ones, and the
#   value of one bit depends on the noise of the other. Of what a bit of QPSK tells at 0 dB, a decoder that believes in
#   these values loses 30 %, at 3 dB 12 %; one that only compares them (min-sum, Viterbi) 3 % and 1 %.
# From: constellation.cc, calc_soft_dec: dist is std::abs of the difference. Rewritten in August 2023.
# Matters: Debian 12's is the GNU Radio many testbeds run. The digital baseline of a comparison is 1 to 2 dB worse
#   than its code where codes of low rate work (0 to 3 dB), which is where JSCC is said to win. Compute LLRs in numpy, or take 3.10.9.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
only="--no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances"
# shellcheck disable=SC2086
libraries=$(apt-cache depends --recurse $only libgnuradio-digital3.10.5 libgnuradio-network3.10.5 libgnuradio-pdu3.10.5 \
  | grep -E '^lib' | grep -vE '^lib(c6|c-bin|gcc|stdc|crypt1|python|qt|icu|krb|gss|systemd)' | sort -u)
# shellcheck disable=SC2086
apt-get -qq download gnuradio=3.10.5.1-3 $libraries python3-numpy libblas3 liblapack3 libgfortran5 libquadmath0 2> /dev/null
for package in *.deb; do dpkg -x "$package" root; done
cat > try.py <<'P'
import math
import sys
from types import ModuleType

import gnuradio
import numpy as np
from gnuradio import gr

package = sys.modules["gnuradio.digital"] = ModuleType("gnuradio.digital")  # what its __init__.py imports needs SciPy
package.__path__ = [f"{gnuradio.__path__[0]}/digital"]
from gnuradio.digital import digital_python as digital  # noqa: E402

POINTS = [(1 - 2 * (n & 1) + 1j * (1 - (n & 2))) / math.sqrt(2) for n in range(4)]  # bit 0: left or right, bit 1: up or down
qpsk = digital.constellation_calcdist(POINTS, [], 4, 1)
rng = np.random.default_rng(1)


def told(soft, ones, scale):
    """Bits of information that soft bits (positive: 1) carry for a decoder that takes scale times their value."""
    return 1 - np.mean(np.log2(1 + np.exp(-scale * soft * (2 * ones - 1))))


def shares_lost(snr_db, count=20_000):
    npwr = 10 ** (-snr_db / 10)
    numbers = rng.integers(0, 4, count)
    noise = (rng.standard_normal(count) + 1j * rng.standard_normal(count)) * math.sqrt(npwr / 2)
    received = np.array(qpsk.points())[numbers] + noise
    found = np.array([qpsk.calc_soft_dec(complex(r), npwr) for r in received])
    ones = np.stack([numbers >> 1, numbers & 1], axis=1)
    right = -2 * math.sqrt(2) * np.stack([received.imag, received.real], axis=1) / npwr
    assert np.array_equal(found > 0, right > 0), "even the signs are others"
    best = max(told(found, ones, scale) for scale in np.geomspace(0.2, 5, 50))
    whole = told(right, ones, 1)
    return 1 - told(found, ones, 1) / whole, 1 - best / whole


print("GNU Radio", gr.version(), "Python", sys.version.split()[0], digital.__file__.split("/root/")[-1])
for sample in (0.1 + 0.7j, 0.7 + 0.7j, 2 + 0.7j, 0.7 + 3j):
    _, found = qpsk.calc_soft_dec(sample, 1)
    print(f"soft bit of {sample} at 0 dB: {found:.3f}, that of Gaussian noise is {-2 * math.sqrt(2) * sample.real:.3f}")
lost = {snr_db: shares_lost(snr_db) for snr_db in (0, 3, 6)}
for snr_db, (believed, compared) in lost.items():
    print(f"QPSK at {snr_db} dB: {believed:.1%} of the information lost as they are, {compared:.1%} with the best scale")
as_seen = lost[0][0] > 0.25 and lost[3][0] > 0.08 and lost[0][1] > 0.02
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
P
libs=root/usr/lib/x86_64-linux-gnu
PYTHONPATH=root/usr/lib/python3/dist-packages LD_LIBRARY_PATH=$libs:root/lib/x86_64-linux-gnu:$libs/blas:$libs/lapack \
  /usr/bin/python3 try.py
