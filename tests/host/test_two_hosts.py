"""gr-jscc tx, channel and rx as processes: nothing is lost for good, whoever is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gr_jscc.benchmarks.back_channel.outage import Cable
from gr_jscc.host.main import main
from gr_jscc.imaging import load_image, save_image
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.modem.numerology_file import load_numerology
from gr_jscc.ports import free_addresses

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(180)]
PATIENCE = 100  # seconds, for a run of a few


def interruptible():
    """A process that a shell started in the background ignores Ctrl-C, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Programs:
    """The three programs on free ports of this machine."""

    def __init__(self, folder, pictures):
        self.folder, self.pictures = folder, pictures
        self.running = {}
        self.near, self.far, self.back = free_addresses(3)

    def start(self, name, *arguments):
        log = open(self.folder / f"{name}.log", "a")
        command = [sys.executable, "-m", "gr_jscc.host", name, *map(str, arguments)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        self.running[name] = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, cwd=self.folder, preexec_fn=interruptible
        )

    def tx(self, *more, radio=None):
        radio = radio or f"zmq:{self.near}"
        self.start("tx", self.pictures, "--radio", radio, "--back-channel", self.back, "--json", *more)

    def rx(self, *more):
        self.start(
            "rx", "--radio", f"zmq:{self.far}", "--back-channel", self.back, "--out", "out",
            "--originals", self.pictures, "--once", "--json", *more,
        )  # fmt: skip

    def channel(self, *more):
        self.start("channel", "--from", f"zmq:{self.near}", "--to", f"zmq:{self.far}", "--snr", "12", "--quiet", *more)

    def kill(self, name):
        process = self.running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def wait(self, name, code=0):
        process = self.running.pop(name)
        try:
            got = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            got = "never"
        assert got == code, f"{name} ended {got}:\n" + self.logs()

    def logs(self):
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self.folder.glob("*.log")))

    def wait_for_reports(self, count):
        end = time.monotonic() + PATIENCE
        while len(self.reports()) < count:
            assert time.monotonic() < end, self.logs()
            time.sleep(0.05)

    def reports(self):
        return [json.loads(path.read_text()) for path in sorted((self.folder / "out").glob("*/report.json"))]

    def check_complete(self):
        """Every picture once, whole, and nothing half-written."""
        reports = self.reports()
        names = sorted(report["image"]["name"] for report in reports)
        assert names == sorted(path.name for path in self.pictures.iterdir()), self.logs()
        for report in reports:
            stem = report["image"]["name"].removesuffix(".png")
            picture = load_image(self.folder / "out" / stem / "received.png")
            assert picture.shape == load_image(self.pictures / f"{stem}.png").shape
        left = {path.name for path in (self.folder / "out").rglob("*") if path.is_file()}
        assert left == {"received.png", "report.json"}
        return reports

    def close(self):
        for process in self.running.values():
            process.kill()
            process.wait()


@pytest.fixture
def programs(tmp_path, photo):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(8):
        top, left = 40 * number, 60 * number
        save_image(pictures / f"p{number}.png", photo[top : top + 128, left : left + 192])
    made = Programs(tmp_path, pictures)
    yield made
    made.close()


def mean_psnr(reports):
    return float(np.mean([report["psnr_db"] for report in reports]))


def test_lost_bursts_cost_little_when_they_are_repeated(programs):
    programs.channel("--loss", "0.2")
    programs.rx()
    programs.tx("--repeats", "6")
    programs.wait("tx")
    programs.wait("rx")
    reports = programs.check_complete()
    assert all(report["bursts"]["lost"] == 0 for report in reports)
    assert sum(report["bursts"]["repeated"] for report in reports) > 0
    assert mean_psnr(reports) > 27.5
    told = [json.loads(line) for line in (programs.folder / "tx.log").read_text().splitlines()]
    assert [line["state"] for line in told] == ["arrived"] * 8
    assert {line["name"]: line["psnr_db"] for line in told} == {r["image"]["name"]: r["psnr_db"] for r in reports}


@pytest.mark.parametrize("victim", ["rx", "tx", "channel"])
def test_whoever_is_killed_the_run_ends_complete(programs, victim):
    slow = "--pace", "250000"  # so that it is killed in mid-run
    patient = "--patience", "90"  # for one that starts slowly on a busy machine
    programs.rx()
    programs.tx(*patient)
    programs.channel(*slow)
    programs.wait_for_reports(2)
    programs.kill(victim)
    assert len(programs.reports()) < 8
    getattr(programs, victim)(*{"channel": slow, "tx": patient, "rx": ()}[victim])
    programs.wait("tx")
    programs.wait("rx")
    programs.check_complete()


