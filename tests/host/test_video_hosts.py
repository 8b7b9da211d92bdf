"""gr-jscc tx, channel and rx with frames: the newest first, and a film of what came."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from gr_jscc.host.main import main
from gr_jscc.modem import BurstKind, StreamDemodulator
from gr_jscc.ports import free_addresses
from gr_jscc.video.frames import FrameForm
from gr_jscc.video.pattern import read_number
from gr_jscc.video.sources import Source

CODEC = ["--codec", "separation", "--weights", "jpeg:ldpc-1/2:qpsk"]
PATIENCE = 90


def interruptible():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def program(folder, name, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "gr_jscc.host", name, *arguments], text=True, cwd=folder, preexec_fn=interruptible,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.gnuradio
@pytest.mark.timeout(180)
def test_frames_cross_three_programs_and_ctrl_c_leaves_a_whole_film(tmp_path):
    near, far = free_addresses(2)
    back = ["--back-channel", *free_addresses(1)]
    film = ["--film", "film.mp4", "--fps", "20", "--json"]
    receiver = program(tmp_path, "rx", "--radio", f"zmq:{far}", *film, *back, *CODEC)
    air = program(tmp_path, "channel", "--from", f"zmq:{near}", "--to", f"zmq:{far}", "--snr", "12", "--quiet")
    sender = program(
        tmp_path, "tx", "--radio", f"zmq:{near}", "--test-pattern", "--size", "160x120", "--fps", "30", "--cbr", "1/6",
        "--json", "--adapt", *back, *CODEC,
    )  # fmt: skip
    try:
        came = [json.loads(receiver.stdout.readline()) for _ in range(4)]
        time.sleep(2)  # some of the film, and some words over the back-channel
        receiver.send_signal(signal.SIGINT)
        out, errors = receiver.communicate(timeout=PATIENCE)
        sender.send_signal(signal.SIGINT)
        air.send_signal(signal.SIGINT)
        sent, _ = sender.communicate(timeout=PATIENCE)
        air.communicate(timeout=PATIENCE)
    finally:
        for each in (receiver, air, sender):
            each.kill()
    assert [row["event"] for row in came] == ["frame"] * 4
    assert all(row["age_ms"] is not None for row in came)
    assert receiver.returncode == 130 and "Traceback" not in errors
    summary, told = rows(out)[-1], rows(sent)[-1]
    assert summary["frames"] >= 4 and summary["latency_95_ms"] >= summary["latency_ms"]
    assert told["frames"] >= summary["frames"] and told["dropped"] >= 0
    assert told["cbr_from"] < told["cbr_to"] == pytest.approx(1 / 6, abs=1e-5)  # 12 dB, not 10
    assert {path.name for path in tmp_path.iterdir()} == {"film.mp4"}
    film = list(Source("video", str(tmp_path / "film.mp4")).frames(FrameForm(20, 160, 120)))
    assert len(film) >= 2
    assert all(read_number(frame.image) is not None for frame in film)


def first_frame(receiver):
    """What a receiver tells of the first frame that it shows."""
    while (row := json.loads(receiver.stdout.readline()))["event"] != "frame":
        pass
    return row


@pytest.mark.gnuradio
@pytest.mark.timeout(180)
def test_receivers_at_three_snrs_see_one_transmission_also_those_that_join_in_mid_stream(tmp_path):
    codec, snrs_db = ["--codec", "deepjscc", "--precision", "bf16", "--json"], [3, 9, 18]
    near, *far = (f"zmq-pub:{place}" for place in free_addresses(1 + len(snrs_db)))  # what nobody takes is gone
    sender = program(tmp_path, "tx", "--radio", near, "--test-pattern", "--size", "160x120", "--fps", "4", *codec)
    running, receivers, seen = [sender], [], []
    for snr_db, place in zip(snrs_db, far):
        running.append(program(tmp_path, "channel", "--from", near, "--to", place, "--snr", str(snr_db), "--quiet"))
    try:
        for place in far:
            receivers.append(program(tmp_path, "rx", "--radio", place, "--page", "0", *codec))
            if len(receivers) == 1:  # the others join when it has seen some
                seen.append(first_frame(receivers[0]))
        seen += map(first_frame, receivers[1:])
        for each in receivers:
            each.send_signal(signal.SIGINT)
        told = [each.communicate(timeout=PATIENCE) for each in receivers]
    finally:
        for each in [*running, *receivers]:
            each.kill()
    assert all(each.returncode == 130 for each in receivers)
    assert not any("Traceback" in errors for _, errors in told)
    assert [row["snr_db"] for row in seen] == pytest.approx(snrs_db, abs=1)
    assert max(rows(out)[-1]["first_s"] for out, _ in told[1:]) <= 2.0


@pytest.mark.gnuradio
def test_frames_fill_the_air_that_they_have_and_all_of_them_leave(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        main([
            "tx", "--test-pattern", "--size", "160x120", "--fps", "5", "--seconds", "1", "--cbr", "air", "--json",
            "--radio", f"file:{tmp_path}/air.cf32", "--sample-rate", "1e5", *CODEC,
        ])  # fmt: skip
    assert left.value.code == 0
    told = rows(capsys.readouterr().out)[-1]
    samples = np.fromfile(tmp_path / "air.cf32", np.complex64)
    assert len(samples) == told["frames"] * 20_000
    demodulator = StreamDemodulator()
    bursts = demodulator.push(np.append(samples, np.zeros(100_000, np.complex64))) + demodulator.flush()
    missing = {}
    for header in (burst.header for burst in bursts if burst.header.kind == BurstKind.ANALOG):
        missing.setdefault(header.transfer, set(range(header.count))).discard(header.index)
    assert list(missing.values()) == [set()] * told["frames"]
    assert np.mean(samples != 0) > 0.6  # the rest is what steps of the codec's rate leave


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["tx"], "give images to send, or one source of frames"),
        (["tx", "photo.png", "--test-pattern"], "give images to send, or one source of frames"),
        (["tx", "--test-pattern", "--screen"], "--screen and --test-pattern are two sources: give one"),
        (["tx", "--test-pattern", "--size", "big"], "a size must be WIDTHxHEIGHT"),
        (
            ["tx", "--test-pattern", "--back-channel", "tcp://127.0.0.1:1"],
            "frames need --adapt with --back-channel",
        ),
        (["tx", "--test-pattern", "--adapt"], "--adapt, --side-info back-channel and --burst-symbols auto need"),
        (
            ["tx", "--test-pattern", "--cbr", "air", "--adapt", "--back-channel", "tcp://127.0.0.1:1"],
            "without --cbr air and --cbr-max",
        ),
        (["tx", "--test-pattern", "--cbr", "1/4"], "supports a CBR from 1/48 to 1/6"),
        (["tx", "photo.png", "--cbr", "air"], "--cbr air is for frames"),
        (["tx", "--test-pattern", "--cbr", "air", "--sample-rate", "5e3"], "a frame has 500 samples of air, less than"),
        (["rx", "--page", "here"], "--page must be a port or HOST:PORT, such as 8000, not 'here'"),
        (["rx", "--film", "film.gif"], "film.gif: a film's name ends in .mp4 or .webp"),
        (["rx", "--film", "film.mp4", "--record", "air"], "--film and --page receive frames"),
    ],
)
@pytest.mark.gnuradio
def test_what_cannot_be_is_one_line(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main([*arguments, "--radio", "zmq:tcp://127.0.0.1:1"])
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
