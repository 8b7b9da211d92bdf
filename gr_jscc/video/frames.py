"""Frames, the form in which they are wanted, and how pictures of any other are brought into it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from PIL import Image

from gr_jscc.errors import UserError

FASTEST = 240.0  # frames a second
SMALLEST_SIDE, LARGEST_SIDE = 16, 4096  # pixels
EARLY = 1e-6  # seconds by which a frame may come before its tick, for times that are sums of rounded ones

Item = TypeVar("Item")


class VideoError(UserError):
    """Frames that cannot be had or written; the message is one line for a person.

    Example:
        >>> FrameForm(fps=0)
        Traceback (most recent call last):
            ...
        gr_jscc.video.frames.VideoError: frames a second must be above 0 and at most 240, not 0
    """


@dataclass(frozen=True)
class Frame:
    """One picture of many.

    Attributes:
        image: uint8[H, W, 3].
        seconds: from the first frame on.

    Example:
        >>> Frame(np.zeros((240, 320, 3), np.uint8), seconds=0.1).image.shape
        (240, 320, 3)
    """

    image: np.ndarray
    seconds: float


@dataclass(frozen=True)
class Crop:
    """A part of a picture.

    Attributes:
        width, height: pixels.
        left, top: its corner, pixels.

    Example:
        >>> parse_crop("640x480+100+0")
        Crop(width=640, height=480, left=100, top=0)
    """

    width: int
    height: int
    left: int = 0
    top: int = 0


@dataclass(frozen=True)
class FrameForm:
    """How frames are wanted.

    Attributes:
        fps: frames a second.
        width, height: pixels.
        crop: what is taken of the source's pictures; None: as much of their middle as has the right shape.

    Example:
        >>> FrameForm(fps=15, width=640, height=480).fps
        15
    """

    fps: float = 10.0
    width: int = 320
    height: int = 240
    crop: Crop | None = None

    def __post_init__(self) -> None:
        if not 0 < self.fps <= FASTEST:
            raise VideoError(f"frames a second must be above 0 and at most {FASTEST:g}, not {self.fps:g}")
        if not all(SMALLEST_SIDE <= side <= LARGEST_SIDE for side in (self.width, self.height)):
            raise VideoError(f"a frame's sides must be {SMALLEST_SIDE} to {LARGEST_SIDE} pixels, not {self.name}")

    @property
    def name(self) -> str:
        """The size as people write it."""
        return f"{self.width}x{self.height}"

    @property
    def in_a_second(self) -> int:
        """Frames of a second, at least one."""
        return max(1, int(self.fps))

    def fit(self, image: np.ndarray) -> np.ndarray:
        """A picture uint8[h, w, 3], cropped to the form's shape and scaled to its size: uint8[height, width, 3].

        Raises:
            VideoError: the crop lies outside of the picture.
        """
        height, width = image.shape[:2]
        if self.crop is None:
            scale = min(width / self.width, height / self.height)
            sides = self.width * scale, self.height * scale
            corner = (width - sides[0]) / 2, (height - sides[1]) / 2
        else:
            sides, corner = (self.crop.width, self.crop.height), (self.crop.left, self.crop.top)
            if corner[0] + sides[0] > width or corner[1] + sides[1] > height:
                raise VideoError(f"a crop of {_written(self.crop)} lies outside of a {width}x{height} picture")
        if (width, height) == (self.width, self.height) == sides:
            return np.ascontiguousarray(image)
        box = (*corner, corner[0] + sides[0], corner[1] + sides[1])
        return np.asarray(Image.fromarray(image).resize((self.width, self.height), Image.Resampling.BICUBIC, box))


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) of a text such as ``320x240``.

    Raises:
        VideoError: it is none.
    """
    if not (found := re.fullmatch(r"([0-9]{1,5})[x×]([0-9]{1,5})", text.strip())):
        raise VideoError(f"a size must be WIDTHxHEIGHT, such as 320x240, not {text!r}")
    return int(found[1]), int(found[2])


def parse_crop(text: str) -> Crop:
    """A crop of a text such as ``640x480+100+0``: width, height, and the corner from the left and from the top.

    Raises:
        VideoError: it is none.
    """
    found = re.fullmatch(r"([0-9]{1,5})[x×]([0-9]{1,5})\+([0-9]{1,5})\+([0-9]{1,5})", text.strip())
    if not found or not int(found[1]) * int(found[2]):
        raise VideoError(f"a crop must be WIDTHxHEIGHT+LEFT+TOP, such as 640x480+100+0, not {text!r}")
    return Crop(*(int(number) for number in found.groups()))


def _written(crop: Crop) -> str:
    return f"{crop.width}x{crop.height}+{crop.left}+{crop.top}"


def at_rate(items: Iterable[tuple[float, Item]], fps: float) -> Iterator[tuple[float, Item]]:
    """What is to be seen at every 1/fps of a second: items are left out and repeated as their times ask for it.

    Args:
        items: (seconds, anything), ascending.
        fps: of what comes out, from the first item's time on.
    """
    tick, first, latest = 0, None, None
    for seconds, item in items:
        if first is None:
            first = seconds
        while latest is not None and seconds - first > tick / fps + EARLY:
            yield tick / fps, latest[0]
            tick += 1
        latest = (item,)
        last = seconds - first
    if latest is not None and last >= tick / fps - EARLY:
        yield tick / fps, latest[0]


def at_most(items: Iterable[tuple[float, Item]], fps: float) -> Iterator[tuple[float, Item]]:
    """The items that come once 1/fps of a second has passed since the one before; none is repeated.

    Args:
        items: (seconds, anything), ascending.
        fps: most a second, on average.
    """
    first, due = None, 0.0
    for seconds, item in items:
        if first is None:
            first = seconds
        if seconds - first >= due - EARLY:
            yield seconds - first, item
            due = max(due + 1 / fps, seconds - first - 1 / fps)
