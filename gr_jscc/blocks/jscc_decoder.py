"""Bursts of received symbols to images: the link's assembly and a codec's receiving half."""

from __future__ import annotations

import time

import numpy as np
import pmt
from gnuradio import gr

from gr_jscc.blocks.guard import guarded
from gr_jscc.blocks.tags import BURST, QUALITY, image_message, notice
from gr_jscc.blocks.worker import Worker
from gr_jscc.codecs.registry import load_codec
from gr_jscc.link.assembly import Arrival, Assembler
from gr_jscc.link.reception import ReceivingEnd
from gr_jscc.modem import BurstHeader, ReceivedBurst

QUEUED_ROUNDS = 2


class jscc_decoder(gr.basic_block):  # noqa: N801
    """Decodes what the demodulator received; every round of a transfer gives a picture.

    Streams in: complex64 symbols tagged ``burst`` and, from our demodulator, ``quality``; and float32
    noise variances. Without ``quality`` the SNR is that of the noise variances, and no more is known.
    Message port ``received`` out: (dictionary with ``transfer``, ``round``, link figures . u8vector
    of RGB bytes, empty when nothing could be decoded), and at the end of the stream one whose
    ``event`` is ``end``.

    The network runs in a thread of its own; while its queue is full the block takes no symbols, which
    holds back the whole chain. When the stream ends, pictures may still come after GNU Radio has told
    the message neighbours to end: a block that wants them ignores that (see `ImageSink`).

    Args:
        codec, weights, device: as the encoder's.

    Raises:
        CodecError: unknown codec.
        WeightsError: bad weights.
    """

    def __init__(self, codec: str = "deepjscc", weights: str = "", device: str = "cpu") -> None:
        gr.basic_block.__init__(self, name="JSCC Decoder", in_sig=[np.complex64, np.float32], out_sig=None)
        self.failure: Exception | None = None
        self._receiving = ReceivingEnd(load_codec(codec, weights or None, device))
        self._assembler = Assembler()
        self._worker = Worker(self._decode, QUEUED_ROUNDS)
        self._header: BurstHeader | None = None
        self._quality: tuple[float, ...] | None = None
        self._parts: list[tuple[np.ndarray, np.ndarray]] = []
        self._missing = 0
        self.message_port_register_out(pmt.intern("received"))

    def start(self) -> bool:
        self._worker.start()
        return True

    def stop(self) -> bool:
        for arrival in self._assembler.flush():
            self._worker.submit(arrival)
        self._worker.finish()
        self.failure = self.failure or self._worker.failure
        self.message_port_pub(pmt.intern("received"), notice(event="end"))
        return True

    def forecast(self, noutput_items: int, ninputs: int) -> list[int]:
        return [1] * ninputs

    @guarded
    def general_work(self, input_items: list, output_items: list) -> int:
        if self._worker.failure is not None:
            raise self._worker.failure
        symbols, noise_var = input_items
        available = min(len(symbols), len(noise_var))
        done = 0
        while done < available:
            if self._missing == 0 and not self._begin(done):
                done = available  # symbols that no tag describes
                break
            count = min(available - done, self._missing)
            self._parts.append((symbols[done : done + count].copy(), noise_var[done : done + count].copy()))
            self._missing -= count
            done += count
            if self._missing == 0:
                self._end_burst()
        self.consume_each(done)
        return 0

    def _begin(self, done: int) -> bool:
        """Reads the tags at the next item; False when it begins no burst."""
        read = self.nitems_read(0)
        tags = {str(tag.key): tag.value for tag in self.get_tags_in_range(0, read + done, read + done + 1)}
        if str(BURST) not in tags:
            return False
        self._header = BurstHeader.unpack(bytes(pmt.u8vector_elements(tags[str(BURST)])))
        quality = tags.get(str(QUALITY))
        self._quality = None if quality is None else tuple(pmt.f64vector_elements(quality))
        self._missing = self._header.symbols
        return True

    def _end_burst(self) -> None:
        symbols, noise_var = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        self._parts = []
        if self._quality is None:
            snr_db = float(-10 * np.log10(np.maximum(np.mean(noise_var), 1e-12)))
            self._quality = (snr_db, np.nan, np.nan, 0.0)
        snr_db, cfo, evm_db, start = self._quality
        burst = ReceivedBurst(self._header, symbols, noise_var, int(start), cfo, snr_db, evm_db)
        for arrival in self._assembler.push(burst):
            self._worker.submit(arrival)

    def _decode(self, arrival: Arrival) -> None:
        """In the worker's thread."""
        before = time.monotonic()
        picture = self._receiving.decode(arrival)
        meta = {
            "event": "received", "transfer": arrival.transfer, "round": arrival.round,
            "snr_db": arrival.snr_db, "cfo": arrival.cfo, "evm_db": arrival.evm_db,
            "bursts_sent": arrival.bursts_sent, "bursts_received": arrival.bursts_received,
            "decode_seconds": time.monotonic() - before, "finished": time.monotonic(),
        }  # fmt: skip
        message = notice(**meta) if picture is None else image_message(picture, **meta)
        self.message_port_pub(pmt.intern("received"), message)


