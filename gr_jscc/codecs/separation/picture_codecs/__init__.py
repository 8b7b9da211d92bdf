"""Picture codecs for the separation systems: a picture as few bytes as wanted, and back.

Each is one file behind `base.PictureCodec`; `fit` fills a number of bytes. What a receiver knows anyway (containers,
parameter sets that follow from the picture's size) is not among the bytes of a picture, so it is not charged.
"""

from __future__ import annotations

import importlib

from gr_jscc.codecs.separation.picture_codecs.base import DamagedPictureError, PictureCodec
from gr_jscc.codecs.separation.picture_codecs.rate_control import fit, fits

__all__ = ["PICTURE_CODECS", "DamagedPictureError", "PictureCodec", "fit", "fits", "picture_codec"]

# Name → module and class. Modules are imported when asked for: each needs another library.
PICTURE_CODECS: dict[str, tuple[str, str]] = {
    "hevc": ("hevc", "Hevc"),
    "avif": ("avif", "Avif"),
    "jpeg2000": ("jpeg2000", "Jpeg2000"),
    "jpeg": ("jpeg", "Jpeg"),
}


def picture_codec(name: str) -> PictureCodec:
    """The codec of a name in `PICTURE_CODECS`.

    Raises:
        CodecError: a library of this machine lacks what the codec needs.
    """
    module, attribute = PICTURE_CODECS[name]
    return getattr(importlib.import_module(f"{__name__}.{module}"), attribute)()
