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
