"""Bursts of symbols to samples."""

from __future__ import annotations

import collections
import dataclasses
import itertools
from typing import NamedTuple

import numpy as np
import pmt
from gnuradio import gr

from gr_jscc.errors import UserError
from gr_jscc.free_memory import keep_freed_blocks
from gr_jscc.link.accounting import ChannelUses, count_all_uses
from gr_jscc.modem import BurstHeader, Numerology
from gr_jscc.modem import numerology as even_numerology
from gr_jscc.modem.header import BurstHeaders
from gr_jscc.modem.layout import burst_lengths
from gr_jscc.modem.modulator import modulate_bursts
from gr_jscc.modem.numerology_file import load_numerology
from gr_jscc.scheduler.events import event_message
from gr_jscc.scheduler.guard import guarded
from gr_jscc.scheduler.keeping import kept_while_running
from gr_jscc.scheduler.pacing import MADE_TOGETHER, SILENCE_SAMPLES, forget_buffer_sizes
from gr_jscc.scheduler.tags import BURST, ROUND_END


class _Burst(NamedTuple):
    """The item that a burst begins at, its tag and what that says, its samples, and whether it is its round's last."""

    item: int
    tag: pmt.pmt_base
    packed: bytes
    symbols: int
    analog: bool
    samples: int
    ends_round: bool


