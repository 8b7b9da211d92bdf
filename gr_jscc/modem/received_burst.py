"""What a demodulator hands out."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from gr_jscc.modem.header import BurstHeader

__all__ = ["HeaderSource", "ReceivedBurst"]


class HeaderSource(IntEnum):
    """How a burst's header is known.

    Example:
        >>> HeaderSource.BETWEEN > HeaderSource.READ
        True
    """

    #: It was read, and its CRC checked.
    READ = 0
    #: It was not heard, but the burst fills the place between others. Of a round's last burst the size is the most that
    #: it can be.
    BETWEEN = 1
    #: It was not heard, and the burst stands where it must be if its round was sent from the beginning.
    BEFORE = 2


@dataclass(frozen=True)
class ReceivedBurst:
    """A burst as received.

    Attributes:
        header: its header.
        symbols: complex64[header.symbols], equalised, of unit gain and without bias, in the order of sending; 0 where
            nothing arrived.
        noise_var: float32[header.symbols], variance of the complex error of each, for sent symbols of mean power 1;
            ``inf`` where nothing arrived because samples are missing.
        start: sample of the stream, counted from 0, at which the burst began.
        cfo: carrier frequency offset in cycles per sample.
        snr_db: Es/N0 per data subcarrier as received, before equalisation, in dB.
        evm_db: error of the known cells of preamble and header relative to their power, in dB; of a burst whose header
            was not read those of a neighbour.
        source: how the header is known.

    Example:
        >>> from gr_jscc.modem import BurstHeader, BurstKind, StreamDemodulator, modulate
        >>> header = BurstHeader(BurstKind.ANALOG, transfer=1, round=0, index=0, count=1, symbols=480)
        >>> samples = np.concatenate([np.zeros(700), modulate(header, np.ones(480, np.complex64)), np.zeros(2000)])
        >>> demodulator = StreamDemodulator()
        >>> (burst,) = demodulator.push(samples) + demodulator.flush()
        >>> burst.start, len(burst.symbols), bool(burst.noise_var.max() < 1e-3)
        (700, 480, True)
    """

    header: BurstHeader
    symbols: np.ndarray
    noise_var: np.ndarray
    start: int
    cfo: float
    snr_db: float
    evm_db: float
    source: HeaderSource = HeaderSource.READ
