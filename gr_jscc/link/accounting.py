"""Channel uses: what a transfer cost the spectrum, counted in complex symbols."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from gr_jscc.modem.header import BurstHeader, BurstHeaders
from gr_jscc.modem.layout import burst_lengths, header_ofdm_symbols
from gr_jscc.modem.numerology import Numerology


@dataclass(frozen=True)
class ChannelUses:
    """Complex channel uses of one image.

    Attributes:
        payload: analog symbols.
        side_info: manifests and side information as coded, every copy.
        header: of all bursts, as coded.
        air: complex samples that the bursts occupied: preambles, pilots, cyclic prefixes and guards too.

    Example:
        >>> uses = ChannelUses(payload=98_304, side_info=200, header=11_808, air=210_000)
        >>> (uses + uses).payload
        196608
    """

    payload: int
    side_info: int
    header: int
    air: int

    def __add__(self, other: ChannelUses) -> ChannelUses:
        return ChannelUses(
            self.payload + other.payload,
            self.side_info + other.side_info,
            self.header + other.header,
            self.air + other.air,
        )

    def cbr(self, height: int, width: int) -> dict[str, float]:
        """Channel bandwidth ratios, uses / (3·H·W): ``payload``, ``total`` (+ side info + headers), ``air``."""
        values = 3 * height * width
        return {"payload": self.payload / values, "total": self.total / values, "air": self.air / values}

    @property
    def total(self) -> int:
        """All that is coded: payload, side information and headers."""
        return self.payload + self.side_info + self.header

    def per_payload(self) -> dict[str, float]:
        """Channel uses per payload symbol, ``total`` and ``air``: what the link adds; nothing where there is none."""
        if not self.payload:
            return {}
        return {"total": self.total / self.payload, "air": self.air / self.payload}


def capacity_uses(count: int, snr_db: float) -> float:
    """Complex channel uses of so many bytes at the channel's capacity: how papers reckon side information."""
    return 8 * count / math.log2(1 + 10 ** (snr_db / 10))


def count_uses(headers: Iterable[BurstHeader], numerology: Numerology) -> ChannelUses:
    """Counts what bursts with these headers cost when sent with a numerology."""
    return count_all_uses(BurstHeaders.unpack(b"".join(header.pack() for header in headers)), numerology)


def count_all_uses(headers: BurstHeaders, numerology: Numerology) -> ChannelUses:
    """`count_uses` of headers as arrays."""
    payload = int(headers.symbols[headers.analog].sum())
    side_info = int(headers.symbols.sum()) - payload
    header = header_ofdm_symbols(numerology) * numerology.data_count * len(headers)
    return ChannelUses(payload, side_info, header, int(burst_lengths(headers.symbols, numerology).sum()))
