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
        quantiser, offset = setting
        frame = frame_of(image)
        encoder = _encoder(frame.height, frame.width, quantiser, offset)
        packets = encoder.encode(frame) + encoder.encode(None)
        slice_ = slice_of(b"".join(bytes(packet) for packet in packets), SLICE_HEADER)
        return bytes([offset + MOST_CHROMA_OFFSET]) + slice_

    def read(self, data: bytes, height: int, width: int) -> np.ndarray:
        # A slice holds no start code. Behind one there might be other parameter sets, of any size, or more pictures.
        if len(data) < 2 or data[0] > 2 * MOST_CHROMA_OFFSET or START_CODE[1:] in data:
            raise DamagedPictureError("not a slice of an HEVC picture")
        rows, columns = padded_size(height, width)
        sets = _parameter_sets(rows, columns, data[0] - MOST_CHROMA_OFFSET)
        decoder = av.CodecContext.create("hevc", "r")
        decoder.thread_count = 1
        packet = av.Packet(sets + START_CODE + SLICE_HEADER + data[1:])
        frames = decoder.decode(packet) + decoder.decode(None)
        if len(frames) != 1 or (frames[0].height, frames[0].width) != (rows, columns):
            raise DamagedPictureError(f"not an HEVC picture of {columns}x{rows}")
        return picture_of(frames[0])[:height, :width]


def _encoder(height: int, width: int, quantiser: int, offset: int) -> av.VideoCodecContext:
    """x265 for one picture; deterministic, as it runs in one thread."""
    own = {"qp": quantiser, "cbqpoffs": offset, "crqpoffs": offset, "keyint": 1}
    return x265(height, width, "veryslow", own)


def x265(height: int, width: int, preset: str, parameters: dict[str, object]) -> av.VideoCodecContext:
    """x265 for frames of a size, at least `SMALLEST_SIDE` a side, tuned for PSNR; in one thread, so deterministic."""
    encoder = av.CodecContext.create("libx265", "w")
    encoder.height, encoder.width, encoder.pix_fmt = height, width, FORMAT
    encoder.framerate = 1
    common = {
        "ctu": next(size for size in (64, 32, 16) if size <= min(height, width)),
        "wpp": 0, "pools": "none", "frame-threads": 1, "info": 0, "hash": 0, "log-level": "none",
    }  # fmt: skip
    joined = ":".join(f"{name}={value}" for name, value in {**parameters, **common}.items())
    encoder.options = {"preset": preset, "tune": "psnr", "x265-params": joined}
    return encoder


@lru_cache(maxsize=256)
def _parameter_sets(height: int, width: int, offset: int) -> bytes:
    """VPS, SPS and PPS as x265 writes them for a size and a chroma offset; no quantiser changes them."""
    return sets_of(_encoder(height, width, 30, offset))


def sets_of(encoder: av.VideoCodecContext) -> bytes:
    """VPS, SPS and PPS of an encoder that is not open yet."""
    encoder.flags |= av.codec.context.Flags.global_header
    encoder.open()
    return bytes(encoder.extradata)


def padded_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of what x265 is given for a picture."""
    return max(height, SMALLEST_SIDE), max(width, SMALLEST_SIDE)


def frame_of(image: np.ndarray, number: int = 0) -> av.VideoFrame:
    """A picture uint8[H, W, 3] as x265 takes it, padded where it is too small; the number is its place in time."""
    rows, columns = padded_size(*image.shape[:2])
    more = ((0, rows - image.shape[0]), (0, columns - image.shape[1]), (0, 0))
    planes = ycbcr_from_rgb(np.pad(image, more, mode="edge"), BITS)
    frame = av.VideoFrame(columns, rows, FORMAT)
    frame.pts = number
    for plane, values in zip(frame.planes, planes, strict=True):
        _plane(plane, rows, writable=True)[:, :columns] = values
    return frame


def picture_of(frame: av.VideoFrame) -> np.ndarray:
    """uint8[H, W, 3] of a decoded frame."""
    return rgb_from_ycbcr([_plane(plane, frame.height) for plane in frame.planes], BITS)


def _plane(plane: av.VideoPlane, height: int, writable: bool = False) -> np.ndarray:
    """A plane's memory as uint16[height, W]; of a plane to write, with what pads its lines."""
    lines = np.frombuffer(plane, "<u2").reshape(-1, plane.line_size // 2)[:height]
    return lines if writable else lines[:, : plane.width]


def slice_of(stream: bytes, header: bytes) -> bytes:
    """The one slice in x265's stream, without start code and the header that it must have."""
    units = [unit for unit in stream.replace(START_CODE, START_CODE[1:]).split(START_CODE[1:]) if unit]
    slices = [unit for unit in units if unit[0] >> 1 < 32]  # the others are parameter sets
    if len(slices) != 1 or slices[0][:2] != header:
        raise RuntimeError(f"x265 wrote {[unit[:2].hex() for unit in units]}, not one slice {header.hex()}")
    return slices[0][2:]
