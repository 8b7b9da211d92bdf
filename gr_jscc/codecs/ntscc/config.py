"""What a network of NTSCC is made of; weights' files and recipes hold it under these names."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class NTSCCConfig:
    """The configuration of a `gr_jscc.codecs.ntscc.network.NTSCCNetwork`.

    Attributes:
        latents: C.
        transforms: ``kind`` (see `gr_jscc.codecs.parts.transforms.KINDS`) and its keyword arguments.
        rates: V, the numbers of real channel values that a latent vector can be given, ascending, even, at most C.
        codec: ``blocks`` of f_e and f_d, and keyword arguments of their attention.
        hyper: keyword arguments of `Hyperprior`.
        refine: hidden channels of the refinement; 0: none (Comparison-I of the paper).
        adaptive: False: all latent vectors have the same rate (Comparison-II).
        multipliers: λ at quality 0 and at quality 1: mean squared error on 0–255 per unit of CBR.
        eta: real channel values per bit that the first steps are made for.
        innovations: hidden channels of f_e's mixture; 0: latents are sent as they are, not what the hyperprior leaves
            open of them. See `gr_jscc.codecs.ntscc.jscc`.

    Example:
        >>> windows = {"kind": "windows", "widths": [8, 8], "blocks": [0, 0], "heads": 1, "window": 4}
        >>> attention = {"blocks": 1, "inner": 8, "heads": 1, "window": 4, "hidden": 8}
        >>> config = NTSCCConfig(8, windows, [2, 4, 8], attention, {"width": 8, "channels": 3, "kernel": 3}, refine=8)
        >>> config.as_dict()["rates"], config.as_dict()["multipliers"]
        ([2, 4, 8], [8000.0, 150.0])
    """

    latents: int
    transforms: dict
    rates: list[int]
    codec: dict
    hyper: dict
    refine: int
    adaptive: bool = True
    multipliers: tuple[float, float] = (8000.0, 150.0)
    eta: float = 0.4
    innovations: int = 0

    def as_dict(self) -> dict:
        """As weights' files hold it."""
        return asdict(self) | {"rates": list(self.rates), "multipliers": list(self.multipliers)}
