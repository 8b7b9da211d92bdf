"""The SNR that each digital scheme needs, and the scheme to choose for an SNR.

Measure the table again, in a few minutes:

    python -c "from gr_jscc.modem.digital_thresholds import table_lines; print(*table_lines(), sep='\\n')"
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from gr_jscc.modem.digital import MCS, decode_digital, digital_symbol_count, encode_digital, max_digital_bytes

__all__ = ["LENGTHS", "THRESHOLDS", "best_mcs", "lost_blocks", "measure_threshold", "table_lines", "threshold_db"]

#: Lengths in bytes that `THRESHOLDS` holds; a scheme that cannot take the last is listed with the most that it takes.
LENGTHS = (16, 64, 256, 640, 2048)

#: Es/N0 in dB, by mcs and for each of `LENGTHS`, from which at most 1 % of the blocks are lost in white noise.
THRESHOLDS: dict[int, tuple[float, ...]] = {
    0: (-2.0, -1.7, -1.1, -0.8, -0.9),  # BPSK 1/3
    1: (3.0, 3.5, 3.8, 4.1, 4.6),  # QPSK 1/2
    2: (0.0, -0.7, -1.2, -1.3, -1.3),  # QPSK LDPC 1/3
    3: (2.2, 1.6, 1.2, 1.0, 1.0),  # QPSK LDPC 1/2
    4: (4.4, 3.7, 3.2, 3.1, 3.1),  # QPSK LDPC 2/3
    5: (5.6, 4.9, 4.3, 4.2, 4.1),  # QPSK LDPC 3/4
    6: (7.8, 6.9, 6.4, 6.4, 6.4),  # 16-QAM LDPC 1/2
    7: (10.4, 9.6, 9.0, 8.9, 8.8),  # 16-QAM LDPC 2/3
    8: (11.7, 11.0, 10.3, 10.2, 10.1),  # 16-QAM LDPC 3/4
    9: (13.7, 12.3, 11.8, 11.5, 11.5),  # 16-QAM LDPC 5/6
    10: (15.5, 14.6, 14.1, 13.7, 13.7),  # 64-QAM LDPC 2/3
    11: (17.2, 16.2, 15.6, 15.3, 15.3),  # 64-QAM LDPC 3/4
    12: (19.6, 18.0, 17.3, 17.1, 17.0),  # 64-QAM LDPC 5/6
}


def lost_blocks(mcs: int, length: int, snr_db: float, blocks: int, rng: np.random.Generator, enough: int = 0) -> int:
    """How many of so many blocks of `length` random bytes do not arrive in white noise.

    Args:
        mcs: the scheme.
        length: bytes of a block.
        snr_db: Es/N0.
        blocks: how many to send.
        rng: of data and noise.
        enough: stop when so many are lost; 0 to send all.
    """
    noise_var = 10 ** (-snr_db / 10)
    count = digital_symbol_count(length, mcs)
    lost = 0
    for _ in range(blocks):
        data = rng.bytes(length)
        noise = rng.normal(scale=np.sqrt(noise_var / 2), size=(count, 2)) @ (1, 1j)
        lost += decode_digital(encode_digital(data, mcs) + noise, noise_var, mcs) != data
        if enough and lost >= enough:
            break
    return lost


def measure_threshold(mcs: int, length: int, rng: np.random.Generator, blocks: int = 1000) -> float:
    """The lowest Es/N0, in steps of 0.1 dB, at which at most 1 % of the blocks are lost in white noise."""
    snr_db = 10 * np.log10(2 ** MCS[mcs].efficiency - 1) // 0.5 * 0.5  # no code works below
    while lost_blocks(mcs, length, snr_db, 60, rng, 4) >= 4:
        snr_db += 0.5
    snr_db -= 0.5
    while lost_blocks(mcs, length, snr_db, blocks, rng, blocks // 100 + 1) > blocks // 100:
        snr_db += 0.1
    return round(float(snr_db), 1) + 0.0  # no -0.0


@lru_cache(maxsize=4096)
def threshold_db(mcs: int, length: int) -> float:
    """Es/N0 from which at most 1 % of blocks of `length` bytes are lost, interpolated in the table."""
    return float(np.interp(np.log(max(length, 1)), np.log(LENGTHS), THRESHOLDS[mcs]))


def best_mcs(snr_db: float, length: int = 256) -> int:
    """The scheme that takes the fewest symbols for `length` bytes and, in white noise of this Es/N0, loses at most 1 %.

    A channel that is not white noise, or an SNR that is only an estimate, wants a margin taken off `snr_db`.

    Returns:
        its number in `MCS`; of the one that needs the least SNR where the SNR suffices for none.
    """
    needs = {mcs: threshold_db(mcs, length) for mcs in THRESHOLDS}
    enough = [mcs for mcs, need in needs.items() if need <= snr_db]
    if not enough:
        return min(needs, key=needs.get)
    return min(enough, key=lambda mcs: (digital_symbol_count(length, mcs), needs[mcs]))


def table_lines(seed: int = 20240611) -> Iterator[str]:
    """Measures `THRESHOLDS`: line after line, as it stands in this file."""
    rng = np.random.default_rng(seed)
    for mcs, scheme in MCS.items():
        row = [measure_threshold(mcs, min(length, max_digital_bytes(mcs)), rng) for length in LENGTHS]
        yield f"    {mcs}: ({', '.join(map(str, row))}),  # {scheme.name}"
