"""The OFDM modem for analog symbols: numpy and scipy, no GNU Radio.

`modulate` makes a burst of samples from a `BurstHeader` and symbols; `StreamDemodulator` finds bursts in a stream and
hands out `ReceivedBurst`s. `encode_digital` and `decode_digital` turn bytes into symbols and back, `best_mcs` names the
scheme for an SNR. `encode_segments` and `decode_segments` are the LDPC codes beneath, for messages of any length, and
`map_bits` and `demap_symbols` the constellations.
"""

from typing import TYPE_CHECKING

from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY, NUMEROLOGIES, Numerology, numerology  # called like its module
from gr_jscc.on_demand import on_demand

if TYPE_CHECKING:
    from gr_jscc.modem.constellation import BITS_PER_SYMBOL, demap_symbols, map_bits
    from gr_jscc.modem.demodulator import DemodulatorCounters, StreamDemodulator
    from gr_jscc.modem.digital import (
        MCS,
        Mcs,
        decode_digital,
        digital_symbol_count,
        encode_digital,
        max_digital_bytes,
        prepare_digital,
    )
    from gr_jscc.modem.digital_thresholds import best_mcs, threshold_db
    from gr_jscc.modem.header import (
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
    from gr_jscc.modem.layout import burst_length, header_ofdm_symbols, payload_ofdm_symbols
    from gr_jscc.modem.ldpc import LdpcCode, decode_segments, encode_segments
    from gr_jscc.modem.modulator import modulate
    from gr_jscc.modem.preamble import PREAMBLE_SYMBOLS, preamble_samples
    from gr_jscc.modem.received_burst import HeaderSource, ReceivedBurst
    from gr_jscc.modem.version import VERSION

__all__ = [
    "BITS_PER_SYMBOL",
    "DEFAULT_NUMEROLOGY",
    "HEADER_SYMBOLS",
    "MAX_BURSTS",
    "MAX_ROUND",
    "MAX_SYMBOLS",
    "MAX_TRANSFER",
    "MCS",
    "NUMEROLOGIES",
    "PREAMBLE_SYMBOLS",
    "VERSION",
    "BurstHeader",
    "BurstKind",
    "DemodulatorCounters",
    "HeaderError",
    "HeaderSource",
    "LdpcCode",
    "Mcs",
    "Numerology",
    "ReceivedBurst",
    "StreamDemodulator",
    "best_mcs",
    "burst_length",
    "decode_digital",
    "decode_header",
    "decode_segments",
    "demap_symbols",
    "digital_symbol_count",
    "encode_digital",
    "encode_segments",
    "header_ofdm_symbols",
    "header_symbols",
    "map_bits",
    "max_digital_bytes",
    "modulate",
    "numerology",
    "payload_ofdm_symbols",
    "preamble_samples",
    "prepare_digital",
    "threshold_db",
]

__getattr__ = on_demand(__name__)
