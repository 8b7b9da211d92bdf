"""duel.grc as a person sees it: the learned picture gets softer, the digital one freezes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.gnuradio, pytest.mark.gui]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_below_its_threshold_only_the_digital_side_freezes(tmp_path, display, programs):
    run = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("drive_duel.py")), str(programs["duel"]), str(tmp_path)],
        env=display,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    clear, noisy, failures = (json.loads(line) for line in run.stdout.splitlines() if line.startswith("["))
    assert failures == ["None", "None"]
    learned, digital = clear
    assert learned["frozen"] == digital["frozen"] == 0
    assert learned["psnr_db"] > 28 and digital["psnr_db"] > 30
    # Both are held to the same total, and one noise is measured by both.
    assert learned["cbr"] <= 1 / 12 and 0.9 * learned["cbr"] < digital["cbr"] <= 1 / 12
    assert learned["snr_db"] == pytest.approx(digital["snr_db"], abs=0.5)
    learned, digital = noisy
    assert learned["frozen"] == 0 and learned["psnr_db"] > 22
    assert digital["frozen"] >= 1 and digital["lost"] >= 1
    assert (tmp_path / "duel-15dB.png").is_file() and (tmp_path / "duel-0dB.png").is_file()
