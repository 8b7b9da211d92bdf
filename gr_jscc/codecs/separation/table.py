"""The SNR that each channel code needs, as measured, and the code to choose for an SNR.

Measure the table again: ``gr-jscc bench ldpc --table gr_jscc/codecs/separation/table.csv``.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from gr_jscc.codecs.separation.channel_code import CHANNEL_CODES, ChannelCode

__all__ = ["CSV_HEAD", "best_code", "csv_row", "thresholds_db"]

CSV_HEAD = "rate,modulation,bits_per_use,snr_db"


def csv_row(code: ChannelCode, snr_db: float) -> str:
    """A code's line in the table."""
    return f"{code.rate},{code.modulation},{float(code.bits_per_use):.3f},{snr_db:.1f}"


@lru_cache(maxsize=1)
def thresholds_db() -> dict[str, float]:
    """Name of a code → Es/N0 in dB from which it loses no long block, or hardly any."""
    lines = files(__package__).joinpath("table.csv").read_text(encoding="ascii").splitlines()
    rows = [line.split(",") for line in lines if line and not line.startswith("#")]
    names = {f"ldpc-{rate}:{modulation}": float(snr_db) for rate, modulation, _, snr_db in rows[1:]}
    return {name: names[name] for name in CHANNEL_CODES}


def best_code(snr_db: float) -> ChannelCode:
    """The code that carries the most bits a use at an Es/N0 in dB, of those that lose no blocks there.

    Of two that carry as much, the one that needs less; below what any code withstands, the one that needs least.
    """
    needs = thresholds_db()
    enough = [code for code in CHANNEL_CODES.values() if needs[code.name] <= snr_db]
    if not enough:
        return CHANNEL_CODES[min(needs, key=needs.get)]
    return max(enough, key=lambda code: (code.bits_per_use, -needs[code.name]))
