"""The side information of HJSCC as it is really sent: which latents, quality, power scale, hashes and rate maps.

    CRC-24 | first latent and told | quality | power scale | hash of the state | hash of the masks | η | rate maps

The check covers the picture's size too. The rate maps are range-coded as NTSCC's are. Where the receiver can work a map
out from its prior and η, only the exceptions are sent: places where another machine's rounding might lead elsewhere.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gr_jscc.codecs.parts.entropy_coding import CodingError, Decoder, Encoder
from gr_jscc.codecs.parts.rate_map_coding import decode_rate_map, encode_rate_map
from gr_jscc.codecs.parts.side_info_check import protect, unprotect

_FIXED = struct.Struct(">BBBHBB")
_EXCEPTION = struct.Struct(">HB")


@dataclass(frozen=True)
class SideInfo:
    """What a receiver must know of a round.

    Attributes:
        latent: the first that it holds, from 0.
        told: latents from 0 that the transmitter sends, or sent, knowing what had arrived of all before. A round
            without that knowledge holds all latents that are left.
        quality: code, 0 to 255.
        scale: code of the power scale, 0 to 255.
        state: hash, 0 to 65535, of what the transmitter takes the receiver to have.
        masks: hash, 0 to 255, of which values are sent.
        eta: code of the η from which the receiver works out the map; 0: maps are sent.
        maps: int64[rows, columns] rate indexes for each latent of the round; none with an η.
        exceptions: with an η, rate indexes by place in the flattened map.

    Example:
        >>> side = SideInfo(1, told=2, quality=200, scale=128, state=7, masks=9, eta=0, maps=[np.array([[0, 2]])])
        >>> data = pack(side, rates=[3, 3], height=32, width=64)
        >>> unpack(data, rates=[3, 3], sizes=[(1, 1), (1, 2)], height=32, width=64).maps
        [array([[0, 2]])]
        >>> unpack(data[:-1], rates=[3, 3], sizes=[(1, 1), (1, 2)], height=32, width=64)
        Traceback (most recent call last):
            ...
        gr_jscc.codecs.parts.entropy_coding.CodingError: side information is damaged
    """

    latent: int
    told: int
    quality: int
    scale: int
    state: int
    masks: int
    eta: int
    maps: list[np.ndarray]
    exceptions: dict[int, int] = field(default_factory=dict)


def pack(side: SideInfo, rates: Sequence[int], height: int, width: int) -> bytes:
    """Bytes for a picture of height × width pixels.

    Args:
        side: what to say.
        rates: how many there are, for each latent of the model.
        height, width: pixels.
    """
    encoder = Encoder()
    for latent, index in enumerate(side.maps, side.latent):
        encode_rate_map(index, rates[latent], encoder)
    fixed = _FIXED.pack(side.latent << 4 | side.told, side.quality, side.scale, side.state, side.masks, side.eta)
    exceptions = b"".join(_EXCEPTION.pack(place, index) for place, index in side.exceptions.items())
    return protect(fixed + (exceptions if side.eta else encoder.bytes()), height, width)


def unpack(data: bytes, rates: Sequence[int], sizes: Sequence[tuple[int, int]], height: int, width: int) -> SideInfo:
    """What `pack` was given.

    Args:
        data: the bytes.
        rates: as in `pack`.
        sizes: rows and columns of each latent's rate map.
        height, width: pixels.

    Raises:
        CodingError: damaged, or of another picture or model.
    """
    body = unprotect(data, height, width, at_least=_FIXED.size)
    first, quality, scale, state, masks, eta = _FIXED.unpack(body[: _FIXED.size])
    latent, told = first >> 4, first & 15
    if latent >= len(rates) or told > len(rates):
        raise CodingError("side information of another model")
    rest = body[_FIXED.size :]
    if eta:
        if latent >= told or len(rest) % _EXCEPTION.size:
            raise CodingError("side information of another kind")
        exceptions = dict(_EXCEPTION.iter_unpack(rest))
        rows, columns = sizes[latent]
        if any(place >= rows * columns or index >= rates[latent] for place, index in exceptions.items()):
            raise CodingError("side information of another picture")
        return SideInfo(latent, told, quality, scale, state, masks, eta, [], exceptions)
    decoder = Decoder(rest)
    latents = [latent] if latent < told else range(latent, len(rates))
    maps = [decode_rate_map(*sizes[number], rates[number], decoder) for number in latents]
    return SideInfo(latent, told, quality, scale, state, masks, 0, maps)
