"""The OFDM modem for analog symbols: numpy and scipy, no GNU Radio.

`modulate` makes a burst of samples from a `BurstHeader` and symbols; `StreamDemodulator` finds bursts in a stream and
hands out `ReceivedBurst`s. `encode_digital` and `decode_digital` turn bytes into symbols and back.
"""

from .demodulator import DemodulatorCounters, ReceivedBurst, StreamDemodulator
from .digital import MCS, Mcs, decode_digital, digital_symbol_count, encode_digital, max_digital_bytes
from .header import (
    HEADER_SYMBOLS,
    MAX_BURSTS,
    MAX_ROUND,
    MAX_SYMBOLS,
    MAX_TRANSFER,
    BurstHeader,
    BurstKind,
    HeaderError,
    decode_header,
    header_symbols,
)
from .layout import burst_length, header_ofdm_symbols, payload_ofdm_symbols
from .modulator import modulate
from .numerology import DEFAULT_NUMEROLOGY, NUMEROLOGIES, Numerology, numerology
from .preamble import PREAMBLE_SYMBOLS, preamble_samples

__all__ = [
    "DEFAULT_NUMEROLOGY",
    "HEADER_SYMBOLS",
    "MAX_BURSTS",
    "MAX_ROUND",
    "MAX_SYMBOLS",
    "MAX_TRANSFER",
    "MCS",
    "NUMEROLOGIES",
    "PREAMBLE_SYMBOLS",
    "BurstHeader",
    "BurstKind",
    "DemodulatorCounters",
    "HeaderError",
    "Mcs",
    "Numerology",
    "ReceivedBurst",
    "StreamDemodulator",
    "burst_length",
    "decode_digital",
    "decode_header",
    "digital_symbol_count",
    "encode_digital",
    "header_ofdm_symbols",
    "header_symbols",
    "max_digital_bytes",
    "modulate",
    "numerology",
    "payload_ofdm_symbols",
    "preamble_samples",
]
