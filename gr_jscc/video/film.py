"""Films: frames written to a file as MP4 (H.264) or as an animated WebP, which a README shows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from gr_jscc.files.places import writable_file
from gr_jscc.files.whole import whole, writing
from gr_jscc.video.frames import VideoError

#: By the end of a film's name: format, encoder, layout of its pixels, and the option that holds its quality.
_KINDS = {
    ".mp4": ("mp4", "libx264", "yuv420p", lambda quality: {"crf": f"{51 - quality * 0.4:.0f}", "preset": "slow"}),
    ".webp": ("webp", "libwebp_anim", "yuv420p", lambda quality: {"quality": str(quality), "compression_level": "6"}),
}
SUFFIXES = tuple(_KINDS)


def check_film(path: Path | str, quality: int) -> Path:
    """A film's name that can be written, and a quality from 0 to 100.

    Raises:
        VideoError: another kind of file, or another quality.
        UserError: it cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in _KINDS:
        raise VideoError(f"{path}: a film's name ends in {' or '.join(SUFFIXES)}")
    if not 0 <= quality <= 100:
        raise VideoError(f"a film's quality must be 0 to 100, not {quality}")
    return writable_file(path)


@contextlib.contextmanager
def film(
    path: Path | str, fps: float, size: tuple[int, int], quality: int = 75
) -> Iterator[Callable[[np.ndarray], None]]:
    """Opens a film, which is there once it is whole, and not at all where something ends it before.

    Args:
        path: the file; ``.mp4`` or ``.webp``.
        fps: frames a second.
        size: width and height of its frames, even numbers.
        quality: 0 to 100.

    Yields:
        What takes the next frame, uint8[height, width, 3].

    Raises:
        VideoError: as `check_film`, or PyAV's FFmpeg lacks the encoder.
        UserError: it cannot be written.
    """
    path = check_film(path, quality)
    kind, name, layout, chosen = _KINDS[path.suffix.lower()]
    with writing(path), whole(path) as part:
        options = {"loop": "0"} if kind == "webp" else {}
        with av.open(str(part), "w", format=kind, options=options) as container:
            try:
                stream = container.add_stream(name, rate=Fraction(fps).limit_denominator(1001), options=chosen(quality))
            except av.codec.codec.UnknownCodecError as error:
                raise VideoError(f"{path} cannot be written: this FFmpeg has no encoder {name}") from error
            stream.width, stream.height = size
            stream.pix_fmt = layout
            yield lambda image: container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode(None))
