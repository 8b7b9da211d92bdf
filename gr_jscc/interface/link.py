"""What all links have in common: a picture and a codec in, what arrived and its report out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, TypeAlias

import numpy as np

from gr_jscc.codecs.base import Codec
from gr_jscc.codecs.registry import load_codec
from gr_jscc.interface.pictures import Picture, read_picture
from gr_jscc.interface.sent import Sent
from gr_jscc.reports.collector import Result
from gr_jscc.sweeps.measurement import kept_codec

AnyCodec: TypeAlias = str | type[Codec] | Codec


def loaded(codec: AnyCodec, weights: str | Path | None = None) -> Codec:
    """`load_codec`. What has a name stays loaded, but for files of weights, which may have changed meanwhile."""
    if isinstance(codec, str) and not str(weights or "").endswith(".safetensors"):
        return kept_codec(codec, str(weights or ""), "cpu")
    return load_codec(codec, weights)


class Link(ABC):
    """A way from a codec's transmitting half to its receiving half.

    Attributes:
        name: of its kind.
        snr_db: Es/N0 in dB per data subcarrier; None where nobody knows it.
        channel: the channel's name, for reports.
        seed: of its noise; None where it has none.

    Example:
        >>> from gr_jscc import IdealLink
        >>> isinstance(IdealLink(snr_db=10), Link), IdealLink(snr_db=10).name
        (True, 'ideal')
    """

    name: ClassVar[str]
    snr_db: float | None = None
    channel: str = ""
    seed: int | None = None

    def send(
        self, image: Picture, codec: AnyCodec = "deepjscc", cbr: float = 1 / 12, weights: str | Path | None = None
    ) -> Sent:
        """Sends one picture. The same one sent again meets the same noise, but for a radio's.

        Args:
            image: a file's path, uint8[H, W, 3] or a Pillow image.
            codec: a codec's name, ``path/to/file.py:Class``, a class or a codec.
            cbr: most complex symbols per colour value of the picture.
            weights: a shipped model or a ``.safetensors`` file; the codec's default when None.

        Raises:
            UserError: what cannot be sent, in one line: ImageError, CodecError, WeightsError, LinkError.
        """
        return self.carry(*read_picture(image), loaded(codec, weights), cbr)

    def carry(self, name: str, image: np.ndarray, codec: Codec, cbr: float) -> Sent:
        """Sends uint8[H, W, 3] with a codec that is loaded; otherwise as `send`."""
        codec.transmitter(cbr)
        codec.check_picture(image, cbr)
        (final,) = [result for result in self._results(name, image, codec, cbr) if result.final]
        final.report["image"]["name"] = name
        return Sent(image, final.received, final.report, self.name, cbr, self.seed)

    @abstractmethod
    def _results(self, name: str, image: np.ndarray, codec: Codec, cbr: float) -> Iterable[Result]:
        """What came of each round; the last one is final."""
