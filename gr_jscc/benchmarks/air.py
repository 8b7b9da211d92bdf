"""Continuous bursts through the virtual air, from one process to another, as fast as both can."""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np
import pmt
from gnuradio import analog, blocks, gr

from gr_jscc.blocks import ofdm_demodulator, ofdm_modulator
from gr_jscc.modem import BurstHeader, BurstKind
from gr_jscc.radio import radio_sink, radio_source
from gr_jscc.resident import resident_mb
from gr_jscc.scheduler.guard import guarded
from gr_jscc.scheduler.keeping import kept_while_running
from gr_jscc.scheduler.pacing import BUFFER_ITEMS
from gr_jscc.scheduler.tags import BURST

BURST_SYMBOLS = 2400
NUMBERS = 16_000  # bursts are numbered in their headers' ``index``, and begin again after so many
SNR_DB = 20.0
WARM_UP_SECONDS = 10.0


@kept_while_running
class _NumberedBursts(gr.sync_block):
    """An endless stream of bursts with numbers in their headers."""

    def __init__(self) -> None:
        gr.sync_block.__init__(self, name="Numbered Bursts", in_sig=None, out_sig=[np.complex64])
        self.failure: Exception | None = None
        rng = np.random.default_rng(1)
        symbols = rng.standard_normal((BURST_SYMBOLS, 2)) @ np.array([1, 1j]) / np.sqrt(2)
        self._symbols = symbols.astype(np.complex64)
        self._next = 0
        self.set_log_level("warn")
        self.set_min_output_buffer(BUFFER_ITEMS)
        self.set_output_multiple(BURST_SYMBOLS)

    @guarded
    def work(self, input_items: list, output_items: list) -> int:
        out, written = output_items[0], self.nitems_written(0)
        count = len(out) // BURST_SYMBOLS
        for i in range(count):
            out[i * BURST_SYMBOLS : (i + 1) * BURST_SYMBOLS] = self._symbols
            header = BurstHeader(BurstKind.ANALOG, 1, 0, self._next, NUMBERS, BURST_SYMBOLS).pack()
            data = np.frombuffer(header, np.uint8)
            self.add_item_tag(0, written + i * BURST_SYMBOLS, BURST, pmt.init_u8vector(len(data), data))
            self._next = (self._next + 1) % NUMBERS
        return count * BURST_SYMBOLS


@kept_while_running
class _Count(gr.sync_block):
    """Counts bursts, and those that are missing between them."""

    def __init__(self) -> None:
        gr.sync_block.__init__(self, name="Count", in_sig=[np.complex64], out_sig=None)
        self.failure: Exception | None = None
        self.bursts = self.lost = 0
        self._last: int | None = None

    @guarded
    def work(self, input_items: list, output_items: list) -> int:
        count = len(input_items[0])
        for tag in self.get_tags_in_window(0, 0, count, BURST):
            number = BurstHeader.unpack(bytes(pmt.u8vector_elements(tag.value))).index
            if self._last is not None:
                self.lost += (number - self._last - 1) % NUMBERS
            self._last = number
            self.bursts += 1
        return count


def _send(control: Connection, radio: str) -> None:
    graph = gr.top_block()
    source, modulator, add = _NumberedBursts(), ofdm_modulator(), blocks.add_cc()
    add.set_log_level("warn")
    add.set_min_output_buffer(BUFFER_ITEMS)
    noise = analog.fastnoise_source_c(analog.GR_GAUSSIAN, 10 ** (-SNR_DB / 20), 1, 1 << 16)
    graph.connect(source, modulator, add, radio_sink(radio))
    graph.connect(noise, (add, 1))
    _run(graph, control, lambda: (add.nitems_written(0),), [source, modulator])


def _receive(control: Connection, radio: str) -> None:
    graph = gr.top_block()
    source, demodulator, count = radio_source(radio), ofdm_demodulator(), _Count()
    graph.connect(source, demodulator, count)
    graph.connect((demodulator, 1), blocks.null_sink(gr.sizeof_float))
    _run(graph, control, lambda: (count.bursts, count.lost), [demodulator, count])


def _run(graph: gr.top_block, control: Connection, state, own: list) -> None:
    """Runs until the other side of ``control`` says False; answers each True with the state and the memory in use."""
    graph.start()
    while control.recv():
        failure = next((block.failure for block in own if block.failure is not None), None)
        control.send((*state(), resident_mb(), None if failure is None else repr(failure)))
    graph.stop()
    graph.wait()


@dataclass(frozen=True)
class Stretch:
    """A part of the stream.

    Attributes:
        seconds: since the beginning, after warming up.
        msps: million samples a second.
        bursts, lost: received and missing, since the beginning.
        growth_mb: memory of both processes over that at the beginning.

    Example:
        >>> stretch = Stretch(seconds=10.0, msps=2.5, bursts=8000, lost=2, growth_mb=0.5)
        >>> stretch.lost / (stretch.bursts + stretch.lost) < 1e-3
        True
    """

    seconds: float
    msps: float
    bursts: int
    lost: int
    growth_mb: float


def stream(radio: str, seconds: float, every: float = 10.0, warm_up: float = WARM_UP_SECONDS) -> Iterator[Stretch]:
    """Streams for so long and tells how it goes.

    Args:
        radio: address of a virtual air, see `gr_jscc.radio`.
        seconds: after warming up.
        every: seconds between what is told.
        warm_up: seconds before that, in which buffers fill.

    Raises:
        RuntimeError: a process failed.
    """
    context = multiprocessing.get_context("spawn")
    ends, processes = [], []
    for target in (_send, _receive):
        mine, theirs = context.Pipe()
        process = context.Process(target=target, args=(theirs, radio), daemon=True)
        process.start()
        ends.append(mine)
        processes.append(process)

    def ask() -> list[tuple]:
        for end in ends:
            end.send(True)
        answers = [end.recv() for end in ends]
        if failure := next((answer[-1] for answer in answers if answer[-1]), None):
            raise RuntimeError(failure)
        return answers

    try:
        while not ask()[1][0]:  # until the first burst arrives
            time.sleep(0.2)
        time.sleep(warm_up)
        (samples0, memory0, _), (bursts0, lost0, memory1, _) = ask()
        began = then = time.monotonic()
        before = samples0
        for number in range(1, math.ceil(seconds / every) + 1):  # as many on a busy machine, where each is late
            time.sleep(max(0.0, began + min(number * every, seconds) - time.monotonic()))
            (samples, sender, _), (bursts, lost, receiver, _) = ask()
            now = time.monotonic()
            growth = sender + receiver - memory0 - memory1
            yield Stretch(now - began, (samples - before) / (now - then) / 1e6, bursts - bursts0, lost - lost0, growth)
            then, before = now, samples
        for end in ends:
            end.send(False)
        for process in processes:
            process.join(10)
    finally:
        for process in processes:
            process.kill()
