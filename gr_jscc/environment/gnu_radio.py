"""Checks of GNU Radio and of what comes with it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from gr_jscc.environment import probing
from gr_jscc.environment.check import Check
from gr_jscc.environment.system_imports import explain_system_import


def check_gnuradio() -> Check:
    needed_for = "flowgraphs, radios"
    probe = probing.probe("from gnuradio import gr, blocks, digital\nanswer = gr.version()")
    if probe.answer is not None:
        return Check("gnuradio", True, str(probe.answer), needed_for)
    return Check("gnuradio", False, *explain_system_import("gnuradio", "gnuradio", probe, needed_for))


def check_pmt() -> Check:
    needed_for = "messages between GNU Radio blocks"
    # The `pmt` on PyPI is something else; only GNU Radio's has intern().
    probe = probing.probe("import pmt\nanswer = pmt.__file__ if hasattr(pmt, 'intern') else ''")
    if probe.answer:
        return Check("pmt", True, str(Path(probe.answer).parent), needed_for)
    if probe.answer == "":
        remedy = f"{shlex.quote(sys.executable)} -m pip uninstall -y pmt"
        return Check("pmt", False, "an unrelated package called pmt hides GNU Radio's", needed_for, remedy)
    return Check("pmt", False, *explain_system_import("pmt", "gnuradio", probe, needed_for))