@kept_while_running
class ofdm_modulator(gr.basic_block):  # noqa: N801
    """OFDM for analog symbols: every tagged burst becomes preamble, header and payload.

    Stream in: complex64 symbols tagged ``burst``. Stream out: complex64 samples, tagged ``burst``
    where one begins; a used subcarrier has power 1 when the symbols have, so white noise of variance
    1/snr per sample gives an Es/N0 of snr per data subcarrier. When nothing follows a round, some
    silence does, so that the receiver need not wait for the next.
    Message port ``air`` out: after each round (dictionary with ``transfer``, ``round``, ``bursts``
    (analog ones), ``papr_db``, ``start`` (item of the stream out at which its last burst begins) and the channel uses
    ``payload``, ``side_info``, ``header``, ``air`` . empty).

    Args:
        fft_size: points of the FFT, a power of two from 64 to 1024.
        cp_len: samples of the cyclic prefix.
        papr_limit_db: peak over mean power to clip and filter to, dB; 0 leaves peaks alone.
        pad_rounds: follow every round by the silence, whether idle or not. A simulated run then meets the same
            noise however fast the machine is; a radio would waste air.
        slot: samples from the beginning of a round to that of the next, silence included: the rounds of two chains then
            meet the same noise and fades of equal channels. 0: as they come.
        silence: samples of it where nothing follows a round, as many as a receiver takes to see the last burst.
        numerology: in place of ``fft_size`` and ``cp_len``: a name, a file or a numerology, see `load_numerology`; ""
            for none.
        step: samples made and put out at once, at most: more mean less work for each, and more samples that wait before
            a slow radio.

    Raises:
        UserError: a numerology that there is not, a PAPR limit that cannot be kept, a slot of negative length or a step
            without samples.

    Example:
        >>> ofdm_modulator(fft_size=64, cp_len=16).numerology.symbol_len
        80
        >>> ofdm_modulator(numerology="128-cp8").numerology.symbol_len
        136
    """

    def __init__(
        self,
        fft_size: int = 64,
        cp_len: int = 16,
        papr_limit_db: float = 0.0,
        pad_rounds: bool = False,
        numerology: str | Numerology = "",
        slot: int = 0,
        silence: int = SILENCE_SAMPLES,
        step: int = MADE_TOGETHER,
    ) -> None:
        gr.basic_block.__init__(self, name="JSCC OFDM Modulator", in_sig=[np.complex64], out_sig=[np.complex64])
        self.failure: Exception | None = None
        self.numerology = load_numerology(numerology) if numerology else even_numerology(fft_size, cp_len)
        self.set_papr_limit_db(papr_limit_db)
        if slot < 0:
            raise UserError(f"slot must be a number of samples, or 0, not {slot}")
        if step < 1:
            raise UserError(f"step must be a number of samples, not {step}")
        self.pad_rounds, self.slot, self._padding = pad_rounds, slot, silence
        self.set_tag_propagation_policy(gr.TPP_DONT)
        self.set_log_level("warn")  # the next line would be announced on standard output
        self.set_min_output_buffer(2 * step)  # of which GNU Radio has at most half filled at once
        self.message_port_register_out(pmt.intern("air"))
        keep_freed_blocks()  # fresh pages for each turn's samples would be a third of its time
        self._begin_stream()

    def _begin_stream(self) -> None:
        self._consumed = 0  # items of the stream in
        self._coming: collections.deque[_Burst] = collections.deque()  # bursts whose tags were read
        self._seen = 0  # items whose tags were read
        self._symbols: list[np.ndarray] = []  # of the first of those bursts, of which so many are missing
        self._missing = 0
        self._samples = np.empty(0, np.complex64)  # modulated and not yet written
        self._made = 0  # samples modulated so far, silence included
        # Bursts of which nothing was written yet: where they begin in the stream, and their tags.
        self._begins: collections.deque[tuple[int, pmt.pmt_base]] = collections.deque()
        self._begin_round()

    @property
    def unwritten(self) -> int:
        """Samples that are modulated and have not left."""
        return len(self._samples)

    def set_papr_limit_db(self, papr_limit_db: float) -> None:
        """Limits the peaks of the bursts to come; 0 leaves them alone.

        Raises:
            UserError: a limit below 3 dB, which clipping cannot reach.
        """
        if papr_limit_db and not 3 <= papr_limit_db <= 30:
            raise UserError(f"papr_limit_db must be 0 or 3 to 30 dB, not {papr_limit_db}")
        self.papr_limit_db = papr_limit_db or None

    def forecast(self, noutput_items: int, ninputs: int) -> list[int]:
        # With samples left to write the block runs whatever the input; without, it needs input, and
        # GNU Radio may end it when there will be no more.
        return [0 if len(self._samples) else 1]

    def stop(self) -> bool:
        forget_buffer_sizes(self)
        return True

    @guarded
    def general_work(self, input_items: list, output_items: list) -> int:
        symbols, out = input_items[0], output_items[0]
        if self.nitems_read(0) < self._consumed:  # the flowgraph was started again
            self._begin_stream()
        written, taken = self._write(out), 0
        if written < len(out):
            taken = self._take(symbols, len(out) - written)
            written += self._write(out[written:])
        stop = self.nitems_written(0) + written
        while self._begins and self._begins[0][0] < stop:
            self.add_item_tag(0, self._begins[0][0], BURST, self._begins.popleft()[1])
        self._consumed = self.nitems_read(0) + taken
        self.consume(0, taken)
        return written

    def _write(self, out: np.ndarray) -> int:
        """Puts samples out: how many."""
        count = min(len(out), len(self._samples))
        out[:count] = self._samples[:count]
        self._samples = self._samples[count:]
        return count

    def _take(self, symbols: np.ndarray, room: int) -> int:
        """Takes symbols, and modulates the bursts that are whole, as many as fill so much room.

        Returns:
            how many were taken.
        """
        read, coming = self.nitems_read(0), self._coming
        self._read_tags(read + len(symbols))
        taken, length, whole, bursts = 0, 0, list[np.ndarray](), list[_Burst]()
        while taken < len(symbols) and length < room:
            if self._missing == 0:
                while coming and coming[0].item < read + taken:
                    coming.popleft()
                if not coming or coming[0].item > read + taken:  # nothing says what these are
                    taken = coming[0].item - read if coming else len(symbols)
                    continue
                self._missing = coming[0].symbols
            count = min(len(symbols) - taken, self._missing)
            self._symbols.append(symbols[taken : taken + count])
            taken += count
            self._missing -= count
            if self._missing == 0:
                bursts.append(coming.popleft())
                whole += self._symbols
                self._symbols = []
                length += bursts[-1].samples
        if self._missing and self._symbols:
            self._symbols[-1] = self._symbols[-1].copy()  # the buffer is used again
        if bursts:
            self._modulate(bursts, _joined(whole), idle=taken == len(symbols) and not self._missing)
        return taken

    def _read_tags(self, stop: int) -> None:
        """Reads the tags of items up to one, each once."""
        tags = self.get_tags_in_range(0, self._seen, stop, BURST)
        ends = {tag.offset for tag in self.get_tags_in_range(0, self._seen, stop, ROUND_END)}
        self._seen = stop
        packed = [bytes(pmt.u8vector_elements(tag.value)) for tag in tags]
        headers = BurstHeaders.unpack(b"".join(packed))
        samples = burst_lengths(headers.symbols, self.numerology)
        columns = packed, headers.symbols.tolist(), headers.analog.tolist(), samples.tolist()
        for tag, *burst in zip(tags, *columns):
            self._coming.append(_Burst(tag.offset, tag.value, *burst, tag.offset in ends))

    def _modulate(self, bursts: list[_Burst], symbols: np.ndarray, idle: bool) -> None:
        """Modulates whole bursts; ``idle`` when no further symbol is there yet."""
        packed = np.frombuffer(b"".join(burst.packed for burst in bursts), np.uint8).reshape(len(bursts), -1)
        counts, kinds = (np.array(column) for column in zip(*((burst.symbols, burst.analog) for burst in bursts)))
        headers = BurstHeaders(packed, counts, kinds)
        made = modulate_bursts(headers, symbols, self.numerology, self.papr_limit_db)
        begins = [0, *made.ends.tolist()]
        rounds = [number + 1 for number, burst in enumerate(bursts) if burst.ends_round]
        parts = []
        for first, last in itertools.pairwise(sorted({0, *rounds, len(bursts)})):
            offset = self._made - begins[first]
            self._begins += [(offset + begins[number], bursts[number].tag) for number in range(first, last)]
            self._uses = self._uses + count_all_uses(headers[first:last], self.numerology)
            self._analog += int(headers.analog[first:last].sum())
            self._peak = max(self._peak, float(made.peaks[first:last].max()))
            self._energy += float(made.energies[first:last].sum())
            parts.append(made.samples[begins[first] : begins[last]])
            if bursts[last - 1].ends_round:
                parts.append(np.zeros(self._silence(self._uses.air, idle and last == len(bursts)), np.complex64))
                self._report(headers[first:last].last, offset + begins[last - 1])
            self._made = offset + begins[last] + len(parts[-1]) * bursts[last - 1].ends_round
        self._samples = _joined(parts)

    def _silence(self, round_: int, idle: bool) -> int:
        """Samples of silence after a round of so many samples."""
        if not self.slot:
            return self._padding if idle or self.pad_rounds else 0
        if round_ > self.slot:
            raise UserError(f"a round takes {round_} samples of air and has a slot of {self.slot}")
        return self.slot - round_

    def _begin_round(self) -> None:
        self._uses, self._analog = ChannelUses(0, 0, 0, 0), 0
        self._peak, self._energy = 0.0, 0.0

    def _report(self, last: BurstHeader, start: int) -> None:
        """Tells what the round cost whose last burst begins at a sample of the stream out, and begins the next."""
        uses = self._uses
        fields = {
            "transfer": last.transfer, "round": last.round,
            "bursts": self._analog, "start": start,
            "papr_db": float(10 * np.log10(self._peak * uses.air / max(self._energy, 1e-30))),
            **dataclasses.asdict(uses),
        }  # fmt: skip
        self.message_port_pub(pmt.intern("air"), event_message("air", **fields))
        self._begin_round()


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """Arrays one after the other; a single one as it is."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
