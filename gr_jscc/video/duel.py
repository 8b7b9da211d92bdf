"""Two codecs send the same frames over the same air: the same noise and the same fades at the same time.

Both are held to the same total of channel uses a frame, side information and headers included, and each frame has as
long on the air as the frame rate leaves it. Whoever cannot show a frame shows the one before: its picture freezes.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gr_jscc.channel import Scenario
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.video.frames import Frame, VideoError
from gr_jscc.video.passage import FrameSender, Viewer, shortest_slot


@dataclass(frozen=True)
class Shown:
    """What one side shows at the time of a frame.

    Attributes:
        image: uint8[H, W, 3].
        psnr_db: of it, compared with the frame that should be seen.
        frozen: whether it is an earlier frame, or grey.
        total: complex symbols charged: payload, side information and headers.

    Example:
        >>> Shown(np.zeros((240, 320, 3), np.uint8), psnr_db=31.2, frozen=False, total=19_000).frozen
        False
    """

    image: np.ndarray
    psnr_db: float
    frozen: bool
    total: int


@dataclass(frozen=True)
class Round:
    """One frame of a duel.

    Attributes:
        frame: as it was sent.
        snr_db: Es/N0 while it was on the air; None where it was left to the scenario.
        sides: what each shows.

    Example:
        >>> image = np.zeros((240, 320, 3), np.uint8)
        >>> Round(Frame(image, 0.1), 12.0, (Shown(image, 30.0, False, 19_000), Shown(image, 9.0, True, 19_100))).snr_db
        12.0
    """

    frame: Frame
    snr_db: float | None
    sides: tuple[Shown, ...]


@dataclass(frozen=True)
class Score:
    """What a side did in all of a duel.

    Attributes:
        psnr_db: mean over the frames, of what was shown.
        lowest_db: of all frames.
        frozen: frames that could not be shown.
        longest: seconds of the longest freeze.
        cbr: mean of all that was charged, per colour value.

    Example:
        >>> Score(psnr_db=30.1, lowest_db=24.0, frozen=0, longest=0.0, cbr=0.0815).frozen
        0
    """

    psnr_db: float
    lowest_db: float
    frozen: int
    longest: float
    cbr: float


def ramp(points: Sequence[float], count: int) -> list[float]:
    """As many values as there are frames, on straight lines through at least one point at equal distances."""
    places = np.linspace(0, len(points) - 1, count)
    return np.interp(places, np.arange(len(points)), points).tolist()


def fight(
    frames: Iterable[Frame],
    snrs_db: Sequence[float | None],
    senders: Sequence[FrameSender],
    scenario: Scenario,
    fps: float,
    settings: LinkSettings | None = None,
) -> Iterator[Round]:
    """Sends frames by every sender over a channel of which each has a copy.

    Args:
        frames: as many as there are SNRs, at most.
        snrs_db: Es/N0 of each frame; None leaves the noise to the scenario.
        senders: one a side.
        scenario: the channel from its beginning; its noise is set frame by frame.
        fps: frames a second, by which each has ``scenario.sample_rate / fps`` samples of air.
        settings: the senders'.

    Raises:
        VideoError: a frame takes longer on the air than it has.
        CodecError: a codec cannot send a frame.
    """
    viewers = [Viewer(sender.codec, copy.deepcopy(scenario), settings) for sender in senders]
    slot = math.floor(scenario.sample_rate / fps)
    for number, (frame, snr_db) in enumerate(zip(frames, snrs_db)):
        sides = []
        for sender, viewer in zip(senders, viewers):
            sent = sender.send(number, frame.image)
            if shortest_slot(sent) > slot:
                raise VideoError(
                    f"a frame by {sender.codec.name} takes {shortest_slot(sent)} samples of air and has {slot}: "
                    "send fewer frames a second, at a lower CBR, or at a higher sample rate"
                )
            if snr_db is not None:
                viewer.scenario.set("awgn", {"snr_db": snr_db})
            shown = viewer.receive(sent, slot, frame.image.shape[:2])
            quality = psnr_db(frame.image, viewer.image)
            sides.append(Shown(viewer.image, quality, not shown, sent.uses.total))
        yield Round(frame, snr_db, tuple(sides))


def score(rounds: Sequence[Round], side: int, fps: float) -> Score:
    """What a side did in all rounds, of which there is at least one."""
    shown = [round_.sides[side] for round_ in rounds]
    longest = run = 0
    for each in shown:
        run = run + 1 if each.frozen else 0
        longest = max(longest, run)
    qualities = [each.psnr_db for each in shown]
    cbr = float(np.mean([each.total for each in shown])) / rounds[0].frame.image.size
    frozen = sum(each.frozen for each in shown)
    return Score(float(np.mean(qualities)), min(qualities), frozen, longest / fps, cbr)
