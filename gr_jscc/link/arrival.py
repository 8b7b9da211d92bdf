"""One round as it arrived: what the link hands to a codec, to pages and to files."""

from __future__ import annotations

from dataclasses import dataclass

from gr_jscc.codecs.base import Reception
from gr_jscc.link.manifest import Manifest


@dataclass(frozen=True)
class Arrival:
    """One round as it arrived.

    Attributes:
        transfer, round: its numbers.
        manifest: None when no copy survived; nothing can be decoded then.
        reception: for the codec; None without a manifest, and of weights that are not the codec's.
        bursts_received: analog bursts that arrived.
        bursts_sent: analog bursts that the round had, as their headers say.
        snr_db: mean Es/N0 over the bursts, dB.
        cfo: mean carrier frequency offset, cycles per sample.
        evm_db: mean error vector magnitude of the cells that the receiver knows (preambles, headers and
            pilots; of analog symbols it has no reference), dB.

    Example:
        >>> lost = nothing(transfer=7, round_=0)
        >>> lost.reception is None, lost.bursts_received, lost.side_info_bytes
        (True, 0, 0)
    """

    transfer: int
    round: int
    manifest: Manifest | None
    reception: Reception | None
    bursts_received: int
    bursts_sent: int
    snr_db: float
    cfo: float
    evm_db: float

    @property
    def side_info_bytes(self) -> int:
        """That the codec asked to be carried."""
        return len(self.manifest.side_info) if self.manifest else 0


def nothing(transfer: int, round_: int) -> Arrival:
    """The arrival of a round of which nothing came."""
    return Arrival(transfer, round_, None, None, 0, 0, float("nan"), float("nan"), float("nan"))
