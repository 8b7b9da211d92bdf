"""Where everything of a burst stands: the part of the air interface that modulator and demodulator share.

A burst is 4 preamble symbols, the header's OFDM symbols and the payload's. The data cells of header and payload are
numbered through, carrier by carrier and symbol by symbol. Every cell is turned by a pseudo-random quarter turn, so that
payloads with structure (runs, constants) neither peak in time nor look periodic to a synchroniser.

In the header pilots stand where the numerology says. In the payload they move from OFDM symbol to OFDM symbol, so that
after a dozen each carrier had one: pilots that stay resolve no delay beyond the inverse of their spacing, and could not
follow the echoes of a channel that moves. A data cell whose place a pilot takes goes to a place that pilots left.
"""

from functools import lru_cache
from math import gcd

import numpy as np

from gr_jscc.modem.header import MAX_SYMBOLS, BurstHeader
from gr_jscc.modem.header_code import HEADER_SYMBOLS
from gr_jscc.modem.numerology import Numerology
from gr_jscc.modem.prbs import random_qpsk, random_signs, random_words
from gr_jscc.modem.preamble import PREAMBLE_SYMBOLS

__all__ = [
    "burst_gain",
    "burst_length",
    "burst_lengths",
    "cell_weights",
    "data_places",
    "displaced",
    "filler",
    "header_ofdm_symbols",
    "payload_ofdm_symbols",
    "pilot_places",
    "pilot_values",
    "scramble",
    "unscramble",
]


