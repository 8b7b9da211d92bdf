"""How each frame crosses the air: bursts and samples at one end, the modem, the link and a decoder at the other.

The functions are those of the flowgraphs' blocks. There is no back-channel: whatever is lost stays lost, and a viewer
goes on showing the frame before where nothing of one can be shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gr_jscc.channel import Scenario
from gr_jscc.codecs.base import Codec
from gr_jscc.codecs.grey import grey_picture
from gr_jscc.link.accounting import ChannelUses, count_uses
from gr_jscc.link.bursts import LinkSettings, round_bursts, settings_of
from gr_jscc.link.encoding import further_rounds
from gr_jscc.link.reception import ReceivingEnd
from gr_jscc.modem import StreamDemodulator, modulate

MODEM_SILENCE = 4096  # samples after a frame's bursts, more than any impairment delays them


@dataclass(frozen=True)
class OnAir:
    """A frame as it is sent.

    Attributes:
        samples: complex64[n], its bursts one after the other.
        starts: where they begin.
        uses: what it is charged with.

    Example:
        >>> OnAir(np.ones(960, np.complex64), [0, 480], ChannelUses(600, 96, 288, 960)).uses.air
        960
    """

    samples: np.ndarray
    starts: list[int]
    uses: ChannelUses


class FrameSender:
    """Turns frames into samples.

    Args:
        codec: a codec.
        cbr: asked of its transmitter.
        settings: how rounds become bursts, and those samples; None: as the codec asks.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> sender = FrameSender(load_codec("separation", "jpeg:ldpc-1/2:qpsk"), cbr=1 / 6)
        >>> len(sender.send(0, np.full((240, 320, 3), 90, np.uint8)).starts) > 5
        True
    """

    def __init__(self, codec: Codec, cbr: float, settings: LinkSettings | None = None) -> None:
        self.cbr, self.settings = cbr, settings_of(codec, settings)
        self.codec = codec.of_stream(self.settings.refresh)
        codec.transmitter(cbr)

    def send(self, number: int, image: np.ndarray) -> OnAir:
        """A frame uint8[H, W, 3] and its number, as samples; all rounds of a codec that has several, without feedback.

        Raises:
            CodecError: the codec cannot send it.
            LinkError: the link cannot carry it.
        """
        transmitter = self.codec.transmitter(self.cbr)
        payloads = [transmitter.start(image)]
        payloads += further_rounds(transmitter, None, lambda number: True)
        self.codec.sent(payloads[0])
        transfer = self.settings.session.transfer(number)
        size, weights = image.shape[:2], self.codec.weights_hash
        bursts = [
            burst
            for round_, payload in enumerate(payloads)
            for burst in round_bursts(payload, *size, weights, transfer, round_, self.settings)
        ]
        layout = self.settings.numerology
        parts = [modulate(burst.header, burst.symbols, layout) for burst in bursts]
        lengths = np.array([len(part) for part in parts])
        uses = count_uses([burst.header for burst in bursts], layout)
        return OnAir(np.concatenate(parts), (np.cumsum(lengths) - lengths).tolist(), uses)


class Viewer:
    """A receiver with its own channel, and what it shows.

    Args:
        codec: the sender's.
        scenario: what happens to samples on their way here.
        settings: the sender's, for the numerology.

    Attributes:
        image: uint8[H, W, 3], what is shown; grey before anything came.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> codec, picture = load_codec("separation", "jpeg:ldpc-1/2:qpsk"), np.full((240, 320, 3), 90, np.uint8)
        >>> viewer = Viewer(codec, Scenario({"awgn": {"snr_db": 10.0}}))
        >>> sent = FrameSender(codec, cbr=1 / 6).send(0, picture)
        >>> viewer.receive(sent, slot=60_000, size=(240, 320)), int(viewer.image.mean())
        (True, 90)
    """

    def __init__(self, codec: Codec, scenario: Scenario, settings: LinkSettings | None = None) -> None:
        self.scenario = scenario
        self.image: np.ndarray | None = None
        self._demodulator = StreamDemodulator(settings_of(codec, settings).numerology)
        self._end = ReceivingEnd(codec.of_stream(settings_of(codec, settings).refresh))

    def receive(self, sent: OnAir, slot: int, size: tuple[int, int]) -> bool:
        """Takes what the air has of a frame; returns whether anything of it could be shown.

        Args:
            sent: the frame.
            slot: samples from its beginning to that of the next, at least those of its bursts and of the silence that
                the modem needs.
            size: height and width, of the grey picture before the first.
        """
        if self.image is None:
            self.image = grey_picture(*size)
        samples = np.zeros(slot, np.complex64)
        samples[: len(sent.samples)] = sent.samples
        self.scenario.mark(sent.starts)
        heard = self.scenario.process(samples)
        arrivals = []
        for burst in self._demodulator.push(heard) + self._demodulator.flush():
            arrivals += self._end.burst(burst)
        arrivals += self._end.flush()
        shown = False
        for arrival in arrivals:
            image = self._end.pictures.decode(arrival)
            if image is not None and image.shape[:2] == size and not self._end.pictures.shows_grey(arrival.transfer):
                self.image, shown = image, True
        return shown


def shortest_slot(sent: OnAir) -> int:
    """Samples that a frame takes at least, see `Viewer.receive`."""
    return len(sent.samples) + MODEM_SILENCE
