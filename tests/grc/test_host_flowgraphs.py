"""The transmitter's and the receiver's flowgraph, as two programs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gr_jscc.ports import free_addresses

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(150)]
DRIVER = Path(__file__).with_name("drive_receiver.py")


@pytest.fixture
def addresses():
    """Two free addresses: the air's and the back-channel's."""
    return free_addresses(2)


@pytest.mark.parametrize("kind", ["zmq", "soapy"])
def test_a_picture_goes_from_flowgraph_to_flowgraph(kind, programs, environment, display, addresses, tmp_path, photo):
    air, back = addresses
    near = far = air
    if kind == "soapy":
        air = f"soapy:driver=jscc,pace=lockstep,air=flowgraphs-{os.getpid()}"
        near, far = f"{air},id=t", f"{air},id=r,loss_db=50"
    receiver = subprocess.Popen(
        [sys.executable, str(DRIVER), str(programs[f"rx_{kind}"]), "window.png", far, back, "out"],
        env=display, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    sender = subprocess.run(
        [sys.executable, str(programs[f"tx_{kind}"]), "--radio", near, "--back", back],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=90,
    )  # fmt: skip
    told = receiver.communicate(timeout=60)[0]
    assert sender.returncode == 0 and receiver.returncode == 0, sender.stdout + sender.stderr + told
    report = json.loads((tmp_path / "out" / "demo" / "report.json").read_text())
    assert report["bursts"]["lost"] == 0 and report["uses"]["air"] > 0
    assert (tmp_path / "out" / "demo" / "received.png").is_file() and (tmp_path / "window.png").is_file()
