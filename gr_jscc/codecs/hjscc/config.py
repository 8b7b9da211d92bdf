"""What a network of HJSCC is made of; weights' files and recipes hold it under these names."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class HJSCCConfig:
    """The configuration of a `gr_jscc.codecs.hjscc.network.HJSCCNetwork`.

    Attributes:
        transforms: ``kind`` (see `gr_jscc.codecs.hjscc.transforms.KINDS`), ``latents``, and what else the kind takes.
        levels: a table for each, coarsest first, each at twice the resolution of the one before:
            ``channels``, coefficients at a position; ``kept``, how many of the strongest coefficients of the next finer
            level it describes (not for the finest); ``shares``, for each of its latents the share of η in its rate;
            ``rates``, numbers of channel values, ascending and even; ``group``, positions of a side of the groups.
        width, hidden: features of the paths, and channels inside their blocks.
        blocks: at the start of every level, in both paths.
        condition: length of the condition vector.
        steps: of the quantiser that entropies are counted for, at quality 0 and 1, in levels of 8-bit pixels.
        eta: real channel values per bit.
        attention: False: no rate attention module.
        expected: whether rates follow the entropy that the prior expects, and not the one that the picture has, where
            both ends have the same prior, so that the receiver can work them out.

    Example:
        >>> transforms = {"kind": "windows", "latents": 8, "widths": [8, 8], "blocks": [0, 0], "heads": 1, "window": 4}
        >>> level = {"channels": 4, "shares": [1.0], "rates": [0, 2, 4], "group": 2}
        >>> config = HJSCCConfig(transforms, [level], width=8, hidden=8, eta=0.7)
        >>> config.as_dict()["eta"], config.as_dict()["steps"]
        (0.7, [100.0, 8.0])
    """

    transforms: dict
    levels: list[dict]
    width: int
    hidden: int
    blocks: int = 1
    condition: int = 32
    steps: tuple[float, float] = (100.0, 8.0)
    eta: float = 0.5
    attention: bool = True
    expected: bool = False

    def as_dict(self) -> dict:
        """As weights' files hold it."""
        return asdict(self) | {"steps": list(self.steps)}
