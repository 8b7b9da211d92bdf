"""What ``gr-jscc loopback`` does with frames: each goes through modem, channel and link in its time on the air."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
from rich.progress import track

from gr_jscc.channel import Scenario
from gr_jscc.errors import UserError
from gr_jscc.host import options
from gr_jscc.host.console import shown, terminal
from gr_jscc.host.filming import filmed
from gr_jscc.video.duel import Round, fight, score
from gr_jscc.video.film import check_film, film
from gr_jscc.video.frames import FrameForm
from gr_jscc.video.passage import FrameSender
from gr_jscc.video.sources import Source

SECONDS = 10.0  # of a source that has no end, unless told


def loopback_video(
    source: Source,
    form: FrameForm,
    seconds: float | None,
    sender: FrameSender,
    air: Scenario,
    film_to: Path | None,
    json_lines: bool,
) -> None:
    """Sends frames, tells what arrived, and films it.

    Args:
        source, form: the frames.
        seconds: at most; None for `SECONDS`, or as long as a file lasts.
        sender: of the codec.
        air: the channel.
        film_to: the film of what is seen; None for none.
        json_lines: print a row a frame, and nothing else.

    Raises:
        UserError: the source, the codec, the channel or the film cannot.
    """
    if film_to is not None:
        check_film(film_to, quality=75)
        if form.width % 2 or form.height % 2:
            raise UserError(f"a film's sides are even numbers of pixels, not {form.name}")
    console = terminal(stderr=True)
    quiet = json_lines or not console.is_terminal
    with options.stopped_by_signals() as check, contextlib.ExitStack() as open_:
        frames = filmed(source, form, seconds or SECONDS, console if source.is_live and not quiet else None)
        write = open_.enter_context(film(film_to, form.fps, (form.width, form.height))) if film_to else None
        rounds: list[Round] = []
        sent = fight(frames, [None] * len(frames), [sender], air, form.fps, sender.settings)
        for round_ in track(sent, "sending", total=len(frames), console=console, disable=quiet):
            check()
            (seen,) = round_.sides
            rounds.append(round_)
            if write is not None:
                write(np.ascontiguousarray(seen.image))
            if json_lines:
                row = {"seconds": round(round_.frame.seconds, 6), "psnr_db": seen.psnr_db, "frozen": seen.frozen}
                print(json.dumps(row | {"total": seen.total}), flush=True)
    if json_lines:
        return
    total = score(rounds, 0, form.fps)
    console = terminal()
    console.print(
        f"{len(rounds)} frames, {total.frozen} of which could not be shown; PSNR {total.psnr_db:.2f} dB, lowest "
        f"{total.lowest_db:.2f} dB; CBR {total.cbr:.4f}, everything charged; longest freeze {total.longest:.1f} s"
    )
    if film_to is not None:
        console.print(shown(f"film: {film_to}"), soft_wrap=True)
