"""Where frames come from: video files and addresses, cameras, the screen, a folder that others write to, a pattern.

Each is an iterator that opens its source when the first frame is asked for and closes it when it is closed itself.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from gr_jscc.imaging import IMAGE_SUFFIXES, ImageError, load_image
from gr_jscc.telling import one_line
from gr_jscc.video.frames import Frame, FrameForm, VideoError, at_most, at_rate
from gr_jscc.video.pattern import WanderingCamera

KINDS = ("video", "camera", "screen", "folder", "pattern")
LOOK_SECONDS = 0.05  # between two looks at a folder
OPEN_SECONDS = 20.0  # that an address may take to answer

Timed = tuple[float, "av.VideoFrame | np.ndarray"]


@dataclass(frozen=True)
class Source:
    """Where frames come from.

    Attributes:
        kind: one of `KINDS`.
        place: of a video its file or address; of a camera its number or device; of a folder its path; of the screen an
            X display, empty for the program's own.
        seed: of the pattern.

    Example:
        >>> frames = Source("pattern").frames(FrameForm(fps=10))
        >>> [(next(frames).seconds, frames.close())[0]]
        [0.0]
        >>> next(Source("video", "nowhere.mp4").frames(FrameForm()))
        Traceback (most recent call last):
            ...
        gr_jscc.video.frames.VideoError: nowhere.mp4 cannot be read as video: No such file or directory
    """

    kind: str = "pattern"
    place: str = ""
    seed: int = 1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise VideoError(f"frames come from {', '.join(KINDS)}, not from {self.kind!r}")

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.kind} {self.place}".strip() if self.kind != "video" else Path(self.place).name

    @property
    def is_live(self) -> bool:
        """Whether frames come when they come, and are gone if nobody takes them."""
        return self.kind in ("camera", "screen", "folder")

    def frames(self, form: FrameForm, number: Callable[[], int] | None = None) -> Iterator[Frame]:
        """Frames as they are wanted: of live sources at most ``form.fps`` a second, of others exactly so many.

        Args:
            form: how.
            number: gives the number in the pattern's corner; None counts the frames.

        Raises:
            VideoError: the source cannot be opened or read, or the crop lies outside of its pictures.
        """
        if self.kind == "pattern":
            yield from _pattern(form, self.seed, number or itertools.count().__next__)
            return
        opened = {"video": self._video, "camera": self._camera, "screen": self._screen, "folder": self._folder}
        with contextlib.closing(opened[self.kind](form)) as timed:
            for seconds, picture in (at_most if self.is_live else at_rate)(timed, form.fps):
                image = picture if isinstance(picture, np.ndarray) else _upright(picture)
                yield Frame(form.fit(image), seconds)

    def _video(self, form: FrameForm) -> Iterator[Timed]:
        return _decoded(self.place, f"{self.place} cannot be read as video", {}, None)

    def _camera(self, form: FrameForm) -> Iterator[Timed]:
        device = f"/dev/video{self.place}" if self.place.isdecimal() else self.place
        # What it cannot give exactly, the driver replaces by what comes closest.
        asked = {"framerate": f"{form.fps:g}"} | ({} if form.crop else {"video_size": form.name})
        return _decoded(device, f"no camera at {device}", asked, "v4l2")

    def _screen(self, form: FrameForm) -> Iterator[Timed]:
        from PIL import ImageGrab

        began = time.monotonic()
        for tick in itertools.count():
            time.sleep(max(0.0, began + tick / form.fps - time.monotonic()))
            try:
                shot = ImageGrab.grab(xdisplay=self.place or None)
            except (OSError, ValueError) as error:
                raise VideoError(f"the screen cannot be read: {one_line(error)}") from error
            yield time.monotonic() - began, np.asarray(shot.convert("RGB"))

    def _folder(self, form: FrameForm) -> Iterator[Timed]:
        folder, began, shown = Path(self.place), time.monotonic(), None
        if not folder.is_dir():
            raise VideoError(f"{folder} is not a folder")
        while True:
            # One that is damaged, or not whole yet, is passed over; it is newer when it is whole.
            for written, path in _pictures(folder):
                if shown is not None and (written, path) <= shown:
                    break
                with contextlib.suppress(ImageError):
                    picture, shown = load_image(path), (written, path)
                    yield time.monotonic() - began, picture
                    break
            time.sleep(LOOK_SECONDS)


def _pattern(form: FrameForm, seed: int, number: Callable[[], int]) -> Iterator[Frame]:
    camera = WanderingCamera(form.width, form.height, seed)
    for tick in itertools.count():
        seconds = tick / form.fps
        yield Frame(camera.frame(seconds, number()), seconds)


def _decoded(place: str, trouble: str, options: dict[str, str], kind: str | None) -> Iterator[Timed]:
    """What PyAV decodes of the first video stream at a place; ``trouble`` begins what is said when it cannot."""
    try:
        with av.open(place, format=kind, options=options, timeout=(OPEN_SECONDS, None)) as container:
            if not container.streams.video:
                raise VideoError(f"{trouble}: there is no picture in it")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            rate = float(stream.average_rate or stream.guessed_rate or 25)
            for number, frame in enumerate(container.decode(stream)):
                yield (number / rate if frame.time is None else frame.time), frame
    except (av.FFmpegError, OSError, UnicodeError) as error:
        raise VideoError(f"{trouble}: {getattr(error, 'strerror', None) or one_line(error)}") from error


def _upright(frame: av.VideoFrame) -> np.ndarray:
    """uint8[H, W, 3] of a frame, turned as its recorder says that it is to be seen."""
    return np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90) % 4)


def _pictures(folder: Path) -> list[tuple[int, Path]]:
    """When each picture in a folder was written, in nanoseconds, and which it is; the newest first."""
    found = []
    for path in folder.iterdir():
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith("."):
            with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                found.append((path.stat().st_mtime_ns, path))
    return sorted(found, reverse=True)
