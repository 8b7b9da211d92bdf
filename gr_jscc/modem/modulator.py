"""Payload symbols to samples.

The FFT is unitary. When the payload has mean power 1, every used carrier has power 1, and white noise of variance v per
complex sample is noise of variance v on every carrier: Es/N0 per data subcarrier is 1/v. A sample's mean power is
used_count / fft_size.
"""

import numpy as np
import scipy.fft

from .header import BurstHeader, header_symbols
from .layout import burst_length, fill_header, filler, header_ofdm_symbols, payload_ofdm_symbols, pilot_values, scramble
from .numerology import DEFAULT_NUMEROLOGY, Numerology
from .papr import clip_and_filter
from .preamble import PREAMBLE_SYMBOLS, preamble_samples

__all__ = ["modulate"]


def modulate(
    header: BurstHeader,
    symbols: np.ndarray,
    numerology: Numerology = DEFAULT_NUMEROLOGY,
    papr_limit_db: float | None = None,
) -> np.ndarray:
    """One burst: preamble, header and payload. Cells left over in the last OFDM symbol carry a pseudo-random filler.

    Args:
        header: `header.symbols` must be the number of `symbols`.
        symbols: complex64[k], sent as they are; mean power 1 for the SNR to mean what it says.
        papr_limit_db: peak over mean power that header and payload are clipped to, dB; None leaves them alone.

    Returns:
        complex64[burst_length(header, numerology)].

    Raises:
        ValueError: the number of symbols is not the header's, or a symbol is not finite.
    """
    symbols = np.asarray(symbols, np.complex64)
    if symbols.shape != (header.symbols,):
        raise ValueError(f"the header states {header.symbols} symbols, but their shape is {symbols.shape}")
    if not np.isfinite(symbols.view(np.float32)).all():
        raise ValueError("a payload symbol is not finite")
    head = header_ofdm_symbols(numerology)
    rows = payload_ofdm_symbols(header.symbols, numerology)
    cells = np.empty((head + rows, numerology.data_count), np.complex64)
    cells[:head] = fill_header(header_symbols(header), numerology)
    payload = cells[head:].reshape(-1)
    payload[: len(symbols)] = symbols
    payload[len(symbols) :] = filler(len(payload) - len(symbols))
    spectrum = np.zeros((head + rows, numerology.fft_size), np.complex64)
    spectrum[:, numerology.data_bins] = cells * scramble(numerology, 0, head + rows)
    spectrum[:, numerology.pilot_bins] = pilot_values(numerology, 0, head + rows)
    if papr_limit_db is not None:
        spectrum = clip_and_filter(spectrum, papr_limit_db, numerology)
    bodies = scipy.fft.ifft(spectrum, axis=1, norm="ortho", overwrite_x=True)
    samples = np.empty(burst_length(header, numerology), np.complex64)
    opening = PREAMBLE_SYMBOLS * numerology.symbol_len
    samples[:opening] = preamble_samples(numerology)
    grid = samples[opening:].reshape(head + rows, numerology.symbol_len)
    grid[:, numerology.cp_len :] = bodies
    grid[:, : numerology.cp_len] = bodies[:, -numerology.cp_len :]
    return samples
