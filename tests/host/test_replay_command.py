"""rx --record and gr-jscc replay: what was received once is received again, to the last bit."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import sigmf
from PIL import Image

from gr_jscc.host.main import main
from gr_jscc.imaging import load_image, save_image
from gr_jscc.ports import free_addresses

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(180)]
SECONDS = 150  # for programs that are slow on a busy machine


@pytest.fixture
def pictures(tmp_path, photo):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        top, left = 60 * number, 90 * number
        save_image(folder / f"p{number}.png", photo[top : top + 96, left : left + 128])
    return folder


def run(capsys, *arguments):
    """A program in this process: its exit code, standard output and standard error."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return ended.value.code, out, err


def lines(out):
    return [json.loads(line) for line in out.splitlines()]


def check_same(first, second, names):
    for name in names:
        pictures = [load_image(folder / name / "received.png") for folder in (first, second)]
        assert np.array_equal(*pictures)
        reports = [json.loads((folder / name / "report.json").read_text()) for folder in (first, second)]
        for report in reports:
            report["seconds"].pop("decode")
        assert reports[0] == reports[1]


def test_a_run_with_losses_repeats_and_a_back_channel_comes_out_again(tmp_path, pictures, capsys):
    near, far, back = free_addresses(3)

    def start(*arguments):
        command = [sys.executable, "-m", "gr_jscc.host", *map(str, arguments)]
        log = open(tmp_path / f"{arguments[0]}.log", "w")
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path)

    ends = [
        start("rx", "--radio", f"zmq:{far}", "--back-channel", back, "--originals", pictures, "--once",
              "--out", "live", "--record", "air"),
        start("tx", pictures, "--radio", f"zmq:{near}", "--back-channel", back, "--repeats", 1,
              "--side-info", "back-channel", "--cbr", "1/6"),
    ]  # fmt: skip
    channel = start("channel", "--from", f"zmq:{near}", "--to", f"zmq:{far}", "--snr", 12, "--loss", 0.4)
    try:
        codes = [process.wait(SECONDS) for process in ends]
    finally:
        for process in [*ends, channel]:
            process.kill()
            process.wait()
    logs = "\n".join(path.read_text() for path in tmp_path.glob("*.log"))
    assert codes == [0, 0], logs
    assert sorted(path.name for path in tmp_path.glob("air*")) == ["air.sigmf-data", "air.sigmf-meta"]
    sigmf.fromfile(str(tmp_path / "air.sigmf-meta")).validate()
    code, out, err = run(capsys, "replay", tmp_path / "air", "--out", tmp_path / "again", "--json")
    assert code == 0 and err == ""
    *reports, mean, error, differ = lines(out)
    assert sorted(report["image"]["name"] for report in reports) == ["p0.png", "p1.png", "p2.png"]
    assert all(report["live"]["same_picture"] and report["live"]["differs"] == [] for report in reports)
    assert all(report["psnr_db"] == report["live"]["psnr_db"] for report in reports)
    assert None not in [report["psnr_db"] for report in reports]
    assert sum(report["bursts"]["repeated"] for report in reports) > 0
    assert mean["figure"] == "psnr_db" and error["holds"] and differ["holds"]
    check_same(tmp_path / "live", tmp_path / "again", ["p0", "p1", "p2"])


