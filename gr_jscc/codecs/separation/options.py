"""What a separation codec is made of, as a person writes it after ``--weights``.

    SOURCE:ldpc-RATE:MODULATION   hevc:ldpc-2/3:16qam
    SOURCE:SNRdB                  hevc:10dB            what suits an Es/N0
    SOURCE, or nothing            hevc                 what suits 10 dB

Without a source it is hevc.
"""

from __future__ import annotations

import math
import re

from gr_jscc.codecs.base import CodecError
from gr_jscc.codecs.separation.channel_code import CHANNEL_CODES, ChannelCode
from gr_jscc.codecs.separation.picture_codecs import PICTURE_CODECS
from gr_jscc.codecs.separation.table import best_code

__all__ = ["DEFAULT_SNR_DB", "parse_capacity", "parse_separation"]

DEFAULT_SOURCE = "hevc"
DEFAULT_SNR_DB = 10.0
MOST_SNR_DB = 60.0


def parse_separation(text: str) -> tuple[str, ChannelCode]:
    """Name of the picture codec, and the channel code.

    Raises:
        CodecError: not understood; the message tells what is.
    """
    source, rest = _source(text)
    if rest in CHANNEL_CODES:
        return source, CHANNEL_CODES[rest]
    snr_db = _snr_db(rest)
    if snr_db is None:
        raise CodecError(
            f"{text!r} is not a valid choice for separation: {rest!r} is neither an SNR such as 10dB nor a channel "
            "code such as ldpc-2/3:16qam (rates 1/3, 1/2, 2/3, 3/4, 5/6; qpsk, 16qam, 64qam)"
        )
    return source, best_code(snr_db)


def parse_capacity(text: str) -> tuple[str, float]:
    """Name of the picture codec, and the Es/N0 in dB whose capacity is spent.

    Raises:
        CodecError: not understood; the message tells what is.
    """
    source, rest = _source(text)
    snr_db = _snr_db(rest)
    if snr_db is None:
        raise CodecError(f"{text!r} is not a valid choice for separation-capacity: {rest!r} is not an SNR such as 10dB")
    return source, snr_db


def _source(text: str) -> tuple[str, str]:
    """The picture codec and what follows it."""
    source, _, rest = (text or DEFAULT_SOURCE).strip().lower().partition(":")
    if source not in PICTURE_CODECS:
        raise CodecError(
            f"{text!r} is not a valid choice for a separation codec: picture codecs are {', '.join(PICTURE_CODECS)}; "
            "for example hevc:10dB"
        )
    return source, rest


def _snr_db(text: str) -> float | None:
    """An SNR such as ``10dB``; the default for none, None for what is not one."""
    if not text:
        return DEFAULT_SNR_DB
    match = re.fullmatch(r"([+-]?\d+(?:\.\d+)?) ?db", text)
    value = float(match.group(1)) if match else math.nan
    return value if abs(value) <= MOST_SNR_DB else None
