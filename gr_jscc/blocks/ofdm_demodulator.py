"""Samples to bursts of equalised symbols."""

from __future__ import annotations

import collections

import numpy as np
import pmt
from gnuradio import gr

from gr_jscc.modem import Numerology, ReceivedBurst, StreamDemodulator
from gr_jscc.modem import numerology as even_numerology
from gr_jscc.modem.hearing import Hearing
from gr_jscc.modem.numerology_file import load_numerology
from gr_jscc.scheduler.guard import guarded, warn
from gr_jscc.scheduler.keeping import kept_while_running
from gr_jscc.scheduler.pacing import BUFFER_ITEMS, STEP_SAMPLES, forget_buffer_sizes
from gr_jscc.scheduler.tags import BURST, QUALITY, notice, u8vector_of_bytes


@kept_while_running
class ofdm_demodulator(gr.basic_block):  # noqa: N801
    """Finds bursts in a stream of samples and equalises them.

    Stream in: complex64 samples. Streams out, item for item: complex64 symbols of unit gain, and
    float32 the noise variance of each; bursts are tagged ``burst`` and ``quality`` on the symbols
    (see `gr_jscc.scheduler.tags`).
    Message port ``progress`` out: how far it is, for a decoder that waits for bursts (dictionary with ``arrived``,
    samples taken in; ``settled``, sample before which no further burst begins; ``busy``, whether it searches for more;
    and ``written``, symbols put out before . empty).

    Args:
        fft_size, cp_len, numerology: as the modulator's.
        step: samples worked on together, as `gr_jscc.modem.StreamDemodulator` has it.

    Attributes:
        numerology: that it has.

    Raises:
        UserError: a numerology that there is not, or a step too small for it.

    Example:
        >>> ofdm_demodulator(fft_size=256, cp_len=32).demodulator.numerology.fft_size
        256
    """

    def __init__(
        self, fft_size: int = 64, cp_len: int = 16, numerology: str | Numerology = "", step: int = STEP_SAMPLES
    ) -> None:
        gr.basic_block.__init__(
            self, name="JSCC OFDM Demodulator", in_sig=[np.complex64], out_sig=[np.complex64, np.float32]
        )
        self.failure: Exception | None = None
        self.numerology = load_numerology(numerology) if numerology else even_numerology(fft_size, cp_len)
        self.demodulator = StreamDemodulator(self.numerology, step)
        self._hearing = Hearing(self.demodulator)
        self.set_tag_propagation_policy(gr.TPP_DONT)
        self.set_log_level("warn")  # the next line would be announced on standard output
        self.set_min_output_buffer(BUFFER_ITEMS)
        self._progress = pmt.intern("progress")
        self.message_port_register_out(self._progress)
        self._bursts: collections.deque[ReceivedBurst] = collections.deque()
        self._written = 0  # symbols of the first burst
        self._settled = 0
        self._told: tuple[int, int, bool] | None = None

    def forecast(self, noutput_items: int, ninputs: int) -> list[int]:
        return [0 if self._bursts or self.demodulator.is_ready else 1]  # see ofdm_modulator.forecast

    def stop(self) -> bool:
        forget_buffer_sizes(self)
        return True

    @guarded
    def general_work(self, input_items: list, output_items: list) -> int:
        if not self._bursts and self.demodulator.is_ready:
            self._bursts.extend(self.demodulator.work())
        elif not self._bursts:
            samples = input_items[0]
            self.demodulator.take(samples)
            if line := self._hearing.push(samples):
                warn(self, line)
            self.consume(0, len(samples))
            if self.demodulator.is_ready:
                self._tell(busy=True)
                return 0  # and what comes before hears that there is room, and fills it meanwhile
        symbols, noise_var = output_items
        room, done = min(len(symbols), len(noise_var)), 0
        while self._bursts and done < room:
            burst = self._bursts[0]
            if self._written == 0:
                self._tag(burst, self.nitems_written(0) + done)
            count = min(room - done, len(burst.symbols) - self._written)
            part = slice(self._written, self._written + count)
            symbols[done : done + count] = burst.symbols[part]
            noise_var[done : done + count] = burst.noise_var[part]
            done += count
            self._written += count
            if self._written == len(burst.symbols):
                self._bursts.popleft()
                self._written = 0
        self._tell(done, busy=bool(self._bursts))
        return done

    def _tell(self, done: int = 0, busy: bool = False) -> None:
        """Publishes the progress, which stands still while bursts wait to be put out; ``done`` symbols are about to."""
        arrived = self.demodulator.counters.samples
        if not self._bursts:
            self._settled = self.demodulator.settled
        told = (arrived, self._settled, busy)
        if told != self._told:
            self._told = told
            fields = {"arrived": arrived, "settled": self._settled, "busy": busy}
            self.message_port_pub(self._progress, notice(**fields, written=self.nitems_written(0) + done))

    def _tag(self, burst: ReceivedBurst, offset: int) -> None:
        quality = [float(burst.start), burst.cfo, burst.snr_db, burst.evm_db, float(burst.source)]
        self.add_item_tag(0, offset, BURST, u8vector_of_bytes(burst.header.pack()))
        self.add_item_tag(0, offset, QUALITY, pmt.init_f64vector(len(quality), quality))
