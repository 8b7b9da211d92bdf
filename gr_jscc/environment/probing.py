"""Asking a fresh interpreter of this environment: what crashes, hangs or prints there does no harm here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass

PROBE_SECONDS = 90


@dataclass(frozen=True)
class Probe:
    """What a fresh interpreter said.

    Attributes:
        answer: what the code set ``answer`` to; None when it did not come to that.
        trouble: why not, in one line.
        log: all that it wrote then.

    Example:
        >>> probe("import nothing_of_this_name; answer = 1").trouble
        "ModuleNotFoundError: No module named 'nothing_of_this_name'"
    """

    answer: object = None
    trouble: str = ""
    log: str = ""


def probe(code: str, seconds: float = PROBE_SECONDS) -> Probe:
    """Run `code`, which sets `answer`, in a fresh interpreter of this environment."""
    mark = "gr-jscc-answer:"
    code += f"\nimport json\nprint('\\n{mark}' + json.dumps(answer), flush=True)"
    try:
        # From /, so that nothing in the user's folder is imported by mistake (-P is younger than Python 3.10).
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            cwd="/",
        )
    except subprocess.TimeoutExpired:
        return Probe(trouble=f"no answer in {seconds:.0f} s")
    for line in done.stdout.splitlines():
        if line.startswith(mark):
            return Probe(answer=json.loads(line.removeprefix(mark)))
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    if done.returncode < 0:
        trouble = f"crashes on import (signal {-done.returncode})"
    else:
        trouble = next((line for line in reversed(lines) if re.match(r"[\w.]*(Error|Exception)\b", line)), "")
        trouble = trouble or (lines[-1] if lines else f"exit code {done.returncode}")
    return Probe(trouble=trouble, log=done.stdout + done.stderr)
