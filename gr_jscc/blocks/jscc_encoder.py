"""Images to bursts of complex symbols: a codec's transmitting half and the link's framing."""

from __future__ import annotations

import collections
import threading
import time

import numpy as np
import pmt
from gnuradio import gr

from gr_jscc.blocks.guard import WORK_DONE, guarded
from gr_jscc.blocks.tags import BURST, ROUND_END, image_message, message_fields, message_image, notice
from gr_jscc.blocks.worker import Worker
from gr_jscc.codecs.base import CodecError
from gr_jscc.codecs.registry import load_codec
from gr_jscc.link.bursts import TRANSFERS, LinkSettings, round_bursts

QUEUED_IMAGES = 2  # asked of the source ahead of need, so that the network is never idle
QUEUED_ROUNDS = 2  # encoded and waiting for the modulator


class jscc_encoder(gr.basic_block):  # noqa: N801
    """Encodes images with a JSCC codec and streams their bursts.

    Message ports: ``image`` in (see `image_source`); ``ready`` out asks for the next image; ``sent``
    out reports each picture with its transfer number and what it cost.
    Stream out: complex64 symbols of mean power 1, tagged ``burst`` (see `gr_jscc.blocks.tags`).

    The network runs in a thread of its own. When the modulator is slower, no further image is asked
    for. Nothing is dropped: images of a source that does not wait for ``ready`` are queued.

    Args:
        codec: name of the codec.
        cbr: most complex symbols per colour value of the picture, e.g. 1/12.
        weights: a shipped model or a file; "" for the codec's default.
        device: torch device.
        settings: how rounds become bursts.

    Raises:
        CodecError: unknown codec, or a rate it does not serve.
        WeightsError: bad weights.
    """

    def __init__(
        self,
        codec: str = "deepjscc",
        cbr: float = 1 / 12,
        weights: str = "",
        device: str = "cpu",
        settings: LinkSettings | None = None,
    ) -> None:
        gr.basic_block.__init__(self, name="JSCC Encoder", in_sig=None, out_sig=[np.complex64])
        self.failure: Exception | None = None
        self.codec = load_codec(codec, weights or None, device)
        self.settings = settings or LinkSettings()
        self.set_cbr(cbr)
        self._transfer = 0
        self._worker = Worker(self._encode, depth=0)  # a full one would stop this thread, which empties it
        self._rounds: collections.deque = collections.deque()  # of lists of bursts, oldest first
        self._room = threading.Semaphore(QUEUED_ROUNDS)
        self._burst = None  # (symbols, is last of its round) being written
        self._written = 0
        self._stopping = False
        self._ended = False
        self.message_port_register_in(pmt.intern("image"))
        self.set_msg_handler(pmt.intern("image"), self.handle_image)
        # A block that waits for a worker looks again after 0.1 s, or at once when a message comes.
        self.message_port_register_in(pmt.intern("wake"))
        self.set_msg_handler(pmt.intern("wake"), self.handle_wake)
        # A source of images that ends tells its neighbours to. The default is to obey at once.
        self.message_port_register_in(pmt.intern("system"))
        self.set_msg_handler(pmt.intern("system"), self.handle_system)
        for port in ("ready", "sent"):
            self.message_port_register_out(pmt.intern(port))

    def set_cbr(self, cbr: float) -> None:
        """Changes the rate of the images to come.

        Raises:
            CodecError: the codec does not serve it.
        """
        self.codec.transmitter(cbr)
        self.cbr = cbr

    def start(self) -> bool:
        self._worker.start()
        for _ in range(QUEUED_IMAGES):
            self._ask()
        return True

    def stop(self) -> bool:
        self._stopping = True
        self._room.release()
        self._worker.finish()
        return True

    def _ask(self) -> None:
        self.message_port_pub(pmt.intern("ready"), pmt.PMT_T)

    def _wake(self) -> None:
        self.to_basic_block()._post(pmt.intern("wake"), pmt.PMT_T)

    def handle_wake(self, message: pmt.pmt_base) -> None:
        """Nothing to do: the message itself makes the scheduler call `general_work`."""

    def handle_system(self, message: pmt.pmt_base) -> None:
        """Ends after the images that came before."""
        self.to_basic_block()._post(pmt.intern("image"), notice(end=True))

    @guarded
    def handle_image(self, message: pmt.pmt_base) -> None:
        fields = message_fields(message)
        image = message_image(message)
        if image is None and "end" not in fields:
            raise ValueError("a message without a picture")
        self._worker.submit(None if image is None else (str(fields.get("name", "")), image))

    def _encode(self, item: tuple[str, np.ndarray] | None) -> None:
        """In the worker's thread: one image, or None at the end of all."""
        if self._stopping:
            return
        if item is None:
            self._rounds.append(None)
        else:
            self._send(*item)
        self._wake()

    def _send(self, name: str, image: np.ndarray) -> None:
        started, cbr = time.monotonic(), self.cbr  # which may change meanwhile
        transmitter = self.codec.transmitter(cbr)
        try:
            payload, round_ = transmitter.start(image), 0
        except CodecError as error:
            raise CodecError(f"{name}: {error}") from error
        encode_seconds = time.monotonic() - started
        height, width = image.shape[:2]
        bursts = []
        while payload is not None:
            bursts.append(
                round_bursts(payload, height, width, self.codec.weights_hash, self._transfer, round_, self.settings)
            )
            before = time.monotonic()
            payload, round_ = transmitter.next(None), round_ + 1
            encode_seconds += time.monotonic() - before
        meta = {
            "event": "sent", "transfer": self._transfer, "name": name,
            "codec": self.codec.name, "weights": self.codec.weights_name, "cbr": cbr,
            "encode_seconds": encode_seconds, "started": started,
        }  # fmt: skip
        self.message_port_pub(pmt.intern("sent"), image_message(image, **meta))
        self._transfer = (self._transfer + 1) % TRANSFERS
        for train in bursts:
            self._room.acquire()
            if self._stopping:
                return
            self._rounds.append([(burst, i == len(train) - 1) for i, burst in enumerate(train)])
            self._wake()
        self._ask()

    @guarded
    def general_work(self, input_items: list, output_items: list) -> int:
        if self._worker.failure is not None:
            raise self._worker.failure
        out = output_items[0]
        done = 0
        while done < len(out) and self._next_burst():
            burst, last = self._burst
            if self._written == 0:
                offset = self.nitems_written(0) + done
                header = np.frombuffer(burst.header.pack(), np.uint8)
                self.add_item_tag(0, offset, BURST, pmt.init_u8vector(len(header), header))
                if last:
                    self.add_item_tag(0, offset, ROUND_END, pmt.PMT_T)
            count = min(len(out) - done, len(burst.symbols) - self._written)
            out[done : done + count] = burst.symbols[self._written : self._written + count]
            done += count
            self._written += count
            if self._written == len(burst.symbols):
                self._burst, self._written = None, 0
        return WORK_DONE if self._ended and done == 0 else done

    def _next_burst(self) -> bool:
        """Makes sure a burst is being written; False when none is there."""
        while self._burst is None:
            if not self._rounds:
                return False
            train = self._rounds[0]
            if train is None:
                self._ended = True
                return False
            if not train:
                self._rounds.popleft()
                self._room.release()
                continue
            self._burst = train.pop(0)
        return True
