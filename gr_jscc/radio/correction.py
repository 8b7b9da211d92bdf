"""What undoes a radio's DC offset and IQ imbalance, sample by sample; the figures come from ``gr-jscc calibrate``.

A mixer whose arms differ makes y = μ x + ν x* + d of a signal x (Schenk, "RF Imperfections in High-rate Wireless
Systems", 2008, ch. 5). One complex number k undoes the image, at the receiver k = -ν/μ*, at the transmitter k = -ν/μ;
what remains of the signal is x times a constant, which belongs to the channel.
"""

from __future__ import annotations

import numpy as np

__all__ = ["correct_receive", "predistort"]


def correct_receive(samples: np.ndarray, dc: complex, iq: complex) -> np.ndarray:
    """Received samples without the receiver's DC offset and image: z + k z*, where z = y - d.

    Args:
        samples: y, complex64[n], as they come from the converter, before any digital shift in frequency.
        dc: d, in units of the samples.
        iq: k.

    Returns:
        complex64[n]; the input is left as it was.
    """
    out = np.subtract(samples, np.complex64(dc), dtype=np.complex64)
    return _with_image(out, iq) if iq else out


def predistort(samples: np.ndarray, dc: complex, iq: complex) -> np.ndarray:
    """Samples from which the transmitter's imbalance and leakage of its local oscillator make the wanted ones:
    x + k x* - c.

    Args:
        samples: x, complex64[n], scaled for the converter and after any digital shift in frequency.
        dc: c, as it would have to be sent to make the leakage, in units of the samples: c μ + c* ν = d.
        iq: k.

    Returns:
        complex64[n]; the input is left as it was.
    """
    out = _with_image(np.array(samples, np.complex64), iq) if iq else np.array(samples, np.complex64)
    out -= np.complex64(dc)
    return out


def _with_image(samples: np.ndarray, iq: complex) -> np.ndarray:
    """samples + iq·conj(samples), written over them: real arithmetic takes half the time of complex."""
    real, imag = samples.real.copy(), samples.imag
    re, im = np.float32(iq.real), np.float32(iq.imag)
    samples.real += re * real + im * imag
    samples.imag += im * real - re * imag
    return samples
