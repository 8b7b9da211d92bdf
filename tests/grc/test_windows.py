"""What a person sees: the loopback's window and GNU Radio Companion, on a display of their own."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from companion import REPOSITORY

from gr_jscc.data import demo_image
from gr_jscc.imaging import load_image, save_image
from gr_jscc.link.accounting import ChannelUses
from gr_jscc.link.arrival import Arrival
from gr_jscc.reports.collector import Result
from gr_jscc.reports.report import OnAir, Received, Sent, build_report

pytestmark = [pytest.mark.gnuradio, pytest.mark.gui]

LOOPBACK = REPOSITORY / "flowgraphs" / "loopback.grc"


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_sliders_act_on_the_running_window(tmp_path, display, programs):
    picture = tmp_path / "parrots.png"
    save_image(picture, load_image(demo_image())[100:356, 100:484])
    run = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("drive_loopback.py")), str(programs["loopback"]), str(picture)],
        env=display,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    clear, noisy, shifted, end = (json.loads(line) for line in run.stdout.splitlines() if line.startswith("{"))

    assert clear["report"]["image"] == {"name": "parrots.png", "height": 256, "width": 384}
    assert clear["report"]["bursts"]["lost"] == 0
    assert clear["figures"]["PSNR"] == f"{clear['report']['psnr_db']:.1f} dB"
    assert clear["figures"]["CBR"] == "1/12"
    assert noisy["report"]["psnr_db"] < clear["report"]["psnr_db"] - 4
    assert noisy["difference"] > 1  # grey levels, mean over the pane
    assert shifted["report"]["psnr_db"] == pytest.approx(noisy["report"]["psnr_db"], abs=1)
    assert end == {"closed": True, "failure": "None"}


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_companion_opens_the_loopback(tmp_path, display):
    code = "import sys; from gnuradio.grc.main import main; sys.exit(main())"
    with open(tmp_path / "log", "w+") as log:
        companion = subprocess.Popen(
            [sys.executable, "-c", code, str(LOOPBACK)], env=display, cwd=tmp_path, stdout=log, stderr=log
        )
        try:
            titles = ""
            while "loopback.grc" not in titles and companion.poll() is None:
                time.sleep(0.5)
                tree = ["xwininfo", "-root", "-tree", "-display", display["DISPLAY"]]
                titles = subprocess.run(tree, capture_output=True, text=True, timeout=10).stdout
            log.seek(0)
            assert companion.poll() is None, log.read()
        finally:
            companion.kill()
            companion.wait(10)


@pytest.fixture
def view(monkeypatch):
    """An `ImageView` without a display."""
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    from PyQt5.QtWidgets import QApplication

    application = QApplication.instance() or QApplication(["tests"])
    from gr_jscc.blocks.image_view_sink import ImageView

    view = ImageView(average=2)
    view.resize(800, 500)
    view.application = application
    return view


def result(received, bursts=4):
    sent = np.full((48, 64, 3), 128, np.uint8)
    arrival = Arrival(0, 0, None, None, bursts, 4, 9.9, 0.0, -10.0)
    report = build_report(
        Sent("grey.png", sent, "deepjscc", "photo", 1 / 12, 0.1, 0.0),
        OnAir(ChannelUses(768, 10, 10, 2000), 4, 10.0),
        Received(received, arrival, 0.1, 1.0),
        "awgn",
        10.0,
    )
    return Result(0, 0, sent, received, report)


def values(view):
    return {name: figure.value for name, figure in view.figures.items()}


def test_view_shows_figures_and_the_running_average(view):
    grey = np.full((48, 64, 3), 128, np.uint8)
    for error in (4, 16, 8):
        view.show_result(result(grey + np.uint8(error)))
    view.grab()
    assert values(view) == {
        "PSNR": "30.1 dB",
        "Average PSNR": "27.1 dB",  # of the last two
        "SNR estimate": "9.9 dB",
        "CBR": "1/12",
        "Bursts": "4 of 4",
        "Pictures": "3",
    }


def test_view_says_that_a_picture_was_lost(view):
    view.show_result(result(np.full((48, 64, 3), 100, np.uint8)))
    before = view.received.grab().toImage()
    view.show_result(result(None, bursts=1))
    assert view.received.grab().toImage() != before
    assert view.received.message == ("Picture lost", "1 of 4 bursts arrived")
    assert values(view)["PSNR"] == "–"
    assert values(view)["Bursts"] == "1 of 4"
    view.show_result(result(np.full((48, 64, 3), 100, np.uint8)))
    assert view.received.message is None


def test_view_says_that_nothing_arrives(view, monkeypatch):
    view.note_sent()
    monkeypatch.setattr("gr_jscc.blocks.image_view_sink.SILENT_SECONDS", 0.0)
    time.sleep(0.01)
    view._check_silence()
    assert view.received.message[0] == "Nothing received"


def test_view_does_not_say_that_nothing_arrives_while_a_picture_is_decoded(view, monkeypatch):
    view.note_sent()
    view.note_received()
    monkeypatch.setattr("gr_jscc.blocks.image_view_sink.SILENT_SECONDS", 0.0)
    time.sleep(0.01)
    view._check_silence()
    assert view.received.message is None or view.received.message[0] != "Nothing received"


def test_view_shows_what_blocks_tell_the_latest_last_and_failures_over_the_picture(view):
    view.show()
    view.show_result(result(np.full((48, 64, 3), 100, np.uint8)))
    calm = view.grab().toImage()
    for number in (1, 2, 3, 2, 4):
        view.show_trouble(f"remark {number}", False)
    assert view.trouble.text() == "remark 3\nremark 2\nremark 4"
    assert view.received.message is None and view.grab().toImage() != calm
    view.show_trouble("<b>a.png</b>: damaged", True)
    view.grab()
    assert view.trouble.text().splitlines()[-1] == "<b>a.png</b>: damaged"
    assert view.received.message == ("Stopped", "<b>a.png</b>: damaged")
    assert "#e2584b" in view.trouble.styleSheet()


def test_a_window_that_qt_has_deleted_keeps_no_line_from_others(view):
    from PyQt5 import sip

    from gr_jscc import telling
    from gr_jscc.blocks.image_view_sink import _News

    deleted, news = _News(), _News()
    news.told.connect(view.show_trouble)
    for one in (deleted, news):
        telling.listen(one.take_line)
    sip.delete(deleted)
    telling.remark("Block", "a line")
    view.application.processEvents()
    assert view.trouble.text() == "a line"


def test_lines_reach_a_window_from_any_thread_as_long_as_it_lives(view, capfd):
    from gr_jscc import telling
    from gr_jscc.blocks.image_view_sink import _News

    news = _News()
    news.told.connect(view.show_trouble)
    telling.listen(news.take_line)
    thread = threading.Thread(target=telling.remark, args=("Block", "a\nline"))
    thread.start()
    thread.join()
    view.application.processEvents()
    assert view.trouble.text() == "a\\nline"
    assert capfd.readouterr().err == "Block :warning: a\\nline\n"
    del news
    telling.failure("Block", OSError("it is\n full"))
    view.application.processEvents()
    assert view.trouble.text() == "a\\nline"
    assert capfd.readouterr().err == "Block :error: OSError: it is full\n"


@pytest.mark.parametrize(
    ("setter", "value", "line"),
    [
        ("set_papr_limit_db", 1.0, "papr_limit_db must be 0 or 3 to 30 dB, not 1.0"),
        ("set_loss", 7.0, "loss"),
        ("set_fading", "slow", "fading must be none, block or doppler, not 'slow'"),
    ],
)
def test_a_slider_that_goes_too_far_is_told_and_ends_nothing(view, monkeypatch, setter, value, line):
    """PyQt aborts the process where nothing takes a slot's exception."""
    from PyQt5.QtCore import QTimer

    from gr_jscc import telling
    from gr_jscc.blocks import channel_impairments, ofdm_modulator
    from gr_jscc.blocks.image_view_sink import _News
    from gr_jscc.grc.companion import made

    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    news = _News()
    news.told.connect(view.show_trouble)
    telling.listen(news.take_line)
    block = made(ofdm_modulator if "papr" in setter else channel_impairments)
    QTimer.singleShot(0, lambda: getattr(block, setter)(value))
    view.application.processEvents()
    view.application.processEvents()
    assert line in view.trouble.text() and view.received.message[0] != "Stopped"


def test_view_keeps_the_aspect_ratio(view):
    view.show_result(result(np.full((48, 64, 3), 255, np.uint8)))
    image = view.received.grab().toImage()
    white = [
        (x, y) for x in range(image.width()) for y in range(image.height()) if image.pixelColor(x, y).lightness() > 250
    ]
    xs, ys = [x for x, _ in white], [y for _, y in white if y > 40]
    assert (max(xs) - min(xs) + 1) / (max(ys) - min(ys) + 1) == pytest.approx(64 / 48, rel=0.1)
