"""What became of each frame of a stream, from what a transmitter and a receiver tell of it."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field

import numpy as np

from gr_jscc.metrics.picture import psnr_db
from gr_jscc.video.live import age_ms
from gr_jscc.video.pattern import read_number

MOST_OPEN = 64  # frames on their way; those before are lost


@dataclass(frozen=True, eq=False)  # pictures are not compared
class FrameFigures:
    """A frame as a viewer has it.

    Attributes:
        original: uint8[H, W, 3] as sent; None where the transmitter is elsewhere.
        shown: uint8[H, W, 3] of this frame or, where nothing of it could be decoded, of the one before; None before the
            first.
        frozen: frames in succession that could not be shown, with this one.
        psnr_db: of what is shown, compared with the frame that should be seen; None where that cannot be.
        snr_db: Es/N0 at which it came; None where nobody measured it.
        cbr: everything charged, per colour value; None where the transmitter is elsewhere.
        latency_ms: from the beginning of its encoding to the end of its decoding, or from the making of a test pattern
            on this machine; None where neither is known.
        lost: frames so far that left and could not be shown.
        dropped: frames so far that gave way to newer ones before they were encoded.

    Example:
        >>> FrameFigures(None, None, 1, None, 3.0, None, None, lost=1, dropped=0).frozen
        1
    """

    original: np.ndarray | None
    shown: np.ndarray | None
    frozen: int
    psnr_db: float | None
    snr_db: float | None
    cbr: float | None
    latency_ms: float | None
    lost: int
    dropped: int


@dataclass
class _Open:
    original: np.ndarray | None
    started: float | None  # seconds; None where nobody told of it
    uses: int = 0
    came: bool = False


@dataclass
class FrameBook:
    """Matches what is told of frames, which arrive in the order in which they are sent.

    Attributes:
        dropped: frames so far that gave way, as the source tells.
        lost: frames so far that left and could not be shown.

    Example:
        >>> book, image = FrameBook(), np.full((240, 320, 3), 90, np.uint8)
        >>> book.sent(7, image, started=10.0)
        >>> book.charged(7, 19_200)
        >>> figures = book.received(7, image, snr_db=12.0, finished=10.25)
        >>> figures.psnr_db, figures.latency_ms, round(figures.cbr, 4)
        (100.0, 250.0, 0.0833)
    """

    dropped: int = 0
    lost: int = 0
    _open: collections.OrderedDict[int, _Open] = field(default_factory=collections.OrderedDict)
    _shown: np.ndarray | None = None
    _frozen: int = 0

    def sent(self, transfer: int, image: np.ndarray | None, started: float) -> None:
        """A frame uint8[H, W, 3] went to the link; its encoding began then, in seconds of `time.monotonic`."""
        self._open[transfer] = _Open(image, started)
        if len(self._open) > MOST_OPEN:
            self._close(next(iter(self._open)))

    def charged(self, transfer: int, uses: int) -> None:
        """A round of it has left, in so many channel uses, side information and headers included."""
        if transfer in self._open:
            self._open[transfer].uses += uses

    def received(self, transfer: int, image: np.ndarray | None, snr_db: float | None, finished: float) -> FrameFigures:
        """What was decoded of a frame: uint8[H, W, 3], or None where nothing could be shown.

        Args:
            transfer: the frame. Those that were sent before it and did not come are lost.
            image: of it.
            snr_db: Es/N0 at which it came, or None.
            finished: when its decoding ended, in seconds of `time.monotonic`.
        """
        frame = self._open.setdefault(transfer, _Open(None, None))
        while (oldest := next(iter(self._open))) != transfer:
            self._close(oldest)
        if image is not None:
            self._shown, self._frozen, frame.came = image, 0, True
        elif not frame.came:
            self._frozen += 1
        original, shown = frame.original, self._shown
        comparable = original is not None and shown is not None and original.shape == shown.shape
        return FrameFigures(
            original,
            shown,
            self._frozen,
            psnr_db(original, shown) if comparable else None,
            snr_db if snr_db is not None and np.isfinite(snr_db) else None,
            frame.uses / original.size if original is not None and frame.uses else None,
            _latency_ms(frame, image, finished),
            self.lost + (not frame.came),
            self.dropped,
        )

    def _close(self, transfer: int) -> None:
        if not self._open.pop(transfer).came:
            self.lost += 1


def _latency_ms(frame: _Open, image: np.ndarray | None, finished: float) -> float | None:
    if image is None:
        return None
    if frame.started is not None:
        return 1000 * (finished - frame.started)
    number = read_number(image)
    return None if number is None else age_ms(number)
