"""What this machine has, what it lacks, and the command that mends it: the checks behind ``gr-jscc doctor``.

Everything that could crash, hang or print (GNU Radio, Qt, PyTorch) is imported in a process of its own, so a broken
installation ends in a line of the table and not in a traceback. This package imports neither GNU Radio nor PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from gr_jscc.environment import gnu_radio, installed, python_packages, radios, weights, windows
from gr_jscc.environment.check import Check

__all__ = ["Check", "run_checks"]


def run_checks() -> list[Check]:
    """All checks, in the order to show them. Takes some seconds; never raises for what it finds."""
    probes: list[Callable[[], Check | list[Check]]] = [
        python_packages.check_python,
        python_packages.check_dependencies,
        python_packages.check_torch,
        gnu_radio.check_gnuradio,
        gnu_radio.check_pmt,
        python_packages.check_numpy,
        windows.check_qt,
        radios.check_soapy,
        radios.check_soapy_drivers,
        radios.check_uhd_images,
        radios.check_virtual_radio,
        windows.check_companion,
        windows.check_blocks,
        windows.check_xvfb,
        weights.check_weights,
    ]
    with ThreadPoolExecutor(max_workers=4) as pool:
        results = list(pool.map(_guarded, probes))
    return [check for result in results for check in (result if isinstance(result, list) else [result])]


def _guarded(probe: Callable[[], Check | list[Check]]) -> Check | list[Check]:
    try:
        return probe()
    except Exception as error:  # a doctor must not fall ill
        name = probe.__name__.removeprefix("check_")
        found = " ".join(f"the check itself failed: {type(error).__name__}: {error}".split())
        return Check(name, False, found, "gr-jscc doctor", installed.again())
