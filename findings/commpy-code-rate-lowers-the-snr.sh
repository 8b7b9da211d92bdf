#!/usr/bin/env bash
# CommPy: whoever states the rate of a code gets a channel that is worse than the SNR asked for, by that rate: 3 dB at 1/2.
#
# Seen with: scikit-commpy 0.8.0, numpy 2.3.3.
# One would expect: what the docstrings say. `awgn(input_signal, snr_dB, rate)`: "Output signal from the channel with the
#   specified SNR". `link_performance`: "SNR_dB = (Eb/N0)_dB + 10 log10(Rc Mc)", Rc the rate of the code and Mc the bits a
#   symbol: that is Es/N0 of the symbols on the air, in which the rate has its place already.
# What happens: the rate is taken into account a second time. At SNR 10 dB the symbols arrive with 10 dB for rate 1, 7 dB
#   for rate 1/2, 5.2 dB for rate 1/3, of both functions. Without a code all is right.
# Where it comes from: channels.py. The power of the noise is divided by the rate (awgn), as is its square in
#   SISOFlatChannel.set_SNR_dB, which links.py calls with the rate and with Es, not with Eb times the bits a symbol.
# Why it matters: curves of separate source and channel coding, the baseline of JSCC, come out 3 dB too far to the right
#   for a code of rate 1/2, and more for stronger ones, while uncoded analogue transmission beside them is exact. It
#   flatters the learned scheme. Remedy: leave the rate at 1 and state Es/N0.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile setuptools wheel "numpy==2.3.3" "scipy==1.17.1" sympy
"$work/venv/bin/pip" install --quiet --no-compile --no-build-isolation --no-deps "scikit-commpy==0.8.0"
"$work/venv/bin/python" - <<'PY'
import importlib.metadata
import math
import sys
from fractions import Fraction
from types import ModuleType

import numpy as np

for name in ("matplotlib", "matplotlib.pyplot"):  # only to draw constellations
    sys.modules[name] = ModuleType(name)
from commpy.channels import SISOFlatChannel, awgn
from commpy.links import LinkModel, link_performance
from commpy.modulation import QAMModem

print("scikit-commpy", importlib.metadata.version("scikit-commpy"), "numpy", np.__version__)
np.random.seed(1)
modem = QAMModem(4)


def snr_db(sent, received):
    return 10 * math.log10(np.mean(np.abs(sent) ** 2) / np.mean(np.abs(received - sent) ** 2))


def of_awgn(rate):
    symbols = modem.modulate(np.random.randint(0, 2, 100_000))
    return snr_db(symbols, awgn(symbols, 10, float(rate)))


def of_link(rate):
    """Es/N0 on the air in a simulation of a link whose code repeats each bit (rate 1/2, 1/3) or is none."""
    sent, received = [], []

    def modulate(bits):
        sent.append(modem.modulate(np.repeat(bits, 1 / rate)))
        return sent[-1]

    def receive(symbols, gains, constellation, noise_var):
        received.append(symbols)
        return modem.demodulate(symbols, "hard")

    def decode(bits):
        return bits.reshape(-1, int(1 / rate)).sum(axis=1) * 2 > 1 / rate

    channel = SISOFlatChannel(fading_param=(1 + 0j, 0))
    link = LinkModel(modulate, channel, receive, 2, modem.constellation, modem.Es, decode, rate)
    link_performance(link, [10], send_max=20_000, err_min=1e9, send_chunk=20_000, code_rate=rate)
    return snr_db(np.concatenate(sent), np.concatenate(received))


seen = {rate: (of_awgn(rate), of_link(rate)) for rate in (Fraction(1), Fraction(1, 2), Fraction(1, 3))}
for rate, (alone, link) in seen.items():
    print(f"asked for 10 dB with a code of rate {rate}: awgn gives {alone:.2f} dB, link_performance {link:.2f} dB")
as_seen = all(abs(value - 10 - 10 * math.log10(rate)) < 0.15 for rate, values in seen.items() for value in values)
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
PY
