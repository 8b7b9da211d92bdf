"""Transmitters that share the air, or follow each other: every receiver stores what it should, once, and unmixed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import zmq
from test_two_hosts import interruptible

from gr_jscc.imaging import load_image, save_image
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.ports import free_addresses

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(180)]
GAP = 64  # samples without a signal between two trains; the transmitters here have no noise
NOISE = 10 ** (-15 / 20)


def start(folder, name, *arguments):
    log = open(folder / f"{name}.log", "a")
    command = [sys.executable, "-m", "gr_jscc.host", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder, preexec_fn=interruptible)


class Air(threading.Thread):
    """One air for several transmitters, in turns, whose noisy samples all receivers get.

    A turn ends where a transmitter pauses. Their samples cross in ZMQ messages, as those of GNU Radio's own blocks do.
    """

    def __init__(self, near, far):
        super().__init__(daemon=True)
        self.near, self.far = near, far
        self.ended = threading.Event()
        self.turns = []

    def run(self):
        context = zmq.Context()
        sources = [context.socket(zmq.PULL) for _ in self.near]
        sinks = [context.socket(zmq.PUSH) for _ in self.far]
        for source, address in zip(sources, self.near):
            source.connect(address)
        for sink, address in zip(sinks, self.far):
            sink.setsockopt(zmq.SNDTIMEO, 1000)
            sink.bind(address)
        for source in sources:
            source.poll(60_000)  # nobody is done before the others have begun
        rng = np.random.default_rng(1)
        turn, quiet = 0, 0
        while not self.ended.is_set():
            if not sources[turn].poll(20):
                if quiet >= GAP or not self.turns:
                    turn, quiet = (turn + 1) % len(sources), GAP
                continue
            samples = np.frombuffer(sources[turn].recv(), np.complex64)
            if not self.turns or self.turns[-1] != turn:
                self.turns.append(turn)
            sounding = np.flatnonzero(samples)
            quiet = quiet + len(samples) if not len(sounding) else len(samples) - 1 - sounding[-1]
            noise = rng.standard_normal((len(samples), 2), np.float32).view(np.complex64)[:, 0] * NOISE / np.sqrt(2)
            for sink in sinks:
                with contextlib.suppress(zmq.Again):  # a receiver that has all has left
                    sink.send((samples + noise).astype(np.complex64).tobytes())
            if quiet >= GAP:
                turn, quiet = (turn + 1) % len(sources), GAP
        context.destroy(linger=0)


def test_two_transmitters_on_one_air(tmp_path, photo):
    near, far, back = free_addresses(2), free_addresses(2), free_addresses(2)
    air = Air(near, far)
    processes = []
    for number in range(2):
        pictures = tmp_path / f"pictures{number}"
        pictures.mkdir()
        for place in range(3):
            top, left = 40 * place + 200 * number, 60 * place
            save_image(pictures / f"p{place}.png", photo[top : top + 128, left : left + 192])
        processes.append(start(
            tmp_path, f"rx{number}", "rx", "--radio", f"zmq:{far[number]}", "--back-channel", back[number], "--out",
            f"out{number}", "--originals", pictures, "--once", "--json",
        ))  # fmt: skip
        processes.append(start(
            tmp_path, f"tx{number}", "tx", pictures, "--radio", f"zmq:{near[number]}", "--back-channel", back[number],
            "--json", "--in-flight", 1,
        ))  # fmt: skip
    air.start()
    try:
        codes = [process.wait(120) for process in processes]
    finally:
        air.ended.set()
        for process in processes:
            process.kill()
    text = "\n".join(path.read_text() for path in sorted(tmp_path.glob("*.log")))
    assert codes == [0] * 4, text
    assert len(air.turns) >= 4  # they did take turns
    for number in range(2):
        for place in range(3):
            sent = load_image(tmp_path / f"pictures{number}" / f"p{place}.png")
            received = load_image(tmp_path / f"out{number}" / f"p{place}" / "received.png")
            assert psnr_db(sent, received) > 27, text
        assert len(list((tmp_path / f"out{number}").iterdir())) == 3
        lines = (tmp_path / f"rx{number}.log").read_text().splitlines()
        (strangers,) = [json.loads(line)["strangers"] for line in lines if '"strangers"' in line]
        assert len(strangers) == 1 and sum(strangers.values()) >= 3
        assert "another transmitter is on the air" in text


@pytest.mark.parametrize("with_back_channel", [False, True])
def test_three_runs_of_tx_to_one_rx(tmp_path, photo, with_back_channel):
    """As somebody does who sends one picture after the other."""
    near, back = free_addresses(2)
    joined = ["--back-channel", back] if with_back_channel else []
    receiver = start(tmp_path, "rx", "rx", "--radio", f"zmq:{near}", "--out", "out", "--json", *joined)
    try:
        for number in range(3):
            picture = tmp_path / f"p{number}.png"
            save_image(picture, photo[60 * number : 60 * number + 128, :192])
            sender = start(tmp_path, "tx", "tx", picture, "--radio", f"zmq:{near}", "--json", *joined)
            assert sender.wait(100) == 0, (tmp_path / "tx.log").read_text()
        receiver.send_signal(signal.SIGINT)
        assert receiver.wait(60) == 130
    finally:
        receiver.kill()
    stored = [load_image(path) for path in (tmp_path / "out").glob("*/received.png")]
    assert len(stored) == 3, (tmp_path / "rx.log").read_text()
    for number in range(3):
        sent = load_image(tmp_path / f"p{number}.png")
        assert sum(psnr_db(sent, received) > 27 for received in stored) == 1
