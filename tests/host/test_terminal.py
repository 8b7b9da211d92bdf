"""What reaches the terminal: texts of others letter by letter and on one line, whatever the terminal can show."""

import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from gr_jscc.environment import Check
from gr_jscc.figures import Figure
from gr_jscc.host import console, doctor
from gr_jscc.host.live import LiveView
from gr_jscc.host.loopback import show
from gr_jscc.host.main import main
from gr_jscc.host.printing import print_figures

pytestmark = pytest.mark.timeout(120)
HOSTILE = ["a [raw] b.png", "[/red].png", "[link=x]y[/link].png", ":smile:.png", "tcp://[fd00::1]:5550", "100 % [bold]"]


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_of_others_are_no_markup(capsys, text):
    view = LiveView(text, ["image", "PSNR"])
    view.note(f"{text} refused")
    view.picture(1, [text, "30.00"])
    print_figures([Figure("psnr_db", 30.0, "dB", {"weights": text}, least=1.0)], text, json_lines=False)
    out, err = capsys.readouterr()
    assert f"{text} refused" in err and f"image {text}  PSNR 30.00" in out
    assert re.sub(r"[\s│]", "", text) in re.sub(r"[\s│]", "", out.split("PSNR 30.00")[1]) and "holds" in out


def test_a_live_table_shows_them_too(monkeypatch):
    view = LiveView("[title]", ["image"])
    view._console = console.terminal()
    view._console.file = io.StringIO()
    view.picture(1, ["x[red]y.png"], final=False)
    view.update(peer="[fd00::1]")
    view._console.print(view._render())
    shown = view._console.file.getvalue()
    assert "[title]" in shown and "x[red]y.png" in shown and "[fd00::1]" in shown


@pytest.mark.parametrize(
    "name", ["line\nend.png", "\x1b[2Jgone.png", "turn\u202egnp.png", "\x07bell.png", "re\rturn.png"]
)
def test_controls_in_names_reach_no_terminal(capsys, name):
    view = LiveView(name, ["image", "PSNR"])
    view.picture(1, [name, "30.00"])
    view.note(name)
    with pytest.raises(SystemExit) as ended:
        main(["loopback", name])
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert not set(out + err) & set("\x1b\u202e\x07\r") and out.count("\n") == 1 and err.count("\n") == 2


def test_a_table_of_pictures_without_figures(capsys):
    report = {
        "image": {"name": "[b]grey.png"}, "arrived": False, "psnr_db": 12.0, "ms_ssim": None,
        "cbr": {"payload": 0.1, "total": 0.1}, "link": {"snr_est_db": None}, "bursts": {"lost": 3, "sent": 3},
    }  # fmt: skip
    show([report], {"images_lost": 1}, "o[/x]")
    out = capsys.readouterr().out
    assert "[b]grey.png" in out and "12.00" not in out and "1 of 1 images did not arrive" in out and "o[/x]/" in out


@pytest.mark.parametrize(
    "terminal",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
    ids=["ascii", "C"],
)
def test_any_terminal_will_do(tmp_path, terminal):
    name = "図 – [a]\udcff.png"
    pixels = np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    os.rename(tmp_path / "p.png", os.fsencode(tmp_path) + b"/" + name.encode("utf-8", "surrogateescape"))
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | terminal
    for code, *arguments in ((0, "--ideal", ".", "--out", "o"), (2, "no – 図.png")):
        command = [sys.executable, "-m", "gr_jscc.host", "loopback", *arguments]
        run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=100)
        assert b"Traceback" not in run.stderr, run.stderr
        assert run.returncode == code and (run.stdout if code == 0 else run.stderr).isascii()
    (report,) = (tmp_path / "o").glob("*/report.json")
    assert "[a]" in json.loads(report.read_text())["image"]["name"] and (report.parent / "received.png").is_file()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_a_terminal_lacks_is_shown_in_simpler_letters(monkeypatch, encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    console.print_anything()
    print("1 – 2 ± 3 × 図 \udcff ⠋ é")
    stream.flush()
    simple = {"ascii": "1 - 2 +- 3 x \\u56f3 \\udcff * \\xe9", "latin-1": "1 - 2 ± 3 × \\u56f3 \\udcff * é"}
    assert stream.buffer.getvalue().decode(encoding).strip() == simple.get(encoding, "1 – 2 ± 3 × 図 \\udcff ⠋ é")


def test_a_reader_who_leaves_ends_a_program_quietly():
    command = f"{sys.executable} -m gr_jscc.host models | head -1"
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=100)
    assert run.stdout.startswith("codecs: ") and run.stderr == ""


def test_a_full_disk_behind_standard_output_is_one_line():
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "gr_jscc.host", "models", "--json"]
        run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=100)
    assert run.returncode == 2 and "No space left on device" in run.stderr and "Traceback" not in run.stderr


def test_gnuradio_logs_beside_what_a_program_prints():
    code = """
from gr_jscc.host.main import main
try:
    main(["--version"])
finally:
    from gnuradio import gr
    gr.logger("a block").error("a word")
"""
    environment = {name: value for name, value in os.environ.items() if name != "GR_CONF_LOG_LOG_FILE"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=50)
    assert done.stdout.startswith("gr-jscc ") and done.stdout.count("\n") == 1
    assert done.stderr == "a block :error: a word\n"


@pytest.mark.parametrize("columns", [40, 80])
def test_narrow_terminals_cut_off_no_remedy(monkeypatch, capsys, columns):
    check = Check("a part", False, "nothing", "all", "sudo apt-get install --no-install-recommends " + "long-name" * 9)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(doctor, "run_checks", lambda: [check])
    with pytest.raises(SystemExit):
        main(["doctor"])
    out = capsys.readouterr().out
    assert f"{check.name}: {check.remedy}" in out.splitlines() and "…" not in out


def test_narrow_terminals_cut_off_no_name(monkeypatch, capsys):
    name, null = "n" * 150 + ".png", dict.fromkeys(("payload", "total"))
    report = {
        "image": {"name": name}, "arrived": False, "psnr_db": None, "ms_ssim": None, "cbr": null,
        "link": {"snr_est_db": None}, "bursts": {"lost": 1, "sent": 1},
    }  # fmt: skip
    monkeypatch.setenv("COLUMNS", "80")
    show([report], {"images_lost": 1}, "out")
    print_figures([Figure("psnr_db", 30.0, "dB", {"weights": "w" * 150}, least=1.0)], "title", json_lines=False)
    out = capsys.readouterr().out
    assert out.count("n") >= 150 and out.count("w") >= 150 and "…" not in out