def test_recordings_of_what_was_sent_and_of_what_was_received(tmp_path, pictures, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sent = "file:sent.sigmf-meta"
    assert run(capsys, "tx", pictures, "--radio", sent, "--quiet")[0] == 0
    received = "file:noisy.sigmf-data"
    assert run(capsys, "channel", "--from", sent, "--to", received, "--snr", 12, "--loss", 0.2, "--quiet")[0] == 0
    code, _, err = run(capsys, "rx", "--radio", received, "--record", "air.sigmf-data", "--out", "live", "--quiet")
    assert code == 0, err
    for name in ("sent", "noisy", "air"):
        sigmf.fromfile(f"{name}.sigmf-meta").validate()
    assert not list(tmp_path.glob("*.part"))
    code, out, err = run(capsys, "replay", "air.sigmf-meta", "--out", "again", "--plot", "air.png")
    assert code == 0, err
    assert "3 of 3 pictures identical to the live run" in out
    names = sorted(folder.name for folder in (tmp_path / "live").glob("transfer-??-000?"))
    assert len(names) == 3 and len({name[:-4] for name in names}) == 1
    check_same(tmp_path / "live", tmp_path / "again", names)
    with Image.open("air.png") as plot:
        assert plot.size[0] > 1000
    code, out, _ = run(capsys, "replay", "noisy", "--out", "bare", "--json")  # made by no receiver: nothing to compare
    *reports, = lines(out)  # fmt: skip
    assert code == 0 and [report["live"]["psnr_db"] for report in reports] == [None] * 3
    for name in names:
        bare, live = (load_image(tmp_path / folder / name / "received.png") for folder in ("bare", "live"))
        assert np.array_equal(bare, live)


def test_a_recording_without_pictures_and_a_receiver_that_cannot_start(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.zeros(200_000, np.complex64).tofile("silence")
    assert run(capsys, "rx", "--radio", "file:silence", "--record", "air", "--quiet")[0] == 0
    assert sorted(path.name for path in tmp_path.glob("air*")) == ["air.sigmf-data", "air.sigmf-meta"]
    code, out, err = run(capsys, "replay", "air", "--json")
    assert code == 2 and out == "" and err == "gr-jscc: no picture in air\n"
    code, _, err = run(capsys, "rx", "--radio", "file:silence", "--record", "new", "--originals", "nowhere")
    assert code == 2 and err.count("\n") == 1 and not list(tmp_path.glob("new*"))


@pytest.fixture(scope="module")
def on_air(tmp_path_factory, photo):
    """The samples of a small picture, complex64, and the picture's folder."""
    folder = tmp_path_factory.mktemp("on air")
    save_image(folder / "p.png", photo[:64, :96])
    with pytest.raises(SystemExit) as ended:
        main(["tx", str(folder / "p.png"), "--radio", f"file:{folder}/air.cf32", "--quiet"])
    assert ended.value.code == 0
    return np.fromfile(folder / "air.cf32", np.complex64), folder


@pytest.mark.parametrize(
    ("originals", "told"),
    [
        ("empty", "without the receiver's originals: empty: no images .*"),
        ("file", None),
        ("gone", None),
        (5, None),
        ("a\0b", None),
        ("there", None),
    ],
)
def test_originals_that_nobody_asked_for_do_not_end_a_replay(tmp_path, on_air, capsys, monkeypatch, originals, told):
    """The folder is what the recording says that the receiver had."""
    monkeypatch.chdir(tmp_path)
    samples, folder = on_air
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "there").symlink_to(folder)
    samples.tofile("air.sigmf-data")
    fields = {"core:datatype": "cf32_le", "core:version": "1.2.0", "jscc:originals": originals}
    meta = {"global": fields, "captures": [], "annotations": []}
    (tmp_path / "air.sigmf-meta").write_text(json.dumps(meta))
    code, out, err = run(capsys, "replay", "air", "--json")
    assert code == 0 and lines(out)[0]["image"]["height"] == 64
    assert re.fullmatch(f"gr-jscc: {told}\n", err) if told else err == ""


def test_originals_that_were_asked_for_must_be_there(tmp_path, on_air, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    on_air[0].tofile("air.cf32")
    fields = {"core:datatype": "cf32_le", "core:version": "1.2.0", "core:dataset": "air.cf32"}
    (tmp_path / "air.sigmf-meta").write_text(json.dumps({"global": fields, "captures": [], "annotations": []}))
    code, _, err = run(capsys, "replay", "air", "--originals", "empty")
    assert code == 2 and err.count("\n") == 1 and "empty" in err


def test_a_cut_recording_in_capital_letters_is_replayed_and_drawn_and_told(tmp_path, on_air, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fields = {"core:datatype": "cf32_le", "core:version": "1.2.0"}
    text = json.dumps({"global": fields, "captures": [], "annotations": [{"core:sample_start": 10**9}, 5]})
    (tmp_path / "AIR.SIGMF-META").write_text(text, encoding="utf-8-sig")
    (tmp_path / "AIR.SIGMF-DATA").write_bytes(on_air[0].tobytes() + b"xyz")
    code, out, err = run(capsys, "replay", "AIR.SIGMF-META", "--json", "--plot", "plots/air.png")
    assert code == 0 and lines(out)[0]["bursts"]["lost"] == 0 and (tmp_path / "plots/air.png").is_file()
    assert err == "gr-jscc: AIR.SIGMF-DATA ends within a sample: its last 3 bytes are ignored\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay", "nowhere"],
        ["replay", "air", "--codec", "morse"],
        ["replay", "air", "--weights", "nothing.safetensors"],
        ["replay", "air", "--codec", "successive-single"],
        ["replay", "air", "--originals", "nowhere"],
        ["replay", "air", "--out", "air.sigmf-data/sub"],
        ["replay", "air", "--plot", "air.sigmf-data/air.png"],
        ["replay"],
        ["rx", "--radio", "file:air.sigmf-data", "--record", "nowhere/air"],
        ["rx", "--radio", "file:nowhere.sigmf-meta"],
        ["tx", "p.png", "--radio", "file:nowhere/air.sigmf-meta"],
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, tmp_path, photo, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_image(tmp_path / "p.png", photo[:64, :64])
    (tmp_path / "air.sigmf-data").write_bytes(bytes(8000))
    fields = {"core:datatype": "cf32_le", "core:version": "1.2.0", "jscc:weights_hash": "00112233"}
    meta = {"global": fields, "captures": [], "annotations": []}
    (tmp_path / "air.sigmf-meta").write_text(json.dumps(meta))
    before = sorted(os.listdir(tmp_path))
    code, out, err = run(capsys, *arguments)
    assert code == 2 and out == ""
    assert err.startswith("gr-jscc: ") and err.count("\n") == 1, err
    assert [name for name in sorted(os.listdir(tmp_path)) if name not in before] in ([], ["replayed"], ["received"])
