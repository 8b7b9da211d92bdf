"""Speed of the loopback modem flowgraph, and of GNU Radio's own OFDM chain, in one way measured."""

from __future__ import annotations

import time

import numpy as np
import pmt
from gnuradio import analog, blocks, digital, gr

from gr_jscc.benchmarks.modem import USUAL
from gr_jscc.blocks import ofdm_demodulator, ofdm_modulator
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.modem import BurstHeader, BurstKind
from gr_jscc.scheduler.pacing import BUFFER_ITEMS, STEP_SAMPLES
from gr_jscc.scheduler.tags import BURST

SNR_DB = 20.0
# GNU Radio's buffers hold a frame of at most 64 OFDM symbols: 3 preamble and header, the rest payload.
STOCK_BYTES = 480
STOCK_FRAME = (3 + -(-(STOCK_BYTES + 4) * 8 // 2 // 48)) * 80  # samples of a packet, with its CRC
STOCK_LAYOUT = {"fft_len": 64, "cp_len": 16, "packet_length_tag_key": "packet_length"}


def stock_payload_power() -> float:
    """Mean power of the payload's symbols in GNU Radio's chain; its preamble's and header's is 1."""
    return float(np.mean(np.square(np.abs(digital.constellation_qpsk().points()))))


def noise_amplitude(power: float) -> float:
    """Of white noise that leaves symbols of such a power an Es/N0 of `SNR_DB`."""
    return float(np.sqrt(power) * 10 ** (-SNR_DB / 20))


def _noise(power: float = 1.0) -> analog.fastnoise_source_c:
    return analog.fastnoise_source_c(analog.GR_GAUSSIAN, noise_amplitude(power), 1, 1 << 16)


def _run(graph: gr.top_block, counted: gr.basic_block, seconds: float) -> float:
    """Million samples a second that leave a block, after a second to warm up."""
    graph.start()
    time.sleep(1.0)
    first, before = counted.nitems_written(0), time.perf_counter()
    time.sleep(seconds)
    rate = (counted.nitems_written(0) - first) / (time.perf_counter() - before) / 1e6
    graph.stop()
    graph.wait()
    return rate


def jscc_msps(
    seconds: float, settings: LinkSettings = USUAL, step: int = STEP_SAMPLES, buffer: int = BUFFER_ITEMS
) -> tuple[float, int, int]:
    """Modulator, white noise, demodulator: (Msps, bursts received, headers that failed).

    Args:
        seconds: that it is measured for.
        settings: numerology and length of the bursts.
        step: the demodulator's.
        buffer: items of all buffers before it; half of them are the modulator's step.
    """
    graph, count, layout = gr.top_block(), settings.burst_symbols, settings.numerology
    header = np.frombuffer(BurstHeader(BurstKind.ANALOG, 1, 0, 0, 1, count).pack(), np.uint8)
    tag = gr.tag_t()
    tag.offset, tag.key, tag.value = 0, BURST, pmt.init_u8vector(len(header), header)
    rng = np.random.default_rng(1)
    symbols = (rng.standard_normal(count) + 1j * rng.standard_normal(count)) / np.sqrt(2)
    source = blocks.vector_source_c(symbols.astype(np.complex64).tolist(), True, 1, [tag])
    modulator = ofdm_modulator(numerology=layout, step=buffer // 2)
    demodulator, add = ofdm_demodulator(numerology=layout, step=step), blocks.add_cc()
    for block in (source, add):  # as large as our own blocks' buffers
        block.set_log_level("warn")
        block.set_min_output_buffer(buffer)
    graph.connect(source, modulator, add, demodulator)
    graph.connect(_noise(), (add, 1))
    graph.connect((demodulator, 0), blocks.null_sink(gr.sizeof_gr_complex))
    graph.connect((demodulator, 1), blocks.null_sink(gr.sizeof_float))
    rate = _run(graph, add, seconds)
    counters = demodulator.demodulator.counters
    return rate, counters.bursts, counters.headers_failed


def stock_transmitter(graph: gr.top_block) -> gr.basic_block:
    """GNU Radio's OFDM of endless QPSK packets, connected in a graph: the block whose samples go on the air.

    On a data carrier, after a unitary FFT, symbols have power 1 in the header and `stock_payload_power` in the payload.
    """
    data = np.random.default_rng(1).integers(0, 256, STOCK_BYTES, np.uint8)
    tag = gr.tag_t()
    tag.offset, tag.key, tag.value = 0, pmt.intern("packet_length"), pmt.from_long(STOCK_BYTES)
    source = blocks.vector_source_b(data.tolist(), True, 1, [tag])
    transmitter = digital.ofdm_tx(bps_header=1, bps_payload=2, rolloff=0, **STOCK_LAYOUT)
    scale = blocks.multiply_const_cc(1 / np.sqrt(64))  # the transmitter's FFT is not unitary
    # The transmitter's tags must not reach the receiver, which takes them for its own and then decodes nothing.
    gate = blocks.tag_gate(gr.sizeof_gr_complex, False)
    graph.connect(source, transmitter, scale, gate)
    return gate


def stock_msps(seconds: float) -> tuple[float, int, int]:
    """ofdm_tx, white noise, ofdm_rx of QPSK packets: (Msps, packets sent, packets decoded with a good CRC).

    `SNR_DB` is the payload's Es/N0. The header's is lower, as GNU Radio sends it with less power.
    """
    graph = gr.top_block()
    receiver = digital.ofdm_rx(bps_header=1, bps_payload=2, **STOCK_LAYOUT)
    add, received = blocks.add_cc(), blocks.vector_sink_b()
    graph.connect(stock_transmitter(graph), add, receiver, received)
    graph.connect(_noise(stock_payload_power()), (add, 1))
    rate = _run(graph, add, seconds)
    return rate, add.nitems_written(0) // STOCK_FRAME, len(received.data()) // STOCK_BYTES
