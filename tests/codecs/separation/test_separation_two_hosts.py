"""The digital baseline between two hosts: transmitter, air and receiver are three processes."""

import json
import os
import subprocess
import sys

import pytest

from gr_jscc.imaging import save_image
from gr_jscc.ports import free_addresses

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(180)]
PATIENCE = 120  # seconds, for a run of a few


@pytest.fixture
def start(tmp_path):
    """Starts ``gr-jscc`` programs in a folder of their own; returns the process, whose output is in NAME.log."""
    running = []

    def run(name, *arguments):
        log = open(tmp_path / f"{name}.log", "w")
        command = [sys.executable, "-m", "gr_jscc.host", name, *map(str, arguments)]
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"}
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.wait()


def test_pictures_arrive_whole_though_bursts_are_lost(start, tmp_path, photo):
    pictures = tmp_path / "pictures"
    for number in range(3):
        save_image(pictures / f"p{number}.png", photo[100 : 196 + number, 60 * number : 60 * number + 144])
    near, far, back = free_addresses(3)
    codec = ["--codec", "separation", "--weights", "hevc:10dB"]
    start("channel", "--from", f"zmq:{near}", "--to", f"zmq:{far}", "--snr", 11, "--loss", 0.15, "--quiet")
    rx = start(
        "rx", *codec, "--radio", f"zmq:{far}", "--back-channel", back, "--out", "out", "--originals", pictures,
        "--once", "--json",
    )  # fmt: skip
    tx = start(
        "tx", pictures, *codec, "--radio", f"zmq:{near}", "--back-channel", back, "--repeats", 8, "--cbr", "1/6",
        "--json",
    )  # fmt: skip
    logs = lambda: "\n".join(path.read_text() for path in tmp_path.glob("*.log"))  # noqa: E731
    assert tx.wait(PATIENCE) == 0, logs()
    assert rx.wait(PATIENCE) == 0, logs()
    reports = [json.loads(path.read_text()) for path in sorted((tmp_path / "out").glob("*/report.json"))]
    assert [report["image"]["name"] for report in reports] == ["p0.png", "p1.png", "p2.png"], logs()
    for report in reports:
        assert report["weights"] == "hevc:ldpc-2/3:16qam" and report["bursts"]["lost"] == 0
        assert report["psnr_db"] > 29
