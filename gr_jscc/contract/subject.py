"""The codec that is held to the contract, with what most checks begin with."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from gr_jscc.codecs.base import Codec, CodecError, Payload
from gr_jscc.codecs.registry import load_codec
from gr_jscc.contract import pictures
from gr_jscc.contract.apart import Apart, Place
from gr_jscc.contract.check import held
from gr_jscc.contract.crossing import estimates, reception, rounds_of
from gr_jscc.errors import UserError
from gr_jscc.plugins import absolute_place, blame

USUAL_CBR = 1 / 4  # the most that checks ask for: of codecs that go beyond, more only takes longer
LEAST_CBR = 1 / 48  # asked of codecs whose range begins at 0


class Subject:
    """A codec to be tried.

    Args:
        name, weights, device: as after ``--codec``, ``--weights`` and ``--device``.
        cbr: that is asked of it where one will do; None for a high one that it serves.
        apart: another process to ask.

    Attributes:
        codec: loaded.
        place: how other processes find it.
        cbrs: the lowest, a middle and the highest CBR that it serves.
        image, other: two uint8[H, W, 3] of the same size.

    Raises:
        CodecError: it cannot be loaded, does not serve the CBR, or says that it sends no picture of any size tried.
        WeightsError: as `load_codec`.

    Example:
        >>> subject = Subject("deepjscc", cbr=1 / 12)
        >>> subject.codec.name, subject.place.name, subject.image.shape == subject.other.shape
        ('deepjscc', 'deepjscc', True)
    """

    def __init__(
        self, name: str, weights: str = "", device: str = "cpu", cbr: float | None = None, apart: Apart | None = None
    ) -> None:
        self.codec: Codec = load_codec(name, weights or None, device)
        self.place = Place(absolute_place(name), weights, device)
        self.apart = apart or Apart()
        try:
            lowest, highest = self.codec.cbr_range
            if not 0 <= lowest <= highest <= 1 or highest == 0:
                raise CodecError(f"cbr_range of {name} must be within 0 to 1, not {lowest:g} to {highest:g}")
            lowest = lowest or min(LEAST_CBR, highest)
            self.cbrs = (lowest, math.sqrt(lowest * highest), highest)
            self.cbr = cbr or max(lowest, min(highest, USUAL_CBR))
            self.codec.check_cbr(self.cbr)
            size = self._size()
        except UserError:
            raise
        except Exception as error:
            raise CodecError(f"codec {name} cannot be tried: {blame(error)}") from error
        self.image, self.other = pictures.photo(*size), pictures.photo(*size, place=1)

    def _size(self) -> tuple[int, int]:
        """The first of `SIZES` that the codec takes at the CBR and at the lowest one."""
        for size in pictures.SIZES:
            try:
                for cbr in (self.cbr, self.cbrs[0]):
                    self.codec.check_picture(pictures.photo(*size).copy(), cbr)
                return size
            except CodecError as error:
                refused = error
        raise refused

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of both pictures."""
        return self.image.shape[:2]

    @cached_property
    def rounds(self) -> list[Payload]:
        """What is sent of `image`, made once, before the codec has seen another picture.

        Raises:
            BreachError: the codec fails.
        """
        with held(self.codec, "encoding a photo"):
            return rounds_of(self.codec, self.image, self.cbr)

    @cached_property
    def shown(self) -> list[np.ndarray]:
        """The estimates that this process makes of `rounds`, made once.

        Raises:
            BreachError: the codec fails.
        """
        receptions = [reception(one) for one in self.rounds]
        with held(self.codec, "decoding what arrived of a photo"):
            return estimates(self.codec, receptions, *self.size)
