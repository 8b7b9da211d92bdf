"""The whole link and a simulated channel without GNU Radio: what the loopback flowgraph does, one step after the other.

Bursts, modem, impairments and assembly are the flowgraph's own functions.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import numpy as np

from gr_jscc.channel import Scenario
from gr_jscc.codecs.base import Codec, CodecError
from gr_jscc.link.accounting import count_uses
from gr_jscc.link.arrival import Arrival
from gr_jscc.link.bursts import Burst, LinkSettings, round_bursts, settings_of
from gr_jscc.link.encoding import further_rounds
from gr_jscc.link.reception import ReceivingEnd
from gr_jscc.modem import BurstKind, Numerology, StreamDemodulator, modulate
from gr_jscc.reports.collector import Collector, Result
from gr_jscc.reports.report import OnAir, Received, Sent
from gr_jscc.telling import remark

SILENCE_SAMPLES = 4096  # after each round, more than any impairment delays its samples


def simulated_picture(
    codec: Codec,
    picture: tuple[str, np.ndarray],
    cbr: float,
    scenario: Scenario,
    snr_db: float | None,
    settings: LinkSettings | None = None,
    every_round: bool = False,
) -> Iterator[Result]:
    """Results of one picture, as the loopback flowgraph gives them; there is no back-channel.

    Args:
        codec: whose halves.
        picture: its name and uint8[H, W, 3].
        cbr: asked of the transmitter.
        scenario: the channel, from its beginning on.
        snr_db: Es/N0 for the report; None where the scenario's changes.
        settings: how rounds become bursts, and those samples.
        every_round: whether to look at the estimates before the last; else only the final result has a picture.

    Raises:
        CodecError: the codec cannot send it, or is a bound that no air can carry.
        LinkError: the link cannot carry it.
    """
    if codec.ideal_only:
        raise CodecError(f"{codec.name} is a bound, not something that can be sent")
    name, image = picture
    size, settings = image.shape[:2], settings_of(codec, settings)
    layout = settings.numerology
    began = time.monotonic()
    transmitter = codec.transmitter(cbr)
    payloads = [transmitter.start(image)]
    payloads += further_rounds(transmitter, None, lambda number: True)
    encode_seconds = time.monotonic() - began
    rounds = [
        round_bursts(payload, *size, codec.weights_hash, 0, number, settings) for number, payload in enumerate(payloads)
    ]
    collector = Collector(scenario.name, snr_db, scenario.sample_rate)
    sent = Sent(name, image, codec.name, codec.weights_name, cbr, encode_seconds, began, len(rounds))
    results = collector.sent(0, sent)
    stream = []
    for number, bursts in enumerate(rounds):
        samples = [modulate(burst.header, burst.symbols, layout) for burst in bursts]
        results += collector.on_air(0, number, _on_air(bursts, np.concatenate(samples), layout))
        stream += [*samples, np.zeros(SILENCE_SAMPLES, np.complex64)]
    receiving = ReceivingEnd(codec)
    receiving.pictures.tell = lambda line: remark("link", line)
    arrivals = list(_arrivals(receiving, _through(scenario, stream), layout))
    last = max((i for i, one in enumerate(arrivals) if one.manifest and one.reception), default=0)
    for number, arrival in enumerate(arrivals):
        shown = every_round or number == last
        results += collector.received(0, arrival.round, _received(receiving, arrival, shown))
    yield from results + collector.end(time.monotonic())


def _on_air(bursts: list[Burst], samples: np.ndarray, layout: Numerology) -> OnAir:
    power = samples.real**2 + samples.imag**2
    papr_db = float(10 * np.log10(power.max() / power.mean()))
    analog = sum(burst.header.kind == BurstKind.ANALOG for burst in bursts)
    return OnAir(count_uses([burst.header for burst in bursts], layout), analog, papr_db)


def _through(scenario: Scenario, parts: list[np.ndarray]) -> np.ndarray:
    """Samples complex64[n] as they come out of the channel; each part but silence begins with a burst."""
    lengths = np.array([len(part) for part in parts])
    is_burst = [part.any() for part in parts]
    scenario.reset()
    scenario.mark((np.cumsum(lengths) - lengths)[is_burst].tolist())
    return scenario.process(np.concatenate(parts))


def _arrivals(receiving: ReceivingEnd, samples: np.ndarray, layout: Numerology) -> Iterable[Arrival]:
    demodulator = StreamDemodulator(layout)
    for burst in demodulator.push(samples) + demodulator.flush():
        yield from receiving.burst(burst)
    yield from receiving.flush()


def _received(receiving: ReceivingEnd, arrival: Arrival, shown: bool) -> Received:
    before = time.monotonic()
    image = receiving.pictures.decode(arrival, shown)
    now = time.monotonic()
    insight, grey = receiving.pictures.insight(arrival.transfer), receiving.pictures.shows_grey(arrival.transfer)
    return Received(image, arrival, now - before, now, arrival.side_info_bytes, insight, grey)
