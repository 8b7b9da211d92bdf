"""How the sending end of the link uses the back-channel."""

from __future__ import annotations

from dataclasses import dataclass

from gr_jscc.link.bursts import ROUNDS, LinkError

REMEMBERED = 64  # pictures kept for repeats while the back-channel is away
#: Repeats of a manifest alone, beyond all others, of a codec that uses feedback: a round that cannot be read is worse
#: than one with holes, since the next is made for a receiver that has it.
MANIFEST_REPEATS = 8


@dataclass(frozen=True)
class SendingPolicy:
    """How the sending end uses the back-channel.

    Attributes:
        repeats: how often the missing bursts of a round are sent again. For codecs that use feedback its manifest is
            sent up to `MANIFEST_REPEATS` times more, since nothing can be fed back without.
        rounds: most rounds of a picture, e.g. layers; None for all that the codec has.
        side_info: how manifests and side information travel: "air", in coded bursts, or "back-channel".
        adapt: choose the CBR of each picture by the reported SNR, see `adapted_cbr`.
        fit_bursts: choose the length of each picture's bursts by how many were lost, see `BurstLength`.
        in_flight: pictures that may be on their way at a time.
        feedback_seconds: how long a codec waits for its feedback once the round has left, and the receiver does not
            say that it is still coming in.
        patience: seconds without a back-channel, or without a word over it of what was sent, after which nothing is
            expected of it any more.
        listens_only: all that the receiver says is its SNR: of a stream nothing is kept, repeated or waited for.

    Example:
        >>> SendingPolicy(repeats=1, in_flight=2).wants_round(0)
        True
    """

    repeats: int = 3
    rounds: int | None = None
    side_info: str = "air"
    adapt: bool = False
    fit_bursts: bool = False
    in_flight: int = 8
    feedback_seconds: float = 5.0
    patience: float = 30.0
    listens_only: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.repeats <= 20:
            raise LinkError(f"repeats must be 0 to 20, not {self.repeats}")
        if self.rounds is not None and not 1 <= self.rounds <= ROUNDS:
            raise LinkError(f"a picture has 1 to {ROUNDS} rounds, not {self.rounds}")
        if self.side_info not in ("air", "back-channel"):
            raise LinkError(f"side information goes by air or back-channel, not {self.side_info!r}")
        if not 1 <= self.in_flight <= REMEMBERED:
            raise LinkError(f"pictures in flight must be 1 to {REMEMBERED}, not {self.in_flight}")

    def wants_round(self, number: int) -> bool:
        """Whether a picture may have a round of this number."""
        return self.rounds is None or number < self.rounds
