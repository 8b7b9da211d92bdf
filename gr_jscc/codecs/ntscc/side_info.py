"""The side information of NTSCC as it is really sent: hyperlatents, rate map, quality and power scale.

    CRC-24 | power scale | quality | hyperlatents, then rate map (one range-coded stream)

The check covers the picture's size too. The paper assumes that all of this arrives and counts four bits for a rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gr_jscc.codecs.ntscc.hyper_coding import HyperCoder
from gr_jscc.codecs.parts.entropy_coding import Decoder, Encoder, scaled, table
from gr_jscc.codecs.parts.rate_map_coding import decode_rate_map, encode_rate_map
from gr_jscc.codecs.parts.side_info_check import protect, unprotect
from gr_jscc.nn.entropy_models import FactorisedPrior


@dataclass(frozen=True)
class SideInfo:
    """What a receiver must know of a round.

    Attributes:
        scale: code of the power scale, 0 to 255.
        quality: code of the quality, 0 to 255.
        hyper: int64[Z, h', w'], see `HyperCoder`; None where the model refines nothing.
        index: int64[h, w], rate indexes.

    Example:
        >>> side = SideInfo(scale=120, quality=255, hyper=None, index=np.array([[0, 1], [1, 1]]))
        >>> data = SideInfoCoder(prior=None, rates=2, adaptive=True).pack(side, height=32, width=32)
        >>> list(data[3:5])
        [120, 255]
    """

    scale: int
    quality: int
    hyper: np.ndarray | None
    index: np.ndarray


class SideInfoCoder:
    """Packs and unpacks for one model.

    Args:
        prior: of the hyperlatents; None where the model refines nothing.
        rates: how many rates there are.
        adaptive: whether the rate indexes of a picture can differ.

    Example:
        >>> coder = SideInfoCoder(FactorisedPrior(1), rates=3, adaptive=True)
        >>> side = SideInfo(120, 255, hyper=np.array([[[-2]]]), index=np.array([[0, 2], [1, 1]]))
        >>> coder.unpack(coder.pack(side, 32, 32), 32, 32, map_size=(2, 2), hyper_size=(1, 1))
        SideInfo(scale=120, quality=255, hyper=array([[[-2]]]), index=array([[0, 2],
               [1, 1]]))
    """

    def __init__(self, prior: FactorisedPrior | None, rates: int, adaptive: bool) -> None:
        self.rates, self.adaptive = rates, adaptive
        self._hyper = None if prior is None else HyperCoder(prior)

    def pack(self, side: SideInfo, height: int, width: int) -> bytes:
        """Bytes for a picture of height × width pixels."""
        encoder = Encoder()
        if self._hyper is not None:
            self._hyper.encode(side.hyper, encoder)
        if self.adaptive:
            encode_rate_map(side.index, self.rates, encoder)
        else:
            encoder.encode(int(side.index.flat[0]), _even(self.rates))
        return protect(bytes([side.scale, side.quality]) + encoder.bytes(), height, width)

    def unpack(
        self, data: bytes, height: int, width: int, map_size: tuple[int, int], hyper_size: tuple[int, int]
    ) -> SideInfo:
        """What `pack` was given.

        Args:
            data: the bytes.
            height, width: of the picture, pixels.
            map_size: rows and columns of the rate map.
            hyper_size: rows and columns of the hyperlatents.

        Raises:
            CodingError: damaged, or of another picture.
        """
        body = unprotect(data, height, width, at_least=2)
        decoder = Decoder(body[2:])
        hyper = None if self._hyper is None else self._hyper.decode(*hyper_size, decoder)
        if self.adaptive:
            index = decode_rate_map(*map_size, self.rates, decoder)
        else:
            index = np.full(map_size, decoder.decode(_even(self.rates)), np.int64)
        return SideInfo(body[0], body[1], hyper, index)


def _even(rates: int) -> object:
    return table(scaled(np.ones(rates, np.int64)))
