"""The window for setting levels by hand: what the sliders do, and that bursts arrive."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.gnuradio, pytest.mark.gui, pytest.mark.slow, pytest.mark.timeout(120)]
DRIVER = Path(__file__).with_name("drive_calibrate.py")


def test_levels_follow_the_sliders_and_bursts_arrive(programs, display, tmp_path):
    run = subprocess.run(
        [sys.executable, str(DRIVER), str(programs["calibrate"]), "window.png"],
        env=display, cwd=tmp_path, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    *levels, symbols, end = (json.loads(line) for line in run.stdout.splitlines() if line.startswith("{"))
    assert len(levels) == 3 and end == {"failures": []}
    assert symbols["symbols_of_tones"] == 0 < symbols["symbols_of_bursts"]
    assert (tmp_path / "window.png").stat().st_size > 10_000
