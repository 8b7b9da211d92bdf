"""What a program does as a service: tells systemd how it is, and shows figures to Prometheus."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from gr_jscc.errors import UserError
from gr_jscc.ports import host_and_port


@dataclass(frozen=True)
class Metric:
    """A figure of a running program.

    Attributes:
        name: in Prometheus, without the ``_total`` that it adds to counters.
        what: for people.
        counts: whether it only grows.
        values: by labels, (name, value) each; None where it is not known yet.

    Example:
        >>> Metric("jscc_pictures", "Pictures received.", counts=True, values={(): 3}).values[()]
        3
    """

    name: str
    what: str
    counts: bool = False
    values: dict[tuple[tuple[str, str], ...], float | None] = field(default_factory=dict)


@contextlib.contextmanager
def metrics_page(address: str, read: Callable[[], Iterable[Metric]]) -> Iterator[None]:
    """Serves figures as Prometheus reads them, at ``http://ADDRESS/metrics``, while this lasts.

    Args:
        address: ``HOST:PORT``; "" for no page.
        read: the figures as they are; called in a thread of its own whenever the page is asked for.

    Raises:
        UserError: the package prometheus_client is missing, or nothing can listen there.
    """
    if not address:
        yield
        return
    host, port = host_and_port(address) or ("", 0)
    if not host:
        raise UserError(f"--metrics must be HOST:PORT, such as 127.0.0.1:9464, not {address!r}")
    try:
        from prometheus_client import CollectorRegistry, start_http_server
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
        from prometheus_client.registry import Collector
    except ImportError as error:
        raise UserError("--metrics needs a package: pip install 'gr-jscc[metrics]'") from error

    class Figures(Collector):
        def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
            for metric in read():
                known = {labels: value for labels, value in metric.values.items() if value is not None}
                names = [name for name, _ in next(iter(known), ())]
                kind = CounterMetricFamily if metric.counts else GaugeMetricFamily
                family = kind(metric.name, metric.what, labels=names)
                for labels, value in known.items():
                    family.add_metric([text for _, text in labels], value)
                yield family

    registry = CollectorRegistry()
    registry.register(Figures())
    try:
        server, thread = start_http_server(port, host.strip("[]"), registry)
    except OSError as error:
        raise UserError(f"--metrics {address}: {error.strerror or error}") from error
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def notify(state: str) -> None:
    """Tells systemd, where it started this program and wants to know: ``READY=1``, ``WATCHDOG=1``, ``STOPPING=1``.

    The protocol is that of sd_notify(3).
    """
    if place := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, contextlib.suppress(OSError):
            channel.connect("\0" + place[1:] if place.startswith("@") else place)
            channel.send(state.encode())


class Alive:
    """Tells systemd that a program is ready when it has come round once, and from then on that it lives.

    Example:
        >>> alive = Alive()
        >>> alive.beat()
    """

    def __init__(self) -> None:
        self._state = "READY=1"

    def beat(self) -> None:
        """To be called whenever the program comes round."""
        notify(self._state)
        self._state = "WATCHDOG=1"
