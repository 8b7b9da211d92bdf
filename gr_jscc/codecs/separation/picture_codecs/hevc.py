"""HEVC intra in 4:4:4 with 10 bits, the core of BPG (Bellard 2014), by x265 and FFmpeg.

A picture is one slice. Its parameter sets (VPS, SPS and PPS) follow from its size, so both ends make them and none is
sent. x265 takes no picture smaller than 16 pixels a side: smaller ones are padded, and cropped again.
"""

from __future__ import annotations

from functools import lru_cache

import av
import numpy as np

from gr_jscc.codecs.separation.picture_codecs.base import DamagedPictureError, PictureCodec
from gr_jscc.codecs.separation.picture_codecs.colour import rgb_from_ycbcr, ycbcr_from_rgb

__all__ = ["Hevc"]

BITS = 10
SMALLEST_SIDE = 16
FORMAT = "yuv444p10le"
START_CODE = b"\0\0\0\1"
SLICE_HEADER = bytes([20 << 1, 1])  # of the network abstraction layer: an IDR picture without leading ones
MOST_CHROMA_OFFSET = 4

# (quantiser of luma, what that of chroma is finer or coarser by)
Setting = tuple[int, int]


class Hevc(PictureCodec):
    """x265's slowest sensible intra search, tuned for PSNR, with one quantiser for the picture.

    Between two quantisers, about 12 % of bytes apart, lie those whose chroma is a little finer or coarser than luma.

    Example:
        >>> image = np.full((24, 40, 3), 90, np.uint8)
        >>> data = Hevc().encode(image, setting=(30, 0))
        >>> bool(np.abs(Hevc().decode(data, 24, 40) - 90.0).max() < 3)
        True
        >>> Hevc().decode(b"", 24, 40)
        Traceback (most recent call last):
            ...
        gr_jscc.codecs.separation.picture_codecs.base.DamagedPictureError: not a slice of an HEVC picture
    """

    name = "hevc"
    ladder: list[Setting] = [(quantiser, 0) for quantiser in range(51, -1, -1)]
    typical = (17, 0.7)
    growth = 0.115

    @property
    def fingerprint(self) -> bytes:
        return _parameter_sets(64, 64, 0)

    def between(self, index: int) -> list[list[Setting]]:
        quantiser, _ = self.ladder[index]
        finer_chroma = [(quantiser, -offset) for offset in range(1, MOST_CHROMA_OFFSET + 1)]
        finer_luma = [(quantiser - 1, offset) for offset in range(MOST_CHROMA_OFFSET, 0, -1)]
        return [finer_chroma, finer_luma] if quantiser else [finer_chroma]

    def encode(self, image: np.ndarray, setting: Setting) -> bytes:
        height, width = image.shape[:2]
        more = ((0, max(0, SMALLEST_SIDE - height)), (0, max(0, SMALLEST_SIDE - width)), (0, 0))
        planes = ycbcr_from_rgb(np.pad(image, more, mode="edge"), BITS)
        quantiser, offset = setting
        encoder = _encoder(*planes[0].shape, quantiser, offset)
        packets = encoder.encode(_frame(planes)) + encoder.encode(None)
        slice_ = _slice(b"".join(bytes(packet) for packet in packets))
        return bytes([offset + MOST_CHROMA_OFFSET]) + slice_

    def read(self, data: bytes, height: int, width: int) -> np.ndarray:
        # A slice holds no start code. Behind one there might be other parameter sets, of any size, or more pictures.
        if len(data) < 2 or data[0] > 2 * MOST_CHROMA_OFFSET or START_CODE[1:] in data:
            raise DamagedPictureError("not a slice of an HEVC picture")
        rows, columns = max(height, SMALLEST_SIDE), max(width, SMALLEST_SIDE)
        sets = _parameter_sets(rows, columns, data[0] - MOST_CHROMA_OFFSET)
        decoder = av.CodecContext.create("hevc", "r")
        decoder.thread_count = 1
        packet = av.Packet(sets + START_CODE + SLICE_HEADER + data[1:])
        frames = decoder.decode(packet) + decoder.decode(None)
        if len(frames) != 1 or (frames[0].height, frames[0].width) != (rows, columns):
            raise DamagedPictureError(f"not an HEVC picture of {columns}x{rows}")
        return rgb_from_ycbcr([_plane(plane, rows) for plane in frames[0].planes], BITS)[:height, :width]


def _encoder(height: int, width: int, quantiser: int, offset: int) -> av.VideoCodecContext:
    """x265 for one picture; deterministic, as it runs in one thread."""
    block = next(size for size in (64, 32, 16) if size <= min(height, width))
    encoder = av.CodecContext.create("libx265", "w")
    encoder.height, encoder.width, encoder.pix_fmt = height, width, FORMAT
    encoder.framerate = 1
    parameters = {
        "qp": quantiser, "cbqpoffs": offset, "crqpoffs": offset, "keyint": 1, "ctu": block,
        "wpp": 0, "pools": "none", "frame-threads": 1, "info": 0, "hash": 0, "log-level": "none",
    }  # fmt: skip
    joined = ":".join(f"{name}={value}" for name, value in parameters.items())
    encoder.options = {"preset": "veryslow", "tune": "psnr", "x265-params": joined}
    return encoder


@lru_cache(maxsize=256)
def _parameter_sets(height: int, width: int, offset: int) -> bytes:
    """VPS, SPS and PPS as x265 writes them for a size and a chroma offset; no quantiser changes them."""
    encoder = _encoder(height, width, 30, offset)
    encoder.flags |= av.codec.context.Flags.global_header
    encoder.open()
    return bytes(encoder.extradata)


def _frame(planes: list[np.ndarray]) -> av.VideoFrame:
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, FORMAT)
    frame.pts = 0
    for plane, values in zip(frame.planes, planes, strict=True):
        _plane(plane, height, writable=True)[:, :width] = values
    return frame


def _plane(plane: av.VideoPlane, height: int, writable: bool = False) -> np.ndarray:
    """A plane's memory as uint16[height, W]; of a plane to write, with what pads its lines."""
    lines = np.frombuffer(plane, "<u2").reshape(-1, plane.line_size // 2)[:height]
    return lines if writable else lines[:, : plane.width]


def _slice(stream: bytes) -> bytes:
    """The one slice in x265's stream, without start code and header."""
    units = [unit for unit in stream.replace(START_CODE, START_CODE[1:]).split(START_CODE[1:]) if unit]
    slices = [unit for unit in units if unit[0] >> 1 < 32]  # the others are parameter sets
    if len(slices) != 1 or slices[0][:2] != SLICE_HEADER:
        raise RuntimeError(f"x265 wrote {[unit[:2].hex() for unit in units]}, not one IDR slice")
    return slices[0][2:]
