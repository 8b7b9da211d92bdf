"""Puts received bursts back together into the rounds that were sent, whatever is missing."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gr_jscc.codecs.base import Reception
from gr_jscc.link.bursts import burst_size
from gr_jscc.link.interleaver import deinterleave
from gr_jscc.link.manifest import Manifest, ManifestError
from gr_jscc.modem import ReceivedBurst, decode_digital
from gr_jscc.modem.header import BurstKind

LARGEST_ROUND = 64_000_000  # symbols: a manifest that states more is not believed


@dataclass(frozen=True)
class Arrival:
    """One round as it arrived.

    Attributes:
        transfer, round: its numbers.
        manifest: None when no copy survived; nothing can be decoded then.
        reception: for the codec; None without a manifest.
        bursts_received: analog bursts that arrived.
        bursts_sent: analog bursts that the round had, as their headers say.
        snr_db: mean Es/N0 over the bursts, dB.
        cfo: mean carrier frequency offset, cycles per sample.
        evm_db: mean error vector magnitude of the cells that the receiver knows (preambles, headers and
            pilots; of analog symbols it has no reference), dB.
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


def _mean_db(values_db: list[float]) -> float:
    """The mean of power ratios, all in dB."""
    return float(10 * np.log10(np.mean(10 ** (np.array(values_db) / 10))))


@dataclass
class _Round:
    """Bursts of one round so far."""

    transfer: int
    number: int
    analog: dict[int, ReceivedBurst] = field(default_factory=dict)
    analog_count: int = 0
    digital: dict[int, bytes] = field(default_factory=dict)
    digital_count: int = 0
    manifest: Manifest | None = None
    snr: list[float] = field(default_factory=list)
    cfo: list[float] = field(default_factory=list)
    evm: list[float] = field(default_factory=list)

    def add(self, burst: ReceivedBurst) -> None:
        header = burst.header
        self.snr.append(burst.snr_db)
        self.cfo.append(burst.cfo)
        self.evm.append(burst.evm_db)
        if header.kind == BurstKind.ANALOG:
            self.analog_count = header.count
            self.analog[header.index] = burst
        elif self.manifest is None:
            data = decode_digital(burst.symbols, burst.noise_var, header.mcs)
            if data is not None:
                self.digital_count = header.count
                self.digital[header.index] = data
            if self.digital_count and len(self.digital) == self.digital_count:
                self._read_manifest()

    def _read_manifest(self) -> None:
        try:
            manifest = Manifest.unpack(b"".join(self.digital[i] for i in sorted(self.digital)))
        except ManifestError:
            return
        if manifest.symbols <= LARGEST_ROUND:
            self.manifest = manifest

    @property
    def complete(self) -> bool:
        if self.manifest is None:
            return False
        return self.manifest.symbols == 0 or (self.analog_count > 0 and len(self.analog) == self.analog_count)

    def arrival(self) -> Arrival:
        reception = self._reception(self.manifest) if self.manifest else None
        return Arrival(
            transfer=self.transfer,
            round=self.number,
            manifest=self.manifest,
            reception=reception,
            bursts_received=len(self.analog),
            bursts_sent=self.analog_count,
            snr_db=_mean_db(self.snr),
            cfo=float(np.mean(self.cfo)),
            evm_db=_mean_db(self.evm),
        )

    def _reception(self, manifest: Manifest) -> Reception:
        symbols = np.zeros(manifest.symbols, np.complex64)
        noise_var = np.full(manifest.symbols, np.inf, np.float32)
        if self.analog:
            size = burst_size(manifest.symbols, self.analog_count)
            for index, burst in self.analog.items():
                place = slice(index * size, index * size + len(burst.symbols))
                # A header that does not fit the manifest is of no use, whatever its CRC says.
                if burst.header.count == self.analog_count and len(symbols[place]) == len(burst.symbols):
                    symbols[place] = burst.symbols
                    noise_var[place] = burst.noise_var
        return Reception(deinterleave(symbols), deinterleave(noise_var), manifest.side_info)


class Assembler:
    """Collects bursts into rounds.

    A round is handed over once, when its manifest and all of its analog bursts are there, or when a
    burst of a later round shows that nothing more of it will come.
    """

    def __init__(self) -> None:
        self._open: _Round | None = None
        self._done: tuple[int, int] | None = None

    def push(self, burst: ReceivedBurst) -> list[Arrival]:
        """Takes the next burst of the stream; returns the rounds that it ends, oldest first."""
        key = (burst.header.transfer, burst.header.round)
        if key == self._done and burst.header.kind == BurstKind.DIGITAL:
            return []  # a further copy of the manifest, after all else
        ended = [] if self._open is None or key == (self._open.transfer, self._open.number) else self.flush()
        if self._open is None:
            self._open = _Round(*key)
        self._open.add(burst)
        if self._open.complete:
            ended += self.flush()
        return ended

    def flush(self) -> list[Arrival]:
        """Hands over the round in progress as it stands; call it at the end of the stream."""
        if self._open is None:
            return []
        current, self._open = self._open, None
        self._done = (current.transfer, current.number)
        return [current.arrival()]
