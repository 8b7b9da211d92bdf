"""One picture on its way out: its rounds, what each cost, and what is known of their arrival."""

from __future__ import annotations

import collections
import hashlib
from dataclasses import dataclass, field, replace

import numpy as np

from gr_jscc.codecs.base import Payload, Reception, Transmitter
from gr_jscc.link.accounting import ChannelUses
from gr_jscc.link.back_channel import Symbols
from gr_jscc.link.burst_length import BurstLength
from gr_jscc.link.bursts import Burst, LinkSettings
from gr_jscc.modem.header import BurstKind


@dataclass
class OutgoingRound:
    """One round in the transmitter's memory, until nothing of it needs to be sent again.

    Attributes:
        bursts: as first sent.
        side_info: the codec's bytes, which come back with the feedback.
        attempt: 0 for the first sending, then the number of the repeat.
        sent_at: when the last burst of the attempt had left, or the receiver said that it still comes in, on the
            sender's clock; None before.
        repeating: bursts of the repeat that is under way.
        settled: nothing of it will be sent again.

    Example:
        >>> from gr_jscc.link.bursts import round_bursts
        >>> bursts = round_bursts(Payload(np.ones(5000, np.complex64)), 64, 96, weights_hash=b"abcd", transfer=7)
        >>> sent = OutgoingRound(bursts, side_info=b"")
        >>> [burst.header.index for burst in sent.missing(manifest=True, received=np.array([True, False, True]))]
        [1]
    """

    bursts: list[Burst]
    side_info: bytes
    attempt: int = 0
    sent_at: float | None = None
    repeating: int = 0
    settled: bool = False

    @property
    def manifest(self) -> list[Burst]:
        """One copy of the manifest's bursts; none where it does not go over the air."""
        control = {burst.header.index: burst for burst in self.bursts if burst.header.kind == BurstKind.DIGITAL}
        return [*control.values()]

    @property
    def analog(self) -> dict[int, Burst]:
        """The bursts of analog symbols, by their place in the round."""
        return {burst.header.index: burst for burst in self.bursts if burst.header.kind == BurstKind.ANALOG}

    def missing(self, manifest: bool, received: np.ndarray) -> list[Burst]:
        """What to send again: analog bursts that did not arrive, and one manifest if none did.

        Args:
            manifest: whether the receiver has it.
            received: bool[analog bursts]; of any other length when the receiver does not know how many there are.
        """
        analog = self.analog
        if len(received) == len(analog):
            analog = {index: burst for index, burst in analog.items() if not received[index]}
        return ([] if manifest else self.manifest) + [*analog.values()]


@dataclass
class Outgoing:
    """One picture in flight.

    Attributes:
        number: of the transfer.
        name: of the picture, for people.
        key: what identifies the picture in the run, 8 bytes.
        image: uint8[H, W, 3].
        cbr: asked of the codec.
        transmitter: the codec's sending half.
        settings: how its rounds become bursts.
        started: `time.monotonic` when it went to the codec.
        tries: 1, or more when the picture had to be sent from the beginning again.
        rounds: by number.
        pending: rounds that are made and wait until the receiver has answered to the one before.
        awaiting: the round whose feedback the codec waits for.
        complete: the codec has no further round.
        stopped: the receiver wants no further round.
        done: all rounds are settled, and the receiver was told.
        uses, analog_bursts, repeated_bursts, papr_db: what the air carried.
        side_info_bytes: manifests and side information that went over the back-channel.
        feedback_rounds, feedback_bytes: that were of use.
        feedback_missed: rounds whose feedback came too late, or never.

    Example:
        >>> from gr_jscc.codecs.separation.codec import Separation
        >>> image, half = np.full((64, 96, 3), 90, np.uint8), Separation("jpeg:ldpc-2/3:16qam").transmitter(1 / 6)
        >>> flight = Outgoing(7, "a.png", b"picture1", image, 1 / 6, half, LinkSettings(), started=0.0)
        >>> flight.rounds[0] = OutgoingRound([], b"", settled=True)
        >>> flight.complete = True
        >>> flight.settled
        True
    """

    number: int
    name: str
    key: bytes
    image: np.ndarray
    cbr: float
    transmitter: Transmitter
    settings: LinkSettings
    started: float
    tries: int = 1
    encode_seconds: float = 0.0
    rounds: dict[int, OutgoingRound] = field(default_factory=dict)
    pending: collections.deque[Payload] = field(default_factory=collections.deque)
    awaiting: int | None = None
    complete: bool = False
    stopped: bool = False
    done: bool = False
    uses: ChannelUses = ChannelUses(0, 0, 0, 0)
    analog_bursts: int = 0
    repeated_bursts: int = 0
    papr_db: float | None = None
    side_info_bytes: int = 0
    feedback_rounds: int = 0
    feedback_bytes: int = 0
    feedback_missed: int = 0

    @property
    def settled(self) -> bool:
        """Whether nothing of the picture will be sent any more."""
        return self.complete and not self.pending and all(sent.settled for sent in self.rounds.values())

    def take_feedback(self, message: Symbols) -> Reception | None:
        """A round as the receiver got it; None when nobody waits for it, or not any more."""
        if message.round != self.awaiting:
            return None  # counted when it was missed; or of a round after that
        self.awaiting = None
        self.feedback_rounds += 1
        self.feedback_bytes += len(message.pack())
        return Reception(message.symbols, message.noise_var, self.rounds[message.round].side_info)


def picture_key(name: str, occurrence: int, image: np.ndarray, cbr: float) -> bytes:
    """Eight bytes that tell a picture of a run from all others, the same after a restart.

    Args:
        name: of the file.
        occurrence: 0, or how many equal pictures were sent before it.
        image: uint8[H, W, 3].
        cbr: asked for.
    """
    digest = hashlib.blake2b(digest_size=8)
    digest.update(repr((name, occurrence, image.shape, round(cbr, 9))).encode())
    digest.update(np.ascontiguousarray(image).tobytes())
    return digest.digest()


def adapted_cbr(cbr: float, snr_db: float, lowest: float, highest: float) -> float:
    """The CBR that carries as much at another SNR as ``cbr`` does at 10 dB.

    An ideal code needs channel uses in inverse proportion to log2(1 + SNR), the capacity of the Gaussian channel.

    Args:
        cbr: meant for 10 dB.
        snr_db: Es/N0 as the receiver reported it, dB.
        lowest, highest: what the codec serves.
    """
    wanted = cbr * np.log2(1 + 10.0) / np.log2(1 + 10 ** (snr_db / 10))
    return float(min(max(wanted, lowest), highest))


def adapted_settings(settings: LinkSettings, snr_db: float | None, burst_length: BurstLength | None) -> LinkSettings:
    """How the next picture becomes bursts.

    Args:
        settings: as they are without a receiver that tells anything.
        snr_db: Es/N0 as it reported it, dB; None while it does not.
        burst_length: what it got of the bursts before; None to leave their length as it is.
    """
    if snr_db is not None:
        settings = replace(settings, control_snr_db=snr_db)
    if burst_length is not None:
        settings = replace(settings, burst_symbols=burst_length.symbols)
    return settings