def header_ofdm_symbols(numerology: Numerology) -> int:
    """OFDM symbols that the header takes."""
    return -(-HEADER_SYMBOLS // numerology.data_count)


def payload_ofdm_symbols(symbols, numerology: Numerology):
    """OFDM symbols that `symbols` payload symbols take, a whole number or int64[n]."""
    return -(-symbols // numerology.data_count)


def burst_length(header_or_count: BurstHeader | int, numerology: Numerology) -> int:
    """Samples of a whole burst, given its header or its number of payload symbols.

    Raises:
        ValueError: the count is not in 1 to MAX_SYMBOLS.
    """
    symbols = header_or_count.symbols if isinstance(header_or_count, BurstHeader) else int(header_or_count)
    if not 1 <= symbols <= MAX_SYMBOLS:
        raise ValueError(f"a burst carries 1 to {MAX_SYMBOLS} symbols, not {symbols}")
    return _burst_length(symbols, numerology)


@lru_cache(maxsize=1024)
def _burst_length(symbols: int, numerology: Numerology) -> int:
    return burst_lengths(symbols, numerology)


def burst_lengths(symbols, numerology: Numerology):
    """Samples of bursts that carry `symbols` payload symbols, a whole number or int64[n]."""
    rows = PREAMBLE_SYMBOLS + header_ofdm_symbols(numerology) + payload_ofdm_symbols(symbols, numerology)
    return rows * numerology.symbol_len


def burst_gain(numerology: Numerology, rows: int) -> float:
    """Amplitude of the data of a burst with `rows` OFDM symbols after the preamble: 1 unless others are boosted.

    With it preamble, header and payload together have the mean power that they have without boosts.
    """
    payload = rows - header_ofdm_symbols(numerology)
    spared = PREAMBLE_SYMBOLS * numerology.used_count * (1 - numerology.preamble_power)
    spared += payload * numerology.pilot_count * (1 - numerology.pilot_power)
    cells = (PREAMBLE_SYMBOLS + rows) * numerology.used_count
    return float(np.sqrt(cells / (cells - spared)))


@lru_cache(maxsize=256)
def cell_weights(numerology: Numerology, opening: int, rows: int) -> np.ndarray:
    """The power of a known cell over that of a data cell: its weight where it observes the channel.

    Args:
        opening: OFDM symbols of preamble and header, the preamble's first.
        rows: of the payload, of which pilots are known.

    Returns:
        float32[opening + rows].
    """
    weights = np.ones(opening + rows, np.float32)
    weights[:PREAMBLE_SYMBOLS], weights[opening:] = numerology.preamble_power, numerology.pilot_power
    weights.setflags(write=False)
    return weights


def _most_ofdm_symbols(numerology: Numerology) -> int:
    return header_ofdm_symbols(numerology) + payload_ofdm_symbols(MAX_SYMBOLS, numerology)


@lru_cache(maxsize=32)
def _scramble(numerology: Numerology) -> np.ndarray:
    count = _most_ofdm_symbols(numerology) * numerology.data_count
    turns = (random_words(0x5C4A, count) >> np.uint64(62)).astype(np.int64)
    values = np.array([1, 1j, -1, -1j], np.complex64)[turns].reshape(-1, numerology.data_count)
    values.setflags(write=False)
    return values


@lru_cache(maxsize=32)
def _pilots(numerology: Numerology) -> np.ndarray:
    count = _most_ofdm_symbols(numerology) * numerology.pilot_count
    values = random_signs(0x9170, count).reshape(-1, numerology.pilot_count)
    values.setflags(write=False)
    return values


def scramble(numerology: Numerology, first: int, count: int) -> np.ndarray:
    """The turns of OFDM symbols `first` to `first + count` after the preamble: complex64[count, data_count]."""
    return _scramble(numerology)[first : first + count]


@lru_cache(maxsize=32)
def _unscramble(numerology: Numerology) -> np.ndarray:
    values = np.conj(_scramble(numerology))
    values.setflags(write=False)
    return values


def unscramble(numerology: Numerology, first: int, count: int) -> np.ndarray:
    """What undoes `scramble`: complex64[count, data_count]."""
    return _unscramble(numerology)[first : first + count]


def pilot_values(numerology: Numerology, first: int, count: int) -> np.ndarray:
    """The pilots of OFDM symbols `first` to `first + count` after the preamble, ±1: float32[count, pilot_count]."""
    return _pilots(numerology)[first : first + count]


@lru_cache(maxsize=32)
def _places(numerology: Numerology) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, head = _most_ofdm_symbols(numerology), header_ofdm_symbols(numerology)
    used, spread = numerology.used_count, numerology.pilot_count
    data, pilots = (np.tile(index, (rows, 1)) for index in (numerology.data_index, numerology.pilot_index))
    # Each pilot has a stretch of carriers to itself; a stride of two fifths of it keeps neighbours in time far apart.
    stretch = -(-used // spread)
    stride = next(n for n in range(max(1, round(0.4 * stretch)), stretch + 1) if gcd(n, stretch) == 1)
    pilots[head:] = np.arange(spread) * used // spread + (stride * np.arange(rows - head) % stretch)[:, None]
    for row in range(head, rows):
        data[row, np.isin(data[row], pilots[row])] = np.setdiff1d(numerology.pilot_index, pilots[row])
    moved = np.full(pilots.shape, -1)
    for row in range(head, rows):
        cells = np.flatnonzero(data[row] != numerology.data_index)
        moved[row, : len(cells)] = cells
    moved = np.stack([moved, np.take_along_axis(data, moved, axis=1)], axis=2)
    for places in (data, pilots, moved):
        places.setflags(write=False)
    return data, pilots, moved


def data_places(numerology: Numerology, first: int, count: int) -> np.ndarray:
    """Where the data cells of OFDM symbols `first` to `first + count` after the preamble stand.

    Returns:
        int64[count, data_count], among `used_carriers`, in the order in which symbols fill them.
    """
    return _places(numerology)[0][first : first + count]


def pilot_places(numerology: Numerology, first: int, count: int) -> np.ndarray:
    """Where the pilots of OFDM symbols `first` to `first + count` after the preamble stand.

    Returns:
        int64[count, pilot_count], among `used_carriers`.
    """
    return _places(numerology)[1][first : first + count]


def displaced(numerology: Numerology, first: int, count: int) -> np.ndarray:
    """Which data cells of those OFDM symbols do not stand where `numerology` says, and where they do.

    Returns:
        int64[count, pilot_count, 2], a cell's number among its OFDM symbol's, -1 for none, and its place.
    """
    return _places(numerology)[2][first : first + count]


@lru_cache(maxsize=256)
def filler(count: int) -> np.ndarray:
    """What follows the payload in its last OFDM symbol: complex64[count] of power 1."""
    values = random_qpsk(0xF111, count)
    values.setflags(write=False)
    return values
