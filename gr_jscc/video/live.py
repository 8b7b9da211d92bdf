"""Frames as time passes: a source in a thread of its own, and how late a frame is seen."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from gr_jscc.video.frames import Frame, FrameForm
from gr_jscc.video.pattern import NUMBERS
from gr_jscc.video.sources import Source

LATEST_MS = 30_000  # beyond which a number in the picture is no time of this machine


def now_ms() -> int:
    """This machine's clock in milliseconds, as the pattern's corner shows it: 0 to 65535."""
    return round(time.monotonic() * 1000) % NUMBERS


def age_ms(number: int) -> int | None:
    """Milliseconds since the clock showed a number; None where that cannot be."""
    age = (now_ms() - number) % NUMBERS
    return age if age < LATEST_MS else None


class LiveFrames:
    """Hands out a source's frames when they are due, and not before: a film takes as long as it lasts.

    Frames for which it is too late already are passed over.

    Args:
        source, form: see `Source.frames`; the pattern shows `now_ms`.
        take: called with each frame, in the thread of the source.
        end: called once, with what ended it: None, or an error.
        seconds: after which it ends; infinity for none.

    Attributes:
        late: frames that were passed over.

    Example:
        >>> import queue
        >>> ages, ended = [], queue.Queue()
        >>> def take(frame):
        ...     ages.append(age_ms(read_number(frame.image)))
        >>> from gr_jscc.video.pattern import read_number
        >>> live = LiveFrames(Source("pattern"), FrameForm(fps=50), take, ended.put, seconds=0.1)
        >>> live.start()
        >>> ended.get(timeout=10) is None, max(ages) < 2000
        (True, True)
    """

    def __init__(
        self,
        source: Source,
        form: FrameForm,
        take: Callable[[Frame], object],
        end: Callable[[Exception | None], object],
        seconds: float = float("inf"),
    ) -> None:
        self.late = 0
        self._source, self._form, self._take, self._end, self._seconds = source, form, take, end, seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Has it end; a source that gives nothing is not waited for."""
        self._stopping.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        try:
            self._hand_out()
        except Exception as error:  # of every kind: whoever waits for frames is to know
            self._end(error)
        else:
            self._end(None)

    def _hand_out(self) -> None:
        began, number = time.monotonic(), 0
        with contextlib.closing(self._source.frames(self._form, now_ms)) as frames:
            while not self._stopping.is_set() and number / self._form.fps < self._seconds:
                if not self._source.is_live:
                    self._stopping.wait(max(0.0, began + number / self._form.fps - time.monotonic()))
                frame = next(frames, None)
                if frame is None or (self._source.is_live and time.monotonic() - began >= self._seconds):
                    return
                number += 1
                if not self._source.is_live and time.monotonic() - began > (number + 1) / self._form.fps:
                    self.late += 1
                    continue
                self._take(frame)
