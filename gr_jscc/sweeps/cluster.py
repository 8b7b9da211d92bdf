"""The Dask cluster that a sweep runs on: processes of this machine, or whatever a scheduler has."""

from __future__ import annotations

import contextlib
import logging
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gr_jscc import __version__
from gr_jscc.errors import UserError

if TYPE_CHECKING:
    from distributed import Client, LocalCluster
    from distributed.security import Security

CONNECT_SECONDS = 15
STARTS = 3  # of a local cluster, the most
WORKER_SECONDS = 60  # for the first one to join a scheduler


@contextlib.contextmanager
def local_client(workers: int) -> Iterator[Client]:
    """A cluster of so many processes with one thread each, which ends with the program.

    Raises:
        UserError: workers do not start.
    """
    from distributed import Client

    _hush()
    with _local_cluster(workers) as cluster, Client(cluster) as client:
        client.register_worker_callbacks(_leave_interrupts_to_the_program)
        yield client


def _local_cluster(workers: int, starts: int = STARTS) -> LocalCluster:
    """Dask replaces a worker that ends, but not one that ends while it starts: then all is started again."""
    from distributed import LocalCluster

    try:
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,  # a network's memory comes and goes: nothing to pause or restart workers for
            dashboard_address="127.0.0.1:0",  # Dask always serves its status somewhere: not to others, on any free port
            silence_logs=logging.CRITICAL,
        )
    except RuntimeError as error:
        if starts == 1:
            raise UserError(f"the workers exit during start-up: {_one_line(error)}") from error
    return _local_cluster(workers, starts - 1)


@contextlib.contextmanager
def remote_client(scheduler: str, security: Security | None) -> Iterator[Client]:
    """A cluster that others started: ``dask scheduler``, and ``dask worker`` where gr-jscc is installed.

    Args:
        scheduler: its address.
        security: see `gr_jscc.sweeps.cluster_key.cluster_security`.

    Raises:
        UserError: nobody answers, no worker joins, or workers have another gr-jscc or none.
    """
    from distributed import Client

    _hush()
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False, security=security)
    except (OSError, ValueError, TypeError) as error:  # TypeError: of addresses that Dask cannot take apart
        raise UserError(f"no Dask scheduler at {scheduler}: {_one_line(error)}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError as error:
            raise UserError(f"the scheduler at {scheduler} has no workers: dask worker {scheduler}") from error
        try:
            versions = client.run(version)
        except Exception as error:
            raise UserError(f"a worker cannot run gr-jscc: {_one_line(error)}") from error
        others = {found for found in versions.values() if found != __version__}
        if others:
            raise UserError(f"workers have gr-jscc {', '.join(sorted(others))}, but this is {__version__}")
        yield client


def _leave_interrupts_to_the_program() -> None:
    """Ctrl-C goes to all processes of a terminal; the program ends its workers itself, in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def version() -> str:
    """Of gr-jscc where this runs."""
    return __version__


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _hush() -> None:
    """Dask's remarks about connections that end are no news: what matters comes as exceptions."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
