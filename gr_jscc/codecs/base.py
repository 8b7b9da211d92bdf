"""The contract every codec fulfils: what its two halves are given and what they hand back.

A codec has a transmitting and a receiving half that may run on two machines. They share the
loaded weights and nothing else: whatever the receiver needs (a power scale, a rate, a map) is
part of ``side_info``, which the link protects, sends and charges. The picture's height and
width cross in the link's own manifest.

One shape serves a single round (DeepJSCC, NTSCC, separation), layers (successive refinement)
and rounds that need feedback (HJSCC with feedback):

    payload = transmitter.start(image)          receiver.push(reception) -> estimate
    payload = transmitter.next(feedback)        receiver.push(reception) -> better estimate
    None    = transmitter.next(feedback)        # no more rounds
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gr_jscc.codecs.frames import OfFrames
from gr_jscc.codecs.grey import grey_picture
from gr_jscc.errors import UserError


class CodecError(UserError):
    """A codec was asked for something it cannot do; the message is one line for a person.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> load_codec("separation").check_cbr(2)
        Traceback (most recent call last):
            ...
        gr_jscc.codecs.base.CodecError: separation with hevc:ldpc-2/3:16qam supports a CBR above 0 and at most 1, not 2
    """


@dataclass(frozen=True)
class Payload:
    """One round, as a transmitter hands it to the link.

    Attributes:
        symbols: complex64[k], mean power 1 (exactly, unless all are zero; of a digital constellation, on average).
        side_info: bytes the receiver cannot do without; empty when there are none.

    Example:
        >>> import numpy as np
        >>> len(Payload(np.ones(10, np.complex64), b"two").side_info)
        3
    """

    symbols: np.ndarray
    side_info: bytes = b""

    def __post_init__(self) -> None:
        if self.symbols.dtype != np.complex64 or self.symbols.ndim != 1:
            raise TypeError(f"payload symbols must be complex64[k], not {self.symbols.dtype}{self.symbols.shape}")


MOST_AMPLITUDE = 1e4  # of either part of a symbol: more than if a round of the largest picture were a single peak
CBR_SLACK = 1e-9  # relative, so that a CBR such as 1/3 is the number of symbols that it stands for
NOISE_VARS = (1e-9, 1e6)  # from where rounding is louder to where nothing is to be heard any more


@dataclass(frozen=True)
class Reception:
    """One round, as it arrived, or as it came back from the other end.

    Its numbers can be reckoned with, whatever it was made of: what is not finite, negative variances and what no
    channel does count as lost, and no variance is 0. So neither half of a codec need look at them again.

    Attributes:
        symbols: complex64[k], equalised to unit gain, neither part beyond `MOST_AMPLITUDE`; 0 where nothing arrived.
        noise_var: float32[k], noise variance per complex symbol, within `NOISE_VARS`; ``inf`` where a symbol was lost.
        side_info: the transmitter's bytes, or None when they were lost.

    Example:
        >>> import numpy as np
        >>> lost = Reception(np.zeros(4, np.complex64), np.full(4, np.inf, np.float32), b"")
        >>> bool(np.isinf(lost.noise_var).all())
        True
    """

    symbols: np.ndarray
    noise_var: np.ndarray
    side_info: bytes | None

    def __post_init__(self) -> None:
        if self.symbols.shape != self.noise_var.shape:
            raise ValueError(f"{self.symbols.shape} symbols came with {self.noise_var.shape} noise variances")
        least, most = NOISE_VARS
        known = (self.noise_var >= 0) & (self.noise_var <= most)
        for part in (self.symbols.real, self.symbols.imag):
            known &= np.abs(part) <= MOST_AMPLITUDE
        symbols, noise_var = np.where(known, self.symbols, 0), np.where(known, self.noise_var, np.inf)
        object.__setattr__(self, "symbols", symbols.astype(np.complex64))
        object.__setattr__(self, "noise_var", np.maximum(noise_var, least).astype(np.float32))

    @property
    def arrived(self) -> np.ndarray:
        """bool[k], which symbols are of use."""
        return np.isfinite(self.noise_var)

    @property
    def mean_noise_var(self) -> float | None:
        """Of the symbols that are of use; None when none is."""
        arrived = self.noise_var[self.arrived]
        return float(np.mean(arrived, dtype=np.float64)) if len(arrived) else None


@dataclass(frozen=True)
class UseMap:
    """Where in a picture a codec spends its channel uses.

    Attributes:
        uses: float32[h, w], complex channel uses of every patch.
        stride: pixels of a patch's side; those at the right and bottom edge may reach beyond the picture.

    Example:
        >>> import numpy as np
        >>> from gr_jscc.codecs.registry import load_codec
        >>> spent = load_codec("ntscc", "ntscc-cifar").use_map(np.full((32, 32, 3), 90, np.uint8), cbr=1 / 12)
        >>> spent.stride, spent.uses.shape
        (4, (8, 8))
    """

    uses: np.ndarray
    stride: int


@dataclass(frozen=True)
class Insight:
    """What a receiver knows of what its transmitter knew of it; codecs with feedback send that along.

    Attributes:
        blind_from: the part of the picture (latent, layer), from 0, from which on the transmitter sent without knowing
            what had arrived before; None: it always knew.
        drifted: rounds whose transmitter took the receiver to hold something else than it does.

    Example:
        >>> Insight(blind_from=2, drifted=0).blind_from is None  # did the transmitter always know?
        False
    """

    blind_from: int | None
    drifted: int


class Transmitter(ABC):
    """The sending half, for one image at a time.

    Example:
        >>> import numpy as np
        >>> class Greys(Transmitter):
        ...     def start(self, image):
        ...         grey = image.mean(axis=2).ravel() - 127.5
        ...         return Payload((grey / np.sqrt(np.mean(grey**2))).astype(np.complex64))
        ...
        >>> payload = Greys().start(np.full((2, 4, 3), 200, np.uint8))
        >>> payload.symbols.shape, Greys().next(feedback=None) is None
        ((8,), True)
    """

    @abstractmethod
    def start(self, image: np.ndarray) -> Payload:
        """Begins a transfer of uint8[H, W, 3] and returns its first round."""

    def next(self, feedback: Reception | None) -> Payload | None:
        """The following round, or None when there is none.

        Args:
            feedback: the previous round as the receiver reported it, or None without feedback.
        """
        return None


class Receiver(ABC):
    """The receiving half, for one image of known height and width.

    Attributes:
        insight: see there; None for codecs that send nothing of it along, and before anything arrived.
        shows_grey: whether the latest estimate that was shown is the plain grey picture, because nothing of the one
            that was sent was usable. A grey picture that was sent and arrived is none such.

    Example:
        >>> import numpy as np
        >>> class Patient(Receiver):
        ...     def push(self, reception):
        ...         return self.grey(2, 3)
        ...
        >>> receiver = Patient()
        >>> picture = receiver.push(Reception(np.zeros(1, np.complex64), np.ones(1, np.float32), None))
        >>> picture.shape, receiver.shows_grey
        ((2, 3, 3), True)
    """

    insight: Insight | None = None
    shows_grey: bool = False

    def grey(self, height: int, width: int) -> np.ndarray:
        """What `push` returns when nothing was usable: uint8[height, width, 3] of mid-grey; notes that it is so."""
        self.shows_grey = True
        return grey_picture(height, width)

    @abstractmethod
    def push(self, reception: Reception) -> np.ndarray:
        """Takes the next round and returns the estimate so far, uint8[H, W, 3].

        Never raises on what the channel did: with nothing usable it returns a plain grey picture.
        """

    def hear(self, reception: Reception) -> None:
        """Takes a round as `push` does where nobody looks; override it where rounds cost little beside a picture."""
        self._shown = self.push(reception)

    def show(self) -> np.ndarray:
        """The estimate after what was heard last, as `push` would have returned it."""
        return self._shown


class Codec(OfFrames, ABC):
    """A system by name: its two halves and what identifies its weights.

    Attributes:
        name: in the registry.
        uses_feedback: whether its transmitters do better when `Transmitter.next` is handed the previous round as it
            arrived. The receiving end of the link then sends every round back.
        ideal_only: a bound that no air can carry; the link refuses it.
        side_info_mcs: modulation and coding of its manifests and side information, see `gr_jscc.modem.digital.MCS`.
            The most robust suits a few bytes; a codec with hundreds of them pays too much for it.
        side_info_copies: how often they are sent; None leaves it to the link.
        training_task: of a codec from outside, the class that trains it, see `gr_jscc.training.tasks.Task`.
        precision: that its networks compute in, see `compute_in`.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> codec = load_codec("separation")
        >>> isinstance(codec, Codec), codec.uses_feedback, codec.ideal_only, codec.cbr_range
        (True, False, False, (0.0, 1.0))
        >>> codec.set_eta(0.5)
        Traceback (most recent call last):
            ...
        gr_jscc.codecs.base.CodecError: separation has no eta: it does not adapt its rate to the content
    """

    name: ClassVar[str]
    uses_feedback: ClassVar[bool] = False
    ideal_only: ClassVar[bool] = False
    side_info_mcs: ClassVar[int] = 0
    side_info_copies: ClassVar[int | None] = None
    training_task: ClassVar[type | None] = None
    precision: str = "fp32"

    @property
    def cbr_range(self) -> tuple[float, float]:
        """The lowest and the highest CBR that `transmitter` takes."""
        return 0.0, 1.0

    @property
    @abstractmethod
    def weights_name(self) -> str:
        """Name of the weights in use, e.g. ``deepjscc-photo``; for codecs without, what was chosen in their place."""

    @property
    @abstractmethod
    def weights_hash(self) -> bytes:
        """Four bytes that identify the weights or choices; sent in the manifest, so that a mismatch is refused."""

    def set_eta(self, eta: float) -> None:
        """Fixes the channel values that a bit of the source is given, for codecs that adapt the rate to the content.

        Raises:
            CodecError: this one does not, or not by such a number.
        """
        raise CodecError(f"{self.name} has no eta: it does not adapt its rate to the content")

    def compute_in(self, precision: str) -> None:
        """Has its networks compute in ``fp32``, or ``bf16`` or ``fp16`` where the device has it; ends may differ.

        Raises:
            CodecError: unknown precision, or this codec or its device has no other than ``fp32``.
        """
        if precision != "fp32":
            raise CodecError(f"{self.name} has no network whose precision could be set to {precision}")

    def use_map(self, image: np.ndarray, cbr: float) -> UseMap | None:
        """How `transmitter(cbr)` spreads its channel uses over uint8[H, W, 3]; None where it treats all of it alike.

        Raises:
            CodecError: when this codec has no rate that fits.
        """
        return None

    def check_size(self, height: int, width: int, cbr: float) -> None:
        """Refuses a size of which this codec sends no picture, whatever is in it.

        Raises:
            CodecError: its padding alone, or the fewest symbols of all, break the CBR.
        """
        return None

    def check_picture(self, image: np.ndarray, cbr: float) -> None:
        """Refuses a picture uint8[H, W, 3] as far as that can be said without sending it, or at little cost.

        Raises:
            CodecError: as `Transmitter.start` would.
        """
        self.check_size(*image.shape[:2], cbr)

    def check_cbr(self, cbr: float) -> None:
        """Refuses a CBR out of `cbr_range`.

        Raises:
            CodecError: it is.
        """
        lowest, highest = self.cbr_range
        if not (cbr > 0 and lowest * (1 - CBR_SLACK) <= cbr <= highest * (1 + CBR_SLACK)):
            served = f"from 1/{1 / lowest:g} to 1/{1 / highest:g}" if lowest else f"above 0 and at most {highest:g}"
            raise CodecError(f"{self.name} with {self.weights_name} supports a CBR {served}, not {cbr:g}")

    def too_small(self, height: int, width: int, cbr: float) -> CodecError:
        """What to raise for a picture whose padding alone breaks the CBR."""
        return CodecError(f"a {width}x{height} picture is too small to be sent by {self.name} at CBR {cbr:.4g}")

    @abstractmethod
    def transmitter(self, cbr: float) -> Transmitter:
        """A sending half whose payloads use at most `channel_uses` of ``cbr``, that is ``cbr``·3·H·W complex symbols.

        Raises:
            CodecError: when this codec has no rate that fits.
        """

    @abstractmethod
    def receiver(self, height: int, width: int) -> Receiver:
        """A receiving half for one image of the given size."""


def channel_uses(cbr: float, height: int, width: int) -> int:
    """The complex symbols that a CBR allows a picture."""
    return math.floor(cbr * (1 + CBR_SLACK) * 3 * height * width)