def test_a_command_that_was_complete_sends_nothing_twice_unless_asked(programs):
    programs.channel()
    programs.rx()
    programs.tx()
    programs.wait("tx")
    programs.wait("rx")
    programs.rx()
    programs.tx()
    programs.wait("tx")
    programs.wait("rx")
    programs.check_complete()
    assert "the receiver already had 8 of 8 images" in (programs.folder / "tx.log").read_text()
    programs.rx()
    programs.tx("--again")
    programs.wait("tx")
    programs.wait("rx")
    assert len(programs.reports()) == 16


def test_other_weights_at_the_other_end_are_refused_in_a_line(programs, tmp_path):
    from safetensors import safe_open
    from safetensors.numpy import save_file

    import gr_jscc.weights

    path = Path(gr_jscc.weights.__file__).with_name("deepjscc-photo.safetensors")
    with safe_open(path, "np") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    first = next(iter(tensors))
    tensors[first] = tensors[first] + np.asarray(0.01, tensors[first].dtype)
    save_file(tensors, tmp_path / "other.safetensors", metadata)
    programs.channel()
    programs.rx()
    programs.tx("--weights", tmp_path / "other.safetensors")
    programs.wait("tx", 2)
    (line,) = (programs.folder / "tx.log").read_text().splitlines()
    assert line.startswith("gr-jscc: ") and "weights" in line
    assert programs.reports() == []


@pytest.fixture
def own_numerology(programs):
    path = programs.folder / "mine.toml"
    path.write_text("fft_size = 128\ncp_len = 12\nused = 100\n")
    return path


def test_another_numerology_is_refused_in_a_line_at_both_ends(programs, own_numerology):
    programs.channel("--numerology", own_numerology)
    programs.rx("--numerology", "128-cp16")
    programs.tx("--numerology", own_numerology)
    programs.wait("tx", 2)
    line = (
        f"gr-jscc: the transmitter uses numerology {load_numerology(own_numerology).description}, "
        "the receiver 128-cp16 (FFT size 128, cyclic prefix 16, 96 data and 8 pilot carriers)"
    )
    assert (programs.folder / "tx.log").read_text() == f"{line}\n"
    assert line.removeprefix("gr-jscc: ") in (programs.folder / "rx.log").read_text()
    assert programs.reports() == []


def test_a_numerology_of_ones_own_crosses_is_recorded_and_replayed(programs, own_numerology):
    for number in range(3, 8):  # a few will do
        (programs.pictures / f"p{number}.png").unlink()
    own = "--numerology", own_numerology
    programs.channel("--loss", "0.2", *own)  # whose bursts it finds to lose them
    programs.rx("--record", "air", *own)
    programs.tx("--repeats", "6", "--burst-symbols", "600", *own)
    programs.wait("tx")
    programs.wait("rx")
    reports = programs.check_complete()
    assert all(report["bursts"]["sent"] >= 10 for report in reports)  # 6144 symbols each, and what is repeated
    assert sum(report["bursts"]["repeated"] for report in reports) > 0 and mean_psnr(reports) > 27
    own_numerology.unlink()  # the recording has it
    programs.start("replay", "air", "--out", "again")
    programs.wait("replay")
    assert "3 of 3 pictures identical to the live run" in (programs.folder / "replay.log").read_text()


