"""A link over radios: the flowgraphs of the two hosts in one process."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gr_jscc.codecs.base import Codec, CodecError
from gr_jscc.errors import UserError
from gr_jscc.imaging import save_image
from gr_jscc.interface.flowgraph import check_gnuradio
from gr_jscc.interface.link import Link
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.link.loading import Decoding, Encoding
from gr_jscc.link.policy import SendingPolicy
from gr_jscc.ports import free_addresses
from gr_jscc.radio.address import kind_of, parse_radio
from gr_jscc.radio.choice import RadioChoice
from gr_jscc.reports.collector import Result
from gr_jscc.reports.report import OnAir, Received, Sent, build_report

if TYPE_CHECKING:
    from gr_jscc.flowgraphs.receiving_host import ReceiveFlowgraph
    from gr_jscc.flowgraphs.transmitting_host import TransmitFlowgraph

PATIENCE_SECONDS = 60.0  # for the receiver, once the transmitter has ended
FILE = "file"  # radios that receive after the transmission, not during it


@dataclass
class RadioLink(Link):
    """From one radio to another, both driven by this process: `gr-jscc tx` and `rx`; needs GNU Radio.

    A back-channel within the machine repeats lost bursts and carries feedback. Files have none: they are written first
    and read then, and the report knows no channel uses. Noise and timing are real: no seed makes two pictures the same.

    Attributes:
        transmit, receive: addresses as after ``--radio``, see `gr_jscc.radio`; a `RadioChoice` for a device that is not
            to be set by the profile that ships for it.
        policy: how the back-channel is used.
        settings: how rounds become bursts, and those samples.

    Raises:
        UserError: GNU Radio is not there, or an address makes no sense.

    Example:
        >>> import tempfile
        >>> from gr_jscc.data import demo_image
        >>> from gr_jscc.imaging import load_image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     link = RadioLink(f"file:{folder}/air.cf32", f"file:{folder}/air.cf32")
        ...     link.send(load_image(demo_image())[150:342, 100:356]).psnr_db > 30
        True
    """

    name: ClassVar[str] = "radio"

    transmit: str | RadioChoice
    receive: str | RadioChoice
    policy: SendingPolicy = SendingPolicy()
    settings: LinkSettings | None = None

    def __post_init__(self) -> None:
        check_gnuradio("RadioLink")
        self._sender, self._receiver = _choice(self.transmit), _choice(self.receive)
        self.channel = self._receiver.address

    @property
    def _is_recorded(self) -> bool:
        return parse_radio(self._receiver.address).kind == FILE

    def _results(self, name: str, image: np.ndarray, codec: Codec, cbr: float) -> Iterator[Result]:
        if codec.ideal_only:
            raise CodecError(f"{codec.name} is a bound, not something that can be sent")
        with tempfile.TemporaryDirectory(prefix="gr-jscc-") as folder:
            path = Path(folder, "sent", "picture.ppm")
            save_image(path, image)
            carry = self._one_after_the_other if self._is_recorded else self._at_the_same_time
            found = [result for result in carry(path, codec, cbr) if result.final]
        about = Sent(name, image, codec.name, codec.weights_name, cbr, None, None)
        if not found:
            report = build_report(about, OnAir(None), Received(None, None, 0.0, 0.0), self.channel, None)
            found = [Result(0, 0, image, None, report | {"rounds": []})]
        elif self._is_recorded:
            found[-1].report.update(_unheard(about, found[-1]))
        yield found[-1]

    def _one_after_the_other(self, path: Path, codec: Codec, cbr: float) -> list[Result]:
        for _ in self._transmitter(path, codec, cbr, "").events():
            pass
        return [result for result in self._receiving(path, codec, "").results() if result is not None]

    def _at_the_same_time(self, path: Path, codec: Codec, cbr: float) -> list[Result]:
        (back,) = free_addresses(1)
        graph = self._receiving(path, codec, back)
        results: list[Result] = []
        failures: list[BaseException] = []
        over = threading.Event()

        def receive() -> None:
            try:
                with contextlib.closing(graph.results(until_bye=True)) as news:
                    for result in news:
                        if result is not None:
                            results.append(result)
                        if over.is_set():
                            return
            except BaseException as error:  # raised in the thread that waits for it
                failures.append(error)

        receiving = threading.Thread(target=receive, daemon=True)
        receiving.start()
        try:
            for _ in self._transmitter(path, codec, cbr, back).events():
                if failures:
                    break
            receiving.join(PATIENCE_SECONDS)
        finally:
            over.set()
            receiving.join()
        if failures:
            raise failures[0]
        return results

    def _transmitter(self, path: Path, codec: Codec, cbr: float, back: str) -> TransmitFlowgraph:
        from gr_jscc.blocks import back_channel
        from gr_jscc.flowgraphs.transmitting_host import TransmitFlowgraph

        channel = back_channel(back) if back else None
        return TransmitFlowgraph([path], self._sender, Encoding(codec, cbr), channel, self.policy, self.settings)

    def _receiving(self, path: Path, codec: Codec, back: str) -> ReceiveFlowgraph:
        from gr_jscc.blocks import back_channel
        from gr_jscc.flowgraphs.receiving_host import ReceiveFlowgraph

        channel = back_channel(back) if back else None
        out = path.parent.with_name("received")
        layout = (self.settings or LinkSettings()).numerology
        originals = str(path.parent)
        return ReceiveFlowgraph(self._receiver, out, Decoding(codec), channel, originals, numerology=layout)


def _unheard(about: Sent, result: Result) -> dict:
    """What a receiver without a back-channel does not know of a picture: keys of its report."""
    received = Received(result.received, None, 0.0, 0.0)
    report = build_report(about, OnAir(None), received, "", None)
    return {key: report[key] for key in ("codec", "weights", "psnr_db", "ms_ssim")}


def _choice(radio: str | RadioChoice) -> RadioChoice:
    """A radio as a person named it, set by the profile that ships for it where it is a device.

    Raises:
        RadioError, ProfileError: see `gr_jscc.radio`.
    """
    if not isinstance(radio, str | RadioChoice):
        raise UserError(f"a radio is an address or a RadioChoice, not {radio!r}")
    choice = RadioChoice(radio) if isinstance(radio, str) else radio
    address = parse_radio(choice.address)
    kind = kind_of(address.kind)
    if choice.profile is not None or kind is None or not kind.device:
        return choice
    from gr_jscc.radio.profile import default_profile

    profile = default_profile(address.kind, address.place)
    return RadioChoice(choice.address, profile, choice.reconnect, profile.stream.sample_rate)
