"""Two hosts on slow machines and slow air: each picture arrives once, and nothing of it is sent twice."""

import json
import subprocess
import sys
import time

import pytest
from test_two_hosts import Programs, interruptible

from gr_jscc.imaging import save_image

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(180)]

SLOW_RECEIVER = """
import sys, time
from gr_jscc.codecs.{module} import {name} as Receiver
push = Receiver.push

def slow(self, reception):
    print("slow", file=sys.stderr, flush=True)
    time.sleep({seconds})
    picture = push(self, reception)
    print("decoded", file=sys.stderr, flush=True)
    return picture

Receiver.push = slow
from gr_jscc.host.main import main
main(sys.argv[1:])
"""


@pytest.fixture
def programs(tmp_path, photo):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(2):
        top, left = 40 * number, 60 * number
        save_image(pictures / f"p{number}.png", photo[top : top + 128, left : left + 192])
    made = Programs(tmp_path, pictures)
    yield made
    made.close()


def check_once(programs):
    reports = programs.check_complete()
    assert [report["bursts"]["repeated"] for report in reports] == [0] * len(reports)
    assert [report["bursts"]["lost"] for report in reports] == [0] * len(reports)
    told = [json.loads(line) for line in (programs.folder / "tx.log").read_text().splitlines() if line[0] == "{"]
    first = told[0]["transfer"]
    assert [(line["event"], line["transfer"] - first) for line in told] == [
        ("stored", number) for number in range(len(reports))
    ]
    return reports


def start_slow_receiver(programs, module, name, seconds, *more):
    program = SLOW_RECEIVER.format(module=module, name=name, seconds=seconds)
    command = [
        sys.executable, "-c", program, "rx", "--radio", f"zmq:{programs.near}", "--out", "out", "--originals",
        programs.pictures, "--json", *more,
    ]  # fmt: skip
    log = open(programs.folder / "rx.log", "a")
    programs.running["rx"] = subprocess.Popen(
        [str(part) for part in command], stdout=log, stderr=log, cwd=programs.folder, preexec_fn=interruptible
    )


@pytest.mark.parametrize("pace", ["20000", "10000000"])
def test_on_clean_air_nothing_is_repeated_at_any_pace(programs, pace):
    programs.channel("--pace", pace)
    programs.rx()
    programs.tx()
    programs.wait("tx")
    programs.wait("rx")
    check_once(programs)


def test_a_receiver_whose_decoder_takes_long_is_waited_for(programs):
    codec, rounds = "successive-multiple", 2
    for path in sorted(programs.pictures.iterdir())[1:]:
        path.unlink()
    more = "--back-channel", programs.back, "--once", "--codec", codec
    start_slow_receiver(programs, "successive.codec", "JointReceiver", 13, *more)  # longer than anything else waits
    programs.tx("--codec", codec, "--cbr", f"{rounds}/12")  # a layer is 1/12
    programs.wait("tx")
    programs.wait("rx")
    text = (programs.folder / "rx.log").read_text()
    assert text.count("slow") == rounds
    for path in (programs.folder / "out").rglob("estimate-*"):
        path.unlink()
    (report,) = check_once(programs)
    assert [r["round"] for r in report["rounds"]] == list(range(rounds))
    assert report["bursts"]["received"] == report["bursts"]["sent"]


def test_a_receiver_that_ends_when_idle_is_not_idle_while_it_decodes(programs):
    """And what it decoded last is told, too."""
    log = programs.folder / "tx.log"
    programs.start("tx", programs.pictures, "--radio", f"zmq:{programs.near}", "--json")
    end = time.monotonic() + 100
    while not log.exists() or log.read_text().count("sent") < 2:
        assert time.monotonic() < end, programs.logs()
        time.sleep(0.1)
    start_slow_receiver(programs, "deepjscc.codec", "_Receiver", 5, "--idle", "3")
    programs.wait("tx")
    programs.wait("rx")
    lines = [line for line in (programs.folder / "rx.log").read_text().splitlines() if line not in ("slow", "decoded")]
    told = [json.loads(line) for line in lines]
    assert [report["bursts"]["received"] for report in told[:-1]] == [3, 3] and told[-1]["images"] == 2
