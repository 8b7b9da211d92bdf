"""A source's frames, all taken before any is sent."""

from __future__ import annotations

import contextlib
import itertools

from rich.console import Console

from gr_jscc.errors import UserError
from gr_jscc.host.console import shown
from gr_jscc.video.frames import EARLY, Frame, FrameForm, at_rate
from gr_jscc.video.sources import Source

MOST_BYTES = 2 << 30  # of the frames, which are kept until they are sent


def filmed(source: Source, form: FrameForm, seconds: float, console: Console | None) -> list[Frame]:
    """The source's frames, at the form's rate, of so many seconds or as long as it lasts."""
    if seconds * form.fps * 3 * form.width * form.height > MOST_BYTES:
        raise UserError(f"{seconds:g} s of {form.name} at {form.fps:g} frames a second are more than can be kept")
    with contextlib.closing(source.frames(form)) as coming:
        if console is not None:
            console.print(shown(f"filming {source.name} for {seconds:g} s"))
        taken = itertools.takewhile(lambda frame: frame.seconds < seconds - EARLY, coming)
        frames = [Frame(frame.image, at) for at, frame in at_rate(((each.seconds, each) for each in taken), form.fps)]
    if not frames:
        raise UserError(f"{source.name}: no frame came")
    return frames
