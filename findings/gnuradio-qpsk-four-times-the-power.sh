#!/usr/bin/env bash
# GNU Radio: of its ready-made constellations, QPSK and DQPSK are sent with four times the power of all others.
#
# Seen with: GNU Radio 3.10.5.1 (Debian 12), Python 3.11; the points are the same in the source of 3.10.12.
# Expected: points of mean power 1, as those of constellation_bpsk, _8psk and _16qam are, and as every constellation is that
#   is made of points of one's own (constellation.h: normalised "to mean(abs(points))=1 (default)"). The noise power of
#   the soft decoder is documented as "10**(-SNR/10) if the constellation is received at unit average power".
# Seen: the points of constellation_qpsk and constellation_dqpsk are (+-1.414, +-1.414), of power 4. A flowgraph with noise
#   of 10 dB has BPSK, 8PSK and 16QAM at 10 dB and QPSK at 16 dB; psk_constellation(4) of the same package has power 1.
# From: constellation.cc: sqrt(2) where its inverse was meant, and these constructors never call normalize().
# Matters: a sweep over modulations with one channel model shows QPSK 6 dB better than it is. An adaptive link stays with it
#   too long, and a sink with full scale 1 clips all of it. Multiply by 0.5, or use digital.psk_constellation(4).
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
from gnuradio import blocks, gr

# Bare packages: what their __init__.py import needs Qt and SciPy.
for name in ("analog", "digital"):
    package = sys.modules[f"gnuradio.{name}"] = ModuleType(f"gnuradio.{name}")
    package.__path__ = [f"{gnuradio.__path__[0]}/{name}"]
from gnuradio.analog import analog_python as analog  # noqa: E402
from gnuradio.digital import digital_python as digital  # noqa: E402

NOISE_DB, COUNT = -10, 100_000


def snr_db(points):
    """Of random symbols of a constellation behind noise of power 0.1."""
    numbers = np.random.default_rng(1).integers(0, len(points), COUNT)
    graph, clean, noisy = gr.top_block(), blocks.vector_sink_c(), blocks.vector_sink_c()
    mapper, add = digital.chunks_to_symbols_bc(points), blocks.add_cc()
    noise = analog.noise_source_c(analog.GR_GAUSSIAN, 10 ** (NOISE_DB / 20), 1)
    graph.connect(blocks.vector_source_b(numbers.tolist()), mapper, (add, 0), noisy)
    graph.connect(noise, (add, 1))
    graph.connect(mapper, clean)
    graph.run()
    sent, received = np.array(clean.data()), np.array(noisy.data())
    return 10 * math.log10(np.mean(abs(sent) ** 2) / np.mean(abs(received - sent) ** 2))


print("GNU Radio", gr.version(), "Python", sys.version.split()[0], digital.__file__.split("/root/")[-1])
as_seen = True
for name, quadrupled in {"bpsk": False, "qpsk": True, "dqpsk": True, "8psk": False, "16qam": False}.items():
    points = getattr(digital, f"constellation_{name}")().points()
    power, found = float(np.mean(np.abs(points) ** 2)), snr_db(points)
    print(f"constellation_{name}: mean power {power:.2f}, with noise of {NOISE_DB} dB an SNR of {found:.2f} dB")
    as_seen = as_seen and abs(power - (4 if quadrupled else 1)) < 0.01 and abs(found - (16.02 if quadrupled else 10)) < 0.1
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
P
libs=root/usr/lib/x86_64-linux-gnu
PYTHONPATH=root/usr/lib/python3/dist-packages LD_LIBRARY_PATH=$libs:root/lib/x86_64-linux-gnu:$libs/blas:$libs/lapack \
  /usr/bin/python3 try.py
