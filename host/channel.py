"""``gr-jscc channel``: a simulated air between two radios."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from gr_jscc.channel import Scenario, load_scenario
from gr_jscc.channel.profiles import taps
from gr_jscc.errors import UserError
from gr_jscc.host import log, options
from gr_jscc.host.console import terminal
from gr_jscc.host.loading import loading
from gr_jscc.host.options import panels
from gr_jscc.host.service import Alive, Metric, metrics_page, notify
from gr_jscc.modem.numerology_file import load_numerology
from gr_jscc.radio import parse_radio

if TYPE_CHECKING:
    from gr_jscc.flowgraphs.channel import ChannelFlowgraph

STATUS_SECONDS = 2.0
POLL_SECONDS = 0.1
PATIENCE_SECONDS = 1.0  # at the end, for a receiver that takes nothing
RADIO = "zmq:tcp://HOST:PORT or file:PATH"


def channel(
    source: Annotated[
        str,
        typer.Option(
            "--from",
            rich_help_panel=panels.RADIO,
            help=f"Where the transmitter's samples come from: {RADIO}.",
            show_default=False,
        ),
    ],
    sink: Annotated[
        str,
        typer.Option(
            "--to",
            rich_help_panel=panels.RADIO,
            help=f"Where the receiver gets its samples: {RADIO}.",
            show_default=False,
        ),
    ],
    back_source: Annotated[
        str,
        typer.Option(
            "--back-from", rich_help_panel=panels.RADIO, help="The same for the other direction.", show_default=False
        ),
    ] = "",
    back_sink: Annotated[
        str,
        typer.Option(
            "--back-to", rich_help_panel=panels.RADIO, help="The same for the other direction.", show_default=False
        ),
    ] = "",
    numerology: options.Numerology = "64",
    scenario: options.Scenario = None,
    snr: options.Snr = 10.0,
    profile: options.Channel = "awgn",
    cfo: options.Cfo = 0.1,
    loss: options.Loss = 0.0,
    seed: Annotated[
        int | None,
        typer.Option(
            rich_help_panel=panels.CHANNEL,
            min=0,
            max=2**31 - 1,
            help="Random seed; default: 1, or the scenario's.",
            show_default=False,
        ),
    ] = None,
    sample_rate: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=panels.RADIO,
            min=1.0,
            max=options.HIGHEST_HZ,
            help="Samples per second, for Hz and seconds in the scenario; default: 1e6, or the scenario's.",
            show_default=False,
        ),
    ] = None,
    pace: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=panels.RADIO,
            min=1.0,
            max=options.HIGHEST_HZ,
            help="Limit in samples per second, as a real radio has; default: as fast as possible.",
        ),
    ] = None,
    json_lines: options.Json = False,
    quiet: options.Quiet = False,
    log_format: options.LogFormat = "text",
    metrics: options.Metrics = "",
) -> None:
    """Simulate the channel between two radios, in one direction or both.

    Transmitter, channel and receiver may start in any order, and each may be restarted. Ends with Ctrl-C or SIGTERM,
    or with the recording that it reads.
    """
    options.check_snr(snr)
    layout = load_numerology(numerology)
    taps(profile)
    routes = [("forward", source, sink)]
    if bool(back_source) != bool(back_sink):
        raise UserError("--back-from and --back-to belong together: give both or neither")
    if back_source:
        routes.append(("back", back_source, back_sink))
    addresses = [address for _, *ends in routes for address in ends]
    for address in addresses:
        parse_radio(address)
    if len({address.partition(":")[2] for address in addresses}) < len(addresses):
        raise UserError("each radio needs its own address")

    tables: dict[str, dict] = {"awgn": {"snr_db": snr}}
    if profile != "awgn":
        tables["multipath"] = {"taps": profile}
    if cfo:
        tables["cfo"] = {"cycles_per_sample": cfo / layout.fft_size}
    if loss:
        tables["loss"] = {"probability": loss}
    airs = [_air(scenario, tables, seed, sample_rate, number) for number in range(len(routes))]

    with loading("GNU Radio"):
        from gr_jscc.flowgraphs.channel import ChannelFlowgraph

    graphs = {name: ChannelFlowgraph(*ends, air, pace, layout) for (name, *ends), air in zip(routes, airs)}
    console = terminal(stderr=True)
    live = console.is_terminal and not json_lines and not quiet and not log.logs_json()
    alive = Alive()
    page = metrics_page(metrics, lambda: _metrics(graphs))
    with (
        page,
        _signals() as stopped,
        console.status("waiting for samples") if live else contextlib.nullcontext() as status,
    ):
        for states in _run(graphs, stopped):
            alive.beat()
            if quiet:
                continue
            if json_lines:
                print(*map(json.dumps, states), sep="\n", flush=True)
            elif live:
                status.update(Text(_text(states)))
    notify("STOPPING=1")
    if log.logs_json():
        log.tell("ended", "info", directions=states)
    elif not json_lines and not quiet:
        terminal().print(_text(states))


def _run(graphs: dict[str, ChannelFlowgraph], stopped: threading.Event) -> Iterator[list[dict]]:
    """Runs the flowgraphs until all have ended or ``stopped`` is set; yields how they do, now and then and at the end.

    Raises:
        Exception: whatever a block failed with.
    """
    began = then = time.monotonic()
    samples = dict.fromkeys(graphs, 0)

    def states() -> list[dict]:
        nonlocal then
        now = time.monotonic()
        found = []
        for name, graph in graphs.items():
            msps = (graph.samples - samples[name]) / (now - then) / 1e6
            samples[name] = graph.samples
            found.append(
                {
                    "direction": name, "seconds": round(now - began, 1), "samples": samples[name],
                    "msps": round(msps, 3), "bursts": {"seen": graph.bursts, "erased": graph.erased},
                }
            )  # fmt: skip
        then = now
        return found

    try:
        for graph in graphs.values():
            graph.start()
        while not stopped.wait(POLL_SECONDS) and not all(graph.ended for graph in graphs.values()):
            if failure := next((graph.failure for graph in graphs.values() if graph.failure is not None), None):
                raise failure
            if time.monotonic() - then >= STATUS_SECONDS:
                yield states()
        last = states()
    finally:
        for graph in graphs.values():
            graph.finish(PATIENCE_SECONDS)
    for graph in graphs.values():
        if graph.failure is not None:
            raise graph.failure
    yield last


def _metrics(graphs: dict[str, ChannelFlowgraph]) -> list[Metric]:
    """The figures for Prometheus."""
    counted = {"samples": "Samples that passed.", "bursts": "Bursts seen.", "erased": "Bursts erased."}
    return [
        Metric(
            f"jscc_channel_{name}",
            what,
            True,
            {(("direction", way),): getattr(graph, name) for way, graph in graphs.items()},
        )
        for name, what in counted.items()
    ]


def _text(states: list[dict]) -> str:
    """One line for a person."""
    parts = []
    for state in states:
        bursts = state["bursts"]
        direction = f"{state['direction']}: " if len(states) > 1 else ""
        parts.append(
            f"{direction}{state['samples'] / 1e6:.1f} M samples, {state['msps']:.2f} Msps, "
            f"{bursts['seen']} bursts, {bursts['erased']} erased"
        )
    return "; ".join(parts)


def _air(
    path: Path | None, tables: dict[str, dict], seed: int | None, sample_rate: float | None, number: int
) -> Scenario:
    """The scenario of direction ``number``, filled up."""
    scenario = load_scenario(path) if path else Scenario()
    scenario.seed = (scenario.seed if seed is None else seed) + number
    scenario.sample_rate = sample_rate or scenario.sample_rate
    scenario.fill(**tables)
    return scenario


@contextlib.contextmanager
def _signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, in place of what they do otherwise."""
    stopped = threading.Event()
    wanted = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stopped.set()) for number in wanted]
    try:
        yield stopped
    finally:
        for number, handler in zip(wanted, before):
            signal.signal(number, handler)
