"""Bursts of received symbols to images: the link's receiving end and a codec's receiving half."""

from __future__ import annotations

import collections
import json
import threading
import time
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pmt
from gnuradio import gr

from gr_jscc.codecs.registry import load_codec_for_air
from gr_jscc.link.arrival import Arrival
from gr_jscc.link.assembly import MEMORY
from gr_jscc.link.back_channel import Report
from gr_jscc.link.feedback import channel_state
from gr_jscc.link.incoming import SYMBOL_BYTES
from gr_jscc.link.journal import Journal
from gr_jscc.link.reception import ReceivingEnd
from gr_jscc.link.session import Session
from gr_jscc.modem import BurstHeader, HeaderSource, ReceivedBurst
from gr_jscc.scheduler.control import Connection, Opening, SignsOfLife, control_message, read_control
from gr_jscc.scheduler.events import event_message
from gr_jscc.scheduler.guard import fail, guarded, warn
from gr_jscc.scheduler.keeping import kept_while_running
from gr_jscc.scheduler.tags import BURST, QUALITY, message_fields
from gr_jscc.scheduler.ticker import Ticker
from gr_jscc.scheduler.worker import Worker

QUEUED_ROUNDS = 2  # a simulated channel waits for the network
QUEUED_ROUNDS_LIVE = 256  # a radio does not wait