def test_a_recording_is_received_without_a_back_channel(programs):
    radio = f"file:{programs.folder / 'air.cf32'}"
    programs.start("tx", programs.pictures, "--radio", radio, "--json")
    programs.wait("tx")
    programs.start("rx", "--radio", radio, "--out", "out", "--json")
    programs.wait("rx")
    reports = programs.reports()
    assert len(reports) == 8 and all(report["bursts"]["lost"] == 0 for report in reports)
    assert all(report["image"]["name"].startswith("transfer-") for report in reports)
    other = ["--codec", "successive-single", "--weights", "successive-photo"]
    programs.start("rx", "--radio", radio, "--out", "other", *other)
    programs.wait("rx")
    assert "--codec and --weights" in (programs.folder / "rx.log").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["tx", "PICTURE", "--radio", "smoke:signals"],
        ["tx", "PICTURE", "--radio", "zmq:tcp://127.0.0.1:6999", "--back-channel", "127.0.0.1"],
        ["tx", "PICTURE", "--radio", "zmq:tcp://127.0.0.1:6999", "--back-channel", "tcp://192.0.2.1:1"],
        ["tx", "PICTURE", "--radio", "zmq:tcp://127.0.0.1:6999", "--adapt"],
        ["tx", "PICTURE", "--radio", "file:x", "--side-info", "pigeon", "--back-channel", "tcp://127.0.0.1:6998"],
        ["tx", "PICTURE", "--radio", "file:x", "--keys", "nowhere", "--back-channel", "tcp://127.0.0.1:6998"],
        ["tx", "nothing.png", "--radio", "file:x"],
        ["tx", "PICTURE", "--radio", "file:x", "--numerology", "65"],
        ["rx", "--radio", "file:x", "--numerology", "PICTURE"],
        ["rx", "--radio", "file:nothing.cf32"],
        ["rx", "--radio", "zmq:tcp://127.0.0.1:6999", "--feedback", "int3"],
        ["rx", "--radio", "zmq:tcp://127.0.0.1:6999", "--originals", "nothing"],
        ["rx", "--radio", "zmq:tcp://127.0.0.1:6999", "--out", "PICTURE/sub"],
        ["rx"],
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, tmp_path, photo, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_image(tmp_path / "p.png", photo[:64, :64])
    with pytest.raises(SystemExit) as exit_:
        main([argument.replace("PICTURE", "p.png") for argument in arguments])
    out, err = capsys.readouterr()
    assert exit_.value.code == 2 and out == ""
    assert err.startswith("gr-jscc: ") and err.count("\n") == 1, err


def test_hjscc_tells_from_which_latent_on_a_cut_left_it_without_feedback(programs):
    for path in sorted(programs.pictures.iterdir())[2:]:
        path.unlink()
    programs.rx("--patience", "6", "--codec", "hjscc-feedback", "--weights", "hjscc-photo")
    programs.channel()
    cable = Cable(programs.back)
    straight, programs.back = programs.back, cable.address
    hjscc = "--codec", "hjscc-feedback", "--weights", "hjscc-photo"
    programs.tx("--patience", "6", *hjscc, "--in-flight", "1", "--feedback-timeout", "3")
    programs.back = straight
    programs.wait_for_reports(1)
    cable.cut()  # the second one is being encoded, or on its way
    programs.wait("tx")
    programs.wait_for_reports(2)
    programs.running["rx"].send_signal(signal.SIGINT)
    programs.wait("rx", 130)
    first, second = programs.reports()
    assert first["feedback"]["blind_from"] is None and len(first["rounds"]) == 4
    blind_from = second["feedback"]["blind_from"]
    assert blind_from in (0, 2, 3) and second["feedback"]["drifted"] == 0
    assert len(second["rounds"]) == max(2, blind_from + 1)
    # It may have been cut before the transmitter could say what it is called.
    received = load_image(programs.folder / "out" / second["image"]["name"].removesuffix(".png") / "received.png")
    assert psnr_db(load_image(programs.pictures / "p1.png"), received) > 18


@pytest.mark.parametrize("mended", [True, False])
def test_pictures_arrive_while_the_back_channel_is_cut(programs, mended):
    programs.rx("--patience", "6")
    # Of a picture whose bursts are all lost nothing is left where nobody can ask for it again.
    programs.channel("--pace", "250000", *(["--loss", "0.1"] if mended else []))
    cable = Cable(programs.back)
    straight, programs.back = programs.back, cable.address
    programs.tx("--patience", "6")
    programs.back = straight
    programs.wait_for_reports(2)
    cable.cut()
    if mended:
        time.sleep(5)  # longer than it takes to notice
        cable.mend()
    programs.wait("tx")
    log = (programs.folder / "tx.log").read_text()
    assert log.count("back-channel lost") == 1
    if mended:
        programs.wait("rx")
        assert all(report["bursts"]["lost"] == 0 for report in programs.check_complete())
        return
    programs.wait_for_reports(8)
    programs.running["rx"].send_signal(signal.SIGINT)
    programs.wait("rx", 130)
    assert len(programs.reports()) == 8
    assert "the receiver did not confirm them" in log
