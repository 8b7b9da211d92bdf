#!/usr/bin/env bash
# SoapySDR: its converters turn a sample at +1, which is full scale, into one at -1, and weak noise into less of it.
#
# Seen with: libsoapysdr0.8 0.8.1-3 (Debian 12, amd64).
# One would expect: full scale is "the maximum possible value" (Device.h, getNativeStreamFormat), 1.0 of CF32. No page of the
#   converters says that it is not to be reached, so that 1.0 becomes 32767 and what is beyond is clipped, as an ADC does.
# What happens: 1.0 becomes -32768 in CS16, -128 in CS8, and 0 (the bottom) in CU8; 1.5 becomes -0.5. No status tells. And
#   what is below one step is 0 on either side of zero (the fraction is cut off): noise with a deviation of half a step
#   of CS8 loses 7.4 dB, where rounding adds 1.2 dB to it.
# Where it comes from: include/SoapySDR/ConverterPrimitives.hpp, F32toS16 and its kin: a cast of the product with 2^15, which
#   C++ leaves undefined where the value does not fit; x86 keeps the low bits. The registry (Converters.h) is public, and
#   modules for receivers offer the formats their device lacks through it.
# Why it matters: a recording in CS16 or CS8 of a strong signal is not clipped, which a receiver survives, but full of steps
#   by twice the full scale, whose spectrum covers the band. The drivers SoapyBladeRF and SoapyRemote convert what is sent
#   likewise, and OFDM whose peaks were clipped is at 1.0 often. Remedy: clip one step below 1.0 before sending; receive in
#   the device's native format and convert with np.clip and np.rint.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
apt-get -qq download libsoapysdr0.8=0.8.1-3 2> /dev/null
dpkg -x libsoapysdr*.deb root
cat > try.py <<'P'
import ctypes
import math
import random
import sys
from array import array
from pathlib import Path

library = ctypes.CDLL(str(next(Path("root").rglob("libSoapySDR.so.0.8"))))
library.SoapySDR_getLibVersion.restype = ctypes.c_char_p
FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_double)
library.SoapySDRConverter_getFunction.restype = FUNCTION
CODES = {b"CF32": "f", b"CS16": "h", b"CS8": "b", b"CU8": "B"}


def converted(values, target):
    """Complex floats, real and imaginary part in turn, in another of SoapySDR's formats."""
    source, result = array("f", values), array(CODES[target], [0] * len(values))
    convert = library.SoapySDRConverter_getFunction(b"CF32", target)
    convert(source.buffer_info()[0], result.buffer_info()[0], len(values) // 2, 1.0)
    return list(result)


print("SoapySDR", library.SoapySDR_getLibVersion().decode())
VALUES = [0.5, 0.999, 1.0, 1.5, -1.0, -0.5]
seen = {target: converted(VALUES, target) for target in (b"CS16", b"CS8", b"CU8")}
print("CF32:", VALUES)
for target, values in seen.items():
    print(f"{target.decode()}:", values)
random.seed(1)
noise = [random.gauss(0, 0.5 / 128) for _ in range(200_000)]
power = [sum(value**2 for value in values) for values in (noise, [value / 128 for value in converted(noise, b"CS8")])]
left = 10 * math.log10(power[1] / power[0])
print(f"power of noise with a deviation of half a step of CS8: {left:+.1f} dB")
as_seen = (
    seen[b"CS16"] == [16384, 32735, -32768, -16384, -32768, -16384]
    and seen[b"CS8"] == [64, 127, -128, -64, -128, -64]
    and seen[b"CU8"] == [192, 255, 0, 64, 0, 64]
    and left < -5
)
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
P
/usr/bin/python3 try.py
