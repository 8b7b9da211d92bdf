"""What a sender of ours can have sent: the sizes that a receiver believes when they come from the air."""

from __future__ import annotations

from gr_jscc.codecs.base import Codec, channel_uses
from gr_jscc.imaging import MAX_PIXELS, MAX_SIDE
from gr_jscc.link.manifest import Manifest


def most_symbols(height: int, width: int, codec: Codec | None = None) -> int:
    """The most complex symbols of a round for a picture of so many pixels: CBR 1, or a codec's highest."""
    cbr = 1.0 if codec is None else min(1.0, codec.cbr_range[1])
    return channel_uses(cbr, height, width)


def can_be_sent(manifest: Manifest, codec: Codec | None = None) -> bool:
    """Whether a sender lets through such a picture, and a codec of its CBR makes so many symbols of it.

    Args:
        manifest: as it came.
        codec: whose symbols they are meant to be; None, or another than the manifest's hash names, when nobody knows.
    """
    height, width = manifest.height, manifest.width
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE and height * width <= MAX_PIXELS):
        return False
    ours = codec is not None and manifest.weights_hash == codec.weights_hash
    return manifest.symbols <= most_symbols(height, width, codec if ours else None)
