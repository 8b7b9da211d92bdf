"""Frames as messages, the newest whenever the air has room for one."""

from __future__ import annotations

import threading

import pmt
from gnuradio import gr

from gr_jscc.scheduler.events import event_message, read_event
from gr_jscc.scheduler.guard import fail, guarded
from gr_jscc.scheduler.keeping import kept_while_running
from gr_jscc.scheduler.tags import image_message, notice
from gr_jscc.video.frames import Frame, FrameForm
from gr_jscc.video.live import LiveFrames
from gr_jscc.video.sources import Source

AHEAD = 2  # frames between here and the air: one in the network, one in the modulator


@kept_while_running
class video_source(gr.basic_block):  # noqa: N801 (GNU Radio names blocks so)
    """Hands a source's frames to an encoder as time passes; a frame for which there is no room gives way to the next.

    Message ports: ``image`` out (see `image_source`), and after the last frame a message whose dictionary holds
    ``end``; ``events`` in: connect the modulator's ``air`` to it, from which it knows what has left, and the encoder's
    ``sent``, from which it knows what cannot be sent; ``dropped`` out: how many frames gave way so far, for sinks (see
    `gr_jscc.scheduler.events`).

    Args:
        source: where frames come from.
        form: how they are wanted.
        seconds: after which it ends; infinity for never.
        encoders: that are given each frame, every one with a modulator that tells when it has left.

    Attributes:
        captured, sent, dropped: frames so far; those that were too late for the source count as dropped.

    Example:
        >>> video_source(Source("pattern"), FrameForm(fps=10)).dropped
        0
    """

    def __init__(self, source: Source, form: FrameForm, seconds: float = float("inf"), encoders: int = 1) -> None:
        gr.basic_block.__init__(self, name="JSCC Video Source", in_sig=None, out_sig=None)
        self.failure: Exception | None = None
        self.captured = self.sent = self._replaced = 0
        self._encoders = encoders
        self._ahead = 0  # frames that are to leave, counted for every encoder
        self._told = 0  # frames that were dropped
        self._waiting: Frame | None = None
        self._ended = False
        self._lock = threading.Lock()
        self._frames = LiveFrames(source, form, self._take, self._end, seconds)
        self._port, self._dropped_port = pmt.intern("image"), pmt.intern("dropped")
        for port in (self._port, self._dropped_port):
            self.message_port_register_out(port)
        self.message_port_register_in(pmt.intern("events"))
        self.set_msg_handler(pmt.intern("events"), self.handle_event)

    @property
    def dropped(self) -> int:
        return self._replaced + self._frames.late

    def start(self) -> bool:
        self._frames.start()
        return True

    def stop(self) -> bool:
        self._frames.stop()
        return True

    @guarded
    def handle_event(self, message: pmt.pmt_base) -> None:
        event, _, _ = read_event(message)
        if event in ("air", "left_out"):
            with self._lock:
                self._ahead -= 1
                self._send()

    def _take(self, frame: Frame) -> None:
        with self._lock:
            self.captured += 1
            self._replaced += self._waiting is not None
            self._waiting = frame
            self._send()
            if self.dropped != self._told:
                self._told = self.dropped
                self.message_port_pub(self._dropped_port, event_message("dropped", frames=self._told))

    def _send(self) -> None:
        """Sends the frame that waits, if there is room, and says when there will be no more."""
        if self._waiting is not None and self._ahead <= (AHEAD - 1) * self._encoders:
            frame, self._waiting = self._waiting, None
            self._ahead += self._encoders
            self.message_port_pub(self._port, image_message(frame.image, name=f"frame-{self.sent:06d}"))
            self.sent += 1
        elif self._ended and self._waiting is None and self._ahead == 0:
            self._ended = False
            self.message_port_pub(self._port, notice(end=True))

    def _end(self, error: Exception | None) -> None:
        if error is not None:
            fail(self, error)
        with self._lock:
            self._ended = True
            self._send()