@kept_while_running
class jscc_decoder(gr.basic_block):  # noqa: N801
    """Decodes what the demodulator received; every round of a transfer gives a picture.

    Streams in: complex64 symbols tagged ``burst`` and, from our demodulator, ``quality``; and float32 noise variances.
    Without ``quality`` the SNR is that of the noise variances, and no more is known.
    Message port ``received`` out: (dictionary with ``transfer``, ``round``, link figures . u8vector of RGB bytes, empty
    when nothing could be decoded: where the codec shows a grey picture then, ``shown_grey`` is set and ``height`` and
    ``width`` are there), and at the end of the stream one whose ``event`` is ``end``. With ``live`` there are also
    ``taken``, as soon as a round was handed to the network (``back_channel`` tells whether there is one), and
    ``quiet``, when nothing is on the air any more.
    Message port ``progress`` in, from our demodulator: tells for which samples there may still be bursts. Without it
    the block has only seconds to go by, and waits longer before it takes bursts for lost.

    With a back-channel, ports ``to_back_channel`` and ``from_back_channel`` are connected to `back_channel`: the block
    then asks for lost bursts, feeds rounds back, and passes what the transmitter tells of its pictures on to
    ``received`` (``event`` is ``peer``, and ``content`` JSON).

    The network runs in a thread of its own; while its queue is full the block takes no symbols, which holds back the
    whole chain. When the stream ends, pictures may still come after GNU Radio has told the message neighbours to end: a
    block that wants them ignores that (see `ImageSink`).

    Args:
        codec, weights, device, precision: as the encoder's.
        live: the samples come from a radio: quiet ends a round, and the network may lag behind.
        back_channel: whether there is one; implies ``live``.
        feedback_format: how symbols are fed back, ``complex64``, ``float16`` or ``int8``.
        patience: seconds without a back-channel after which rounds with holes are decoded as they are.
        rounds: of a picture that are good enough; the transmitter is then told to stop. 0 wants all.
        feedback_snr_db: Es/N0 of a feedback channel to imitate; 0 for none.
        memory_mib: that rounds may take which are not complete, and the same again for those that wait for the network.
        newest: pass over pictures of which a newer one waits for the network, and count them: of video nobody wants
            the older. A manifest then stands for frames without one; a back-channel only tells how the channel was.

    Attributes:
        passed_over: pictures that were.

    Raises:
        CodecError: unknown codec, or one that is only a bound.
        WeightsError: bad weights.

    Example:
        >>> jscc_decoder("deepjscc").decoding
        False
    """

    def __init__(
        self,
        codec: str = "deepjscc",
        weights: str = "",
        device: str = "cpu",
        precision: str = "fp32",
        live: bool = False,
        back_channel: bool = False,
        feedback_format: str = "complex64",
        patience: float = 60.0,
        rounds: int = 0,
        feedback_snr_db: float = 0.0,
        memory_mib: int = MEMORY >> 20,
        newest: bool = False,
    ) -> None:
        gr.basic_block.__init__(self, name="JSCC Decoder", in_sig=[np.complex64, np.float32], out_sig=None)
        self.failure: Exception | None = None
        loaded = load_codec_for_air(codec, weights or None, device, precision)
        self.codec = loaded.of_stream(refresh=1) if newest else loaded  # the sender decides on refreshes
        self._has_peer, self._back_channel = back_channel, back_channel and not newest
        send = self._send if self._back_channel else None
        self._receiving = ReceivingEnd(
            self.codec, send, feedback_format, patience, rounds or None, feedback_snr_db or None, memory_mib << 20
        )
        self._memory, self._waiting = memory_mib << 20, 0  # bytes that may wait for the network, and that do
        if newest:
            self._receiving.expect_stream()
        self._newest, self._latest, self.passed_over = newest, -1, 0
        self._lock = threading.Lock()
        self._receiving.pictures.tell = lambda line: warn(self, line)
        live = live or back_channel
        queued = QUEUED_ROUNDS_LIVE if live else QUEUED_ROUNDS
        self._worker = Worker(self._decode, queued, lambda error: fail(self, error))
        self._ticker = Ticker(self, "wake", self._tell_of_work) if live else None
        self._header: BurstHeader | None = None
        self._quality: tuple[float, ...] | None = None
        self._parts: list[tuple[np.ndarray, np.ndarray]] = []
        self._missing = 0
        self._quiet = True  # and told so
        self._told_of_strangers = self._told_of_size = False
        self._in_hand: int | None = None  # transfer that the network works on
        self._signs = SignsOfLife(self._send)
        self._progress: collections.deque[dict] = collections.deque()  # of symbols that are not read yet
        self.message_port_register_in(pmt.intern("progress"))
        self.set_msg_handler(pmt.intern("progress"), self.handle_progress)
        self.message_port_register_in(pmt.intern("wake"))
        self.set_msg_handler(pmt.intern("wake"), self.handle_wake)
        self.message_port_register_in(pmt.intern("from_back_channel"))
        self.set_msg_handler(pmt.intern("from_back_channel"), self.handle_back_channel)
        for port in ("received", "to_back_channel"):
            self.message_port_register_out(pmt.intern(port))

    @property
    def refused(self) -> int:
        """Rounds so far that came from other weights, or another codec."""
        return self._receiving.pictures.refused

    @property
    def strangers(self) -> dict[int, int]:
        """Bursts so far of other senders than the one on the back-channel, by sender."""
        return self._receiving.strangers

    @property
    def forged(self) -> int:
        """Manifests so far that the sender on the back-channel did not make, or that no sender can have made."""
        return self._receiving.forged

    @property
    def decoding(self) -> bool:
        """Whether the network has a round in hand, or one waits for it."""
        return self._worker.busy

    @property
    def waiting(self) -> int:
        """Rounds that wait for the network, with the one that it has in hand."""
        return self._worker.waiting

    def keep_journal(self, journal: Journal) -> None:
        """Has all that comes and is decided told to a journal, in the block's own thread; before the start."""
        self._receiving.journal = journal

    def start(self) -> bool:
        self._worker.start()
        if self._ticker:
            self._ticker.start()
        if self._has_peer:
            names = self.codec.name, self.codec.weights_name, self.codec.weights_hash
            self._send(Opening("receiver", *names, is_stream=self._newest))
        if self._ticker and self.codec.uses_feedback and not self._back_channel:
            line = f"{self.codec.name} works better with feedback, but there is no back-channel: it continues without"
            warn(self, line)
        return True

    def stop(self) -> bool:
        if self._ticker:
            self._ticker.stop()
        self._queue(self._receiving.flush())
        self._worker.finish()
        self.tell_end()
        return True

    def leave_off(self) -> int:
        """Has only the round in work decoded, none of those that wait; returns how many those are."""
        return self._worker.leave_off()

    def abandon(self) -> None:
        """Has `stop` wait for nothing."""
        self._worker.abandon()

    def tell_end(self) -> None:
        """Tells ``received`` that no more will come, before the flowgraph ends."""
        self.message_port_pub(pmt.intern("received"), event_message("end"))

    def _send(self, message: object) -> None:
        self.message_port_pub(pmt.intern("to_back_channel"), control_message(message))

    def _tell_of_work(self) -> None:
        working = self._in_hand
        if self._back_channel and working is not None:
            self._signs.give(working)

    def _queue(self, arrivals: Iterable[Arrival]) -> None:
        for arrival in arrivals:
            self._latest = arrival.transfer
            if self._ticker:
                taken = event_message(
                    "taken", transfer=arrival.transfer, round=arrival.round, back_channel=self._back_channel
                )
                self.message_port_pub(pmt.intern("received"), taken)
            if self._has_peer and self._newest:
                self._send(channel_state(arrival))
            elif self._back_channel:
                self._send(Report(arrival.transfer, {"event": "decoding", "round": arrival.round}))
            self._worker.submit(self._within_memory(arrival))

    def _within_memory(self, arrival: Arrival) -> Arrival:
        """The round, or without its symbols if too many wait: it is then lost."""
        size = 0 if arrival.reception is None else SYMBOL_BYTES * len(arrival.reception.symbols)
        with self._lock:
            if self._waiting + size <= self._memory:
                self._waiting += size
                return arrival
        warn(self, f"a round of {size >> 20} MiB was dropped: the decoder's queue has reached its memory limit")
        return replace(arrival, reception=None)

    @guarded
    def handle_wake(self, message: pmt.pmt_base) -> None:
        self._queue(self._receiving.tick())
        if self._receiving.strangers and not self._told_of_strangers:
            self._told_of_strangers = True
            warn(self, "another transmitter is on the air: its bursts are ignored")
        if self._receiving.too_large and not self._told_of_size:
            self._told_of_size = True
            warn(self, "skipped a picture whose rounds exceed the memory limit (--memory-limit)")
        if self._receiving.quiet and not self._quiet:
            self._quiet = True
            self.message_port_pub(pmt.intern("received"), event_message("quiet"))

    @guarded
    def handle_progress(self, message: pmt.pmt_base) -> None:
        self._progress.append(message_fields(message))
        self._take_progress()

    def _take_progress(self) -> None:
        """Takes what the demodulator told up to the symbols that were read: those that it had found come first."""
        while self._progress and self._progress[0]["written"] <= self.nitems_read(0):
            told = self._progress.popleft()
            self._receiving.samples(told["arrived"], told["settled"], told["busy"])

    @guarded
    def handle_back_channel(self, message: pmt.pmt_base) -> None:
        content = read_control(message)
        if not self._back_channel:
            return  # it is only told
        if isinstance(content, Connection):
            session = None
            if content.connected:
                session = Session(content.session, content.air_key if content.encrypted else b"")
            self._queue(self._receiving.connection(content.connected, content.restarted, session))
        elif isinstance(content, Report) and content.content.get("event") != "air":
            self._receiving.journal.told(content.transfer, content.content)
            told = event_message("peer", transfer=content.transfer, content=json.dumps(content.content))
            self.message_port_pub(pmt.intern("received"), told)
            self._queue(self._receiving.message(content))
        else:
            self._queue(self._receiving.message(content))

    def forecast(self, noutput_items: int, ninputs: int) -> list[int]:
        return [1] * ninputs

    @guarded
    def general_work(self, input_items: list, output_items: list) -> int:
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
        self._take_progress()
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
            self._quality = (0.0, np.nan, snr_db, np.nan, HeaderSource.READ)
        start, *measured, source = self._quality
        burst = ReceivedBurst(self._header, symbols, noise_var, int(start), *measured, HeaderSource(int(source)))
        self._quiet = False
        self._queue(self._receiving.burst(burst))

    def _decode(self, arrival: Arrival) -> None:
        """In the worker's thread."""
        if arrival.reception is not None:
            with self._lock:
                self._waiting -= SYMBOL_BYTES * len(arrival.reception.symbols)
        if self._newest and arrival.transfer != self._latest and self._worker.waiting > self.codec.most_behind:
            self.passed_over += 1
            return
        self._in_hand = arrival.transfer
        before = time.monotonic()
        refused = self._receiving.pictures.refused
        picture = self._receiving.pictures.decode(arrival)
        if self._receiving.pictures.refused > refused == 0:
            ours = f"{self.codec.name} with {self.codec.weights_name}"
            warn(
                self,
                f"received rounds made with another codec or other weights than {ours}: they cannot be decoded",
                True,
            )
        meta = {
            "transfer": arrival.transfer, "round": arrival.round,
            "snr_db": arrival.snr_db, "cfo": arrival.cfo, "evm_db": arrival.evm_db,
            "bursts_sent": arrival.bursts_sent, "bursts_received": arrival.bursts_received,
            "side_info_bytes": arrival.side_info_bytes,
            "shown_grey": self._receiving.pictures.shows_grey(arrival.transfer),
            "decode_seconds": time.monotonic() - before, "finished": time.monotonic(),
        }  # fmt: skip
        if (insight := self._receiving.pictures.insight(arrival.transfer)) is not None:
            meta |= {"drifted": insight.drifted}
            meta |= {} if insight.blind_from is None else {"blind_from": insight.blind_from}
        if picture is not None and meta["shown_grey"]:  # its size says all
            meta |= {"height": picture.shape[0], "width": picture.shape[1]}
            picture = None
        self._in_hand = None
        self.message_port_pub(pmt.intern("received"), event_message("received", picture, **meta))
