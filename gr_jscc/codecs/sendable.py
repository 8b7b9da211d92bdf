"""Which image files a codec can send, before any is sent."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from gr_jscc.codecs.base import Codec, CodecError
from gr_jscc.errors import UserError
from gr_jscc.files.left_out import left_out_line, why
from gr_jscc.imaging import expand_inputs, load_image


def sendable(paths: Sequence[str | os.PathLike], codec: Codec, cbr: float, say: Callable[[str], object]) -> list[Path]:
    """The image files that paths name, without those of folders that cannot be sent.

    Args:
        paths: files and folders, see `expand_inputs`.
        codec: that sends them.
        cbr: asked of its transmitter.
        say: told in one line what is left out.

    Raises:
        ImageError: a file that was named is no image, or a folder holds none.
        CodecError: the codec does not serve the CBR, cannot send a file that was named, or none at all.
    """
    codec.transmitter(cbr)
    files, named = expand_inputs(paths), {Path(path) for path in paths}
    good: list[Path] = []
    left_out: list[tuple[Path, str]] = []
    for path in files:
        try:
            codec.check_picture(load_image(path), cbr)
        except UserError as error:
            if path not in named:
                left_out.append((path, why(path, error)))
                continue
            if isinstance(error, CodecError):
                raise CodecError(f"{path.name}: {error}") from error
            raise
        good.append(path)
    if not good:
        raise CodecError(f"nothing to send: {left_out_line(left_out, len(files))}")
    if left_out:
        say(left_out_line(left_out, len(files)))
    return good
