"""One round on its way in: the bursts of it that came, and what they make."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from gr_jscc.codecs.base import Codec, Reception
from gr_jscc.link.arrival import Arrival
from gr_jscc.link.bursts import burst_size
from gr_jscc.link.interleaver import deinterleave
from gr_jscc.link.manifest import Manifest
from gr_jscc.modem import MCS, HeaderSource, ReceivedBurst, decode_digital
from gr_jscc.modem.header import BurstKind

USABLE_SHARE = 0.7  # of a burst's symbols; with fewer, as after dropped samples, it is asked for again
SYMBOL_BYTES = 12  # of a received symbol and its noise variance


def _mean_db(values_db: list[float]) -> float:
    """The mean of power ratios, all in dB; NaN of none."""
    if not values_db:
        return float("nan")
    return float(10 * np.log10(np.mean(10 ** (np.array(values_db) / 10))))


def combine(first: ReceivedBurst, second: ReceivedBurst) -> ReceivedBurst:
    """Two receptions of the same burst as one, each symbol weighted by the inverse of its noise variance.

    Maximum ratio combining: of all weighted sums the one with the least noise. Symbols whose noise variance is
    infinite carry nothing.
    """
    weights = [1 / np.maximum(burst.noise_var, np.float32(1e-12)) for burst in (first, second)]
    total = weights[0] + weights[1]
    known = total > 0
    scale = np.where(known, total, 1)
    symbols = np.where(weights[0] > 0, first.symbols * weights[0], 0)
    symbols = symbols + np.where(weights[1] > 0, second.symbols * weights[1], 0)
    noise_var = np.where(known, 1 / scale, np.inf).astype(np.float32)
    return dataclasses.replace(first, symbols=(symbols / scale).astype(np.complex64), noise_var=noise_var)


@dataclass
class IncomingRound:
    """Bursts of one round so far; those that were mostly lost count as missing where they may be sent again.

    Example:
        >>> from gr_jscc.modem import BurstHeader
        >>> header = BurstHeader(BurstKind.ANALOG, transfer=7, round=0, index=1, count=3, symbols=2)
        >>> burst = ReceivedBurst(header, np.ones(2, np.complex64), np.full(2, 0.1, np.float32), 0, 0.0, 10.0, -10.0)
        >>> incoming = IncomingRound(transfer=7, number=0, repeatable=True)
        >>> incoming.add(burst)
        >>> incoming.received().tolist(), incoming.complete
        ([False, True, False], False)
    """

    transfer: int
    number: int
    repeatable: bool
    analog: dict[int, ReceivedBurst] = field(default_factory=dict)
    usable: set[int] = field(default_factory=set)  # of them, those that need not be sent again
    analog_count: int = 0
    digital: dict[int, bytes] = field(default_factory=dict)
    undecoded: dict[int, ReceivedBurst] = field(default_factory=dict)  # digital ones, their copies combined
    digital_count: int = 0
    manifest: Manifest | None = None
    standing: Manifest | None = None  # of a stream: the one before, which holds unless this round has its own
    snr: list[float] = field(default_factory=list)
    cfo: list[float] = field(default_factory=list)
    evm: list[float] = field(default_factory=list)
    size: int = 0  # bytes of the bursts

    def add(self, burst: ReceivedBurst) -> bytes | None:
        """Takes a burst; returns a manifest's bytes where it is the last of them."""
        header = burst.header
        if burst.source == HeaderSource.BEFORE and self.repeatable:
            return None  # this may be part of a round that is sent again, whose bursts need not be in order
        self.snr.append(burst.snr_db)
        self.cfo.append(burst.cfo)
        self.evm.append(burst.evm_db)
        if header.kind == BurstKind.ANALOG:
            old = self.analog.get(header.index)
            if old is not None and old.header == header:
                burst = combine(old, burst)
            elif old is not None and burst.source != HeaderSource.READ:
                return None
            self.size += SYMBOL_BYTES * (header.symbols - (0 if old is None else old.header.symbols))
            self.analog_count = header.count
            self.analog[header.index] = burst
            # What drowned a header that was not read may have drowned as much of the symbols.
            most = np.inf if burst.source == HeaderSource.READ else 1.0
            if not self.repeatable or (burst.noise_var < most).mean() >= USABLE_SHARE:
                self.usable.add(header.index)
        elif self.manifest is None and header.mcs in MCS:  # headers can state others, which none of ours sends
            data = self._decoded(burst)
            if data is not None:
                if header.count != self.digital_count:
                    self._forget_digital()
                self.digital_count = header.count
                self.size += len(data) - len(self.digital.get(header.index, b""))
                self.digital[header.index] = data
            if self.digital_count and len(self.digital) == self.digital_count:
                whole = b"".join(self.digital[i] for i in sorted(self.digital))
                self._forget_digital()  # if it is none, another copy may be
                return whole
        return None

    def _decoded(self, burst: ReceivedBurst) -> bytes | None:
        """The bytes of a digital burst, of itself or with its copies that came before, none of which gave any."""
        header = burst.header
        data = decode_digital(burst.symbols, burst.noise_var, header.mcs)
        old = self.undecoded.pop(header.index, None)
        if old is not None:
            self.size -= SYMBOL_BYTES * old.header.symbols
            if data is None and old.header == header:
                burst = combine(old, burst)
                data = decode_digital(burst.symbols, burst.noise_var, header.mcs)
        if data is None:
            self.undecoded[header.index] = burst
            self.size += SYMBOL_BYTES * header.symbols
        return data

    def forget_undecoded(self) -> None:
        """Lets go of copies of what is known by now."""
        self.size -= SYMBOL_BYTES * sum(burst.header.symbols for burst in self.undecoded.values())
        self.undecoded.clear()

    def _forget_digital(self) -> None:
        self.size -= sum(map(len, self.digital.values()))
        self.digital.clear()

    @property
    def described(self) -> Manifest | None:
        """What describes the round: its manifest, or the standing one where that fits all bursts that came."""
        if self.manifest is not None or self.standing is None or not self.analog:
            return self.manifest
        size, symbols = burst_size(self.standing.symbols, self.analog_count), self.standing.symbols
        headers = [burst.header for burst in self.analog.values() if burst.source == HeaderSource.READ]
        fits = all(
            head.count == self.analog_count and head.symbols == min(size, symbols - size * head.index)
            for head in headers
        )
        return self.standing if fits else None

    @property
    def complete(self) -> bool:
        if self.described is None:
            return False
        if self.described.symbols == 0:
            return True
        return 0 < self.analog_count <= len(self.usable) and bool(self.received().all())

    def received(self) -> np.ndarray:
        """bool[n], whether each analog burst is there."""
        received = np.zeros(self.analog_count, bool)
        received[[index for index in self.usable if index < self.analog_count]] = True
        return received

    def arrival(self, codec: Codec | None) -> Arrival:
        manifest = self.described
        ours = manifest and (codec is None or manifest.weights_hash == codec.weights_hash)
        reception = self._reception(manifest) if ours else None
        return Arrival(
            transfer=self.transfer,
            round=self.number,
            manifest=manifest,
            reception=reception,
            bursts_received=len(self.analog),
            bursts_sent=self.analog_count,
            snr_db=_mean_db(self.snr),
            cfo=float(np.mean(self.cfo)) if self.cfo else float("nan"),
            evm_db=_mean_db(self.evm),
        )

    def _reception(self, manifest: Manifest) -> Reception:
        symbols = np.zeros(manifest.symbols, np.complex64)
        noise_var = np.full(manifest.symbols, np.inf, np.float32)
        if self.analog:
            size = burst_size(manifest.symbols, self.analog_count)
            for index, burst in self.analog.items():
                place = slice(index * size, index * size + len(burst.symbols))
                room = len(symbols[place])
                # A header that does not fit the manifest is of no use, whatever its CRC says; one that was not read may
                # state too much of a round's last burst.
                fits = room == len(burst.symbols) or burst.source != HeaderSource.READ
                if burst.header.count == self.analog_count and fits:
                    symbols[place] = burst.symbols[:room]
                    noise_var[place] = burst.noise_var[:room]
        return Reception(deinterleave(symbols), deinterleave(noise_var), manifest.side_info)
