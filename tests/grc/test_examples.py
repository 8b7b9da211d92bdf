"""The example flowgraphs run to their end and do what they say."""

import subprocess
import sys

import numpy as np
import pytest
from companion import REPOSITORY, grcc

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(120)]

EXAMPLES = REPOSITORY / "flowgraphs" / "examples"


def run(name, folder, environment, *arguments):
    program = grcc(EXAMPLES / f"{name}.grc", folder, environment)
    done = subprocess.run(
        [sys.executable, str(program), *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_tone_comes_out_of_a_bad_radio_with_its_image(tmp_path, environment):
    run("impairments", tmp_path, environment, "--out", "tone.cfile")
    samples = np.fromfile(tmp_path / "tone.cfile", np.complex64)
    assert len(samples) == 1_000_000
    spectrum = np.abs(np.fft.fft(samples.reshape(-1, 1000), axis=1)) ** 2
    power_db = 10 * np.log10(spectrum.mean(axis=0))
    assert power_db[125] - power_db[-125] == pytest.approx(22.9, abs=0.3)  # 1 dB and 5 degrees
    assert power_db[125] - power_db[0] == pytest.approx(30.5, abs=0.2)  # the Q arm lifts the tone by 0.5 dB
    step = (52 / 64) ** 0.5 * 10 ** (12 / 20) / 2**7  # of 8 bits, 12 dB of headroom
    floor = spectrum[:, 300:700].mean() / 1000  # far from the tone, phase noise is below the rest
    assert 10 * np.log10(floor / (1e-4 + 2 * step**2 / 12)) == pytest.approx(0, abs=0.5)
