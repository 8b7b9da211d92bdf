"""``gr-jscc bench back-channel``: its round trip, and what strangers and cuts of the network do to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import typer

from gr_jscc.benchmarks.back_channel.hostile import hostile
from gr_jscc.benchmarks.back_channel.outage import outage
from gr_jscc.benchmarks.back_channel.round_trips import round_trips
from gr_jscc.figures import Figure
from gr_jscc.host import options
from gr_jscc.host.printing import print_figures

SYMBOLS = 10_000


def back_channel(
    quick: Annotated[
        bool, typer.Option("--quick", help="A tenth of the trials and an outage of 5 s, for a quick look.")
    ] = False,
    seed: options.Seed = 1,
    json_lines: options.Json = False,
) -> None:
    """Measure the back-channel between processes on this machine: latency, hostile messages, an outage."""
    share = 0.1 if quick else 1.0
    parts = [
        lambda: latency(round(2000 * share)),
        lambda: hostility(round(100_000 * share), seed),
        lambda: outages(5.0 if quick else 30.0),
    ]
    print_figures((figure for part in parts for figure in part()), "back-channel", json_lines)


def latency(trips: int) -> Iterator[Figure]:
    """Round trips of symbols as they are fed back, beside the same bytes through bare ZMQ."""
    times = round_trips(trips, SYMBOLS)
    for end, milliseconds in times.items():
        at = {"end": end, "symbols": SYMBOLS, "trips": trips}
        middle, late = np.percentile(milliseconds, [50, 99])
        bars = (3.0, 15.0) if end == "back-channel" else (None, None)
        yield Figure("feedback_round_trip_ms", float(middle), "ms", {**at, "measure": "median"}, most=bars[0])
        yield Figure("feedback_round_trip_ms", float(late), "ms", {**at, "measure": "99th percentile"}, most=bars[1])


def hostility(messages: int, seed: int) -> Iterator[Figure]:
    """Strangers against a live receiver."""
    got = hostile(messages, np.random.default_rng(seed))
    at = {"hostile_messages": messages, "legitimate_messages": got.legitimate}
    yield Figure("messages_lost", got.lost, "messages", at, most=0)
    yield Figure("messages_repeated", got.repeated, "messages", at, most=0)
    yield Figure("memory_growth_mb", got.growth_mb, "MB", {**at, "chain": "back-channel"}, most=10)


def outages(seconds: float) -> Iterator[Figure]:
    """A network that forwards nothing for a while."""
    got = outage(seconds)
    at = {"cut_seconds": seconds, "legitimate_messages": got.legitimate}
    yield Figure("messages_lost", got.lost, "messages", at, most=0)
    yield Figure("messages_repeated", got.repeated, "messages", at, most=0)
    yield Figure("catch_up_seconds", got.catch_up_seconds, "s", at)
