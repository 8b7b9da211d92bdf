"""Ctrl-C on a receiver with much to do: what is decoded is stored, what waits is counted, and a second one ends it."""

import signal
import subprocess
import sys
import time

import pytest
from test_slow_hosts import SLOW_RECEIVER
from test_two_hosts import interruptible

from gr_jscc.imaging import save_image

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(120)]


@pytest.fixture
def recording(tmp_path, photo):
    """Twelve small pictures on the air."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(12):
        save_image(pictures / f"p{number:02d}.png", photo[10 * number : 10 * number + 64, :96])
    command = [sys.executable, "-m", "gr_jscc.host", "tx", pictures, "--radio", "file:air.sigmf-meta", "--quiet"]
    subprocess.run(command, cwd=tmp_path, check=True)
    return tmp_path


def start(folder, seconds):
    program = SLOW_RECEIVER.format(module="deepjscc.codec", name="_Receiver", seconds=seconds)
    command = [sys.executable, "-c", program, "rx", "--radio", "file:air.sigmf-data", "--out", "out", "--quiet"]
    log = open(folder / "rx.log", "w")
    return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, preexec_fn=interruptible)


def wait_for(folder, word, times):
    end = time.monotonic() + 60
    while (folder / "rx.log").read_text().count(word) < times:
        assert time.monotonic() < end, (folder / "rx.log").read_text()
        time.sleep(0.02)


def test_what_is_decoded_and_in_work_is_stored_and_the_others_are_counted(recording):
    process = start(recording, 0.8)
    wait_for(recording, "decoded", 2)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    text = (recording / "rx.log").read_text()
    decoded = text.count("decoded")
    assert 2 <= decoded <= 4
    assert len(list((recording / "out").glob("*/received.png"))) == decoded
    assert len(list((recording / "out").glob("*/report.json"))) == decoded
    assert f"interrupted: dropped {12 - decoded} rounds" in text and "Traceback" not in text


def test_a_second_one_ends_it_at_once(recording):
    process = start(recording, 20.0)
    wait_for(recording, "slow", 1)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    time.sleep(1.5)
    assert process.poll() is None  # finishes what is in work
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130 and time.monotonic() - began < 10
    assert not list((recording / "out").glob("*/received.png"))
    assert "Traceback" not in (recording / "rx.log").read_text()
