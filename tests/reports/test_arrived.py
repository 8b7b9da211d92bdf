"""That a picture arrived is a fact of its own: an exact one has, a grey one for want of anything better has not."""

import dataclasses
import json
import math

import numpy as np
import pytest

from gr_jscc.codecs.base import Reception
from gr_jscc.codecs.registry import load_codec
from gr_jscc.flowgraphs.ideal import ideal_results
from gr_jscc.host.main import main
from gr_jscc.imaging import load_image, save_image
from gr_jscc.link.accounting import ChannelUses
from gr_jscc.link.arrival import Arrival
from gr_jscc.metrics.bd import bd_cbr_percent, bd_quality_db
from gr_jscc.metrics.picture import LARGEST_PSNR_DB, psnr_db
from gr_jscc.plots import plot_comparison
from gr_jscc.reports.archive import Archive
from gr_jscc.reports.averages import average
from gr_jscc.reports.collector import Collector
from gr_jscc.reports.inbox import Inbox
from gr_jscc.reports.report import OnAir, Received, Sent, build_report

pytestmark = pytest.mark.timeout(120)
GREY = np.full((64, 96, 3), 128, np.uint8)
AIR = OnAir(ChannelUses(64, 10, 5, 200), 4)


def reception(payload, kind):
    """A payload as it arrived: whole, with no symbol, without side information, or neither."""
    lost = kind in ("no symbols", "nothing")
    symbols = np.zeros_like(payload.symbols) if lost else payload.symbols
    noise_var = np.full(len(symbols), np.inf if lost else 1e-3, np.float32)
    return Reception(symbols, noise_var, None if kind in ("no side information", "nothing") else payload.side_info)


@pytest.mark.parametrize(
    ("name", "cbr"),
    [("deepjscc", 1 / 12), ("ntscc", 1 / 16), ("hjscc", 1 / 16), ("separation", 1 / 6), ("separation-capacity", 1 / 6),
     ("successive-multiple", 1 / 12), ("successive-residual", 1 / 12)],
)  # fmt: skip
def test_every_codec_knows_whether_anything_came(small_photo, name, cbr):
    codec = load_codec(name)
    picture = np.ascontiguousarray(small_photo[:64, :128])
    payload = codec.transmitter(cbr).start(picture)
    # What NTSCC's side information says of the latents is something of the picture, too.
    for kind in ("nothing", "whole") if name == "ntscc" else ("nothing", "no symbols", "whole"):
        receiver = codec.receiver(*picture.shape[:2])
        shown = receiver.push(reception(payload, kind))
        assert receiver.shows_grey == (kind != "whole") == bool((shown == 128).all()), (name, kind)
    # One that had nothing at first, and then had.
    receiver = codec.receiver(*picture.shape[:2])
    receiver.push(reception(payload, "nothing"))
    assert receiver.shows_grey and not (receiver.push(reception(payload, "whole")) == 128).all()
    assert not receiver.shows_grey


def test_a_grey_picture_that_was_sent_arrives():
    codec = load_codec("separation-capacity")
    receiver = codec.receiver(64, 96)
    picture = receiver.push(reception(codec.transmitter(1 / 2).start(GREY), "whole"))
    report = build_report(
        Sent("grey.png", GREY, "separation-capacity", "", 0.5, 0.1, None), AIR,
        Received(picture, None, 0.1, 1.0, shown_grey=receiver.shows_grey), "ideal-awgn", 10.0,
    )  # fmt: skip
    assert np.array_equal(picture, GREY) and report["arrived"] and report["psnr_db"] == LARGEST_PSNR_DB


def test_psnr_has_a_cap_that_almost_exact_pictures_do_not_pass():
    picture = np.zeros((64, 64, 3), np.uint8)
    almost = picture.copy()
    almost[0, 0, 0] = 1
    assert psnr_db(picture, almost) == pytest.approx(10 * math.log10(255**2 * picture.size))
    large = np.zeros((1400, 1800, 3), np.uint8)
    nearly = large.copy()
    nearly[0, 0, 0] = 1
    assert psnr_db(large, nearly) == psnr_db(large, large) == LARGEST_PSNR_DB  # 117 dB would be above an exact one's


@pytest.mark.parametrize(
    ("image", "grey", "arrived"), [(GREY, False, True), (GREY, True, False), (None, False, False)], ids=str
)
def test_the_report_says_so_and_is_json(image, grey, arrived):
    sent = Sent("a.png", np.zeros_like(GREY), "c", "w", 0.1, 0.1, None)
    report = build_report(sent, AIR, Received(image, None, 0.1, 1.0, shown_grey=grey), "awgn", 10.0)
    assert report["arrived"] is arrived and (report["psnr_db"] is None) == (image is None)
    assert report["per_payload"] == {"total": 1.2344, "air": 3.125}
    json.dumps(report, allow_nan=False)


def test_without_a_payload_nothing_is_per_payload():
    air = OnAir(ChannelUses(payload=0, side_info=20, header=240, air=900))
    sent = Sent("a.png", GREY, "c", "w", 0.1, 0.1, None)
    report = build_report(sent, air, Received(GREY, None, 0.1, 1.0), "awgn", 10.0)
    assert report["per_payload"] == {"total": None, "air": None}
    assert not any(name.startswith("per_payload") for name in average([report]))


def test_means_are_over_what_arrived_exact_pictures_with_it(small_photo, tmp_path):
    """Below its threshold a digital code gives grey pictures; a plain one it sends without any error."""
    black, photo = tmp_path / "black.png", tmp_path / "photo.png"
    save_image(black, np.zeros((64, 64, 3), np.uint8))
    save_image(photo, small_photo[:64, :64])
    codec = load_codec("separation-capacity", "hevc:10dB")
    above = [r.report for r in ideal_results(codec, [black, photo], 1 / 2, "awgn", 12.0, 1)]
    assert [report["arrived"] for report in above] == [True, True] and above[0]["psnr_db"] == LARGEST_PSNR_DB
    figures = average(above)
    mean = (LARGEST_PSNR_DB + above[1]["psnr_db"]) / 2
    assert figures["images_lost"] == 0 and figures["psnr_db"] == pytest.approx(mean, abs=1e-3)
    below = [r.report for r in ideal_results(codec, [black, photo], 1 / 2, "awgn", 5.0, 1)]
    assert [report["arrived"] for report in below] == [False, False] and below[1]["psnr_db"] > 5
    assert average(below) == {"images_lost": 2}
    assert average([above[0], below[1]])["psnr_db"] == LARGEST_PSNR_DB


def test_plots_take_exact_grey_and_unknown_pictures(tmp_path):
    sent = Sent("$a_$ \\frac.png", GREY, "c", "w", 0.1, 0.1, None)
    for number, (received, original) in enumerate(
        [(Received(GREY, None, 0.1, 1.0), GREY), (Received(GREY, None, 0.1, 1.0, shown_grey=True), GREY),
         (Received(GREY[:32], None, 0.1, 1.0), GREY), (Received(None, None, 0.1, 1.0), GREY)]
    ):  # fmt: skip
        report = build_report(sent, AIR, received, "awgn", 10.0)
        plot_comparison(tmp_path / f"{number}.png", original, received.image, report)
        assert load_image(tmp_path / f"{number}.png").shape[1] > 100


def test_bjontegaard_takes_curves_that_end_without_any_error():
    curve = [(1 / 48, 27.0), (1 / 24, 30.0), (1 / 12, 32.5), (1 / 6, LARGEST_PSNR_DB), (1 / 3, LARGEST_PSNR_DB)]
    better = [(cbr, min(db + 1, LARGEST_PSNR_DB)) for cbr, db in curve]
    assert bd_quality_db(curve, better) > 0 and bd_cbr_percent(curve, better) < 0
    assert bd_quality_db(curve, curve[:4]) == pytest.approx(0, abs=1e-9)


def arrival():
    return Arrival(3, 0, None, None, 4, 4, 10.0, 0.0, -10.0)


def test_a_last_layer_that_was_lost_leaves_the_picture_of_those_before():
    sent = Sent("a.png", GREY, "c", "w", 0.1, 0.1, None, rounds=2)
    collector = Collector("awgn", 10.0)
    collector.sent(3, sent)
    for round_ in range(2):
        collector.on_air(3, round_, AIR)
    collector.received(3, 0, Received(GREY // 2, arrival(), 0.1, 1.0))
    (result,) = collector.received(3, 1, Received(None, arrival(), 0.1, 1.0))
    assert result.final and result.report["arrived"] and np.array_equal(result.received, GREY // 2)
    collector.sent(4, sent)
    for round_ in range(2):
        collector.on_air(4, round_, AIR)
        results = collector.received(4, round_, Received(None, arrival(), 0.1, 1.0))
    assert not results[-1].report["arrived"] and results[-1].received is None


def inbox_after(received, connected):
    inbox = Inbox("air", 1e6, lambda name: np.zeros_like(GREY), patience=0.0, clock=lambda: 5.0)
    inbox.connection(connected)
    inbox.told(7, {"event": "sent", "name": "a.png", "key": "aa" * 8})
    inbox.received(7, 0, received)
    return inbox, [result for result in inbox.told(7, {"event": "done", "rounds": 1, "bursts": 4}) if result.final]


def test_a_transmitter_that_is_there_is_told_that_a_grey_picture_failed():
    inbox, results = inbox_after(Received(GREY, arrival(), 0.1, 1.0, shown_grey=True), connected=True)
    assert inbox.failed == [7] and results == []  # it is sent anew
    inbox, (result,) = inbox_after(Received(GREY, arrival(), 0.1, 1.0), connected=True)
    assert inbox.failed == [] and result.report["arrived"]


def test_without_a_back_channel_a_grey_picture_is_kept_as_what_it_is(tmp_path):
    inbox, results = inbox_after(Received(GREY, arrival(), 0.1, 1.0, shown_grey=True), connected=False)
    assert inbox.failed == [7] and [result.report["arrived"] for result in results] == [False]
    archive = Archive(tmp_path)
    for number, arrived in enumerate((False, True)):
        report = results[0].report | {"run": "1", "key": f"a{number}" * 8, "arrived": arrived}
        archive.save(dataclasses.replace(results[0], transfer=number, report=report))
    assert archive.keys("1") == {"a1" * 8}  # the other is wanted again


def test_pictures_of_earlier_runs_do_not_stay_beside_a_lost_one(tmp_path, capsys, monkeypatch):
    """A run over a good channel, then one that loses everything, into the same folder."""
    monkeypatch.chdir(tmp_path)
    save_image("black.png", np.zeros((64, 64, 3), np.uint8))
    run = ["loopback", "--ideal", "black.png", "--codec", "separation-capacity", "--cbr", "1/2", "--out", "o", "--plot"]
    told = []
    for more in (["--snr", "12"], ["--snr", "5", "--json"], ["--snr", "5", "--figures"]):
        with pytest.raises(SystemExit) as ended:
            main([*run, *more])
        assert ended.value.code == 0
        told.append(capsys.readouterr())
    assert "replacing" not in told[0].err and told[1].err == "o: replacing an earlier run's results for black\n"
    assert "100.00" in told[0].out and "did not arrive" not in told[0].out
    row, figure = json.loads(told[1].out), json.loads(told[2].out)
    assert row["arrived"] is False and (figure["figure"], figure["value"]) == ("images_lost", 1)
    assert json.loads((tmp_path / "o" / "black" / "report.json").read_text())["arrived"] is False
    assert (load_image(tmp_path / "o" / "black" / "received.png") == 128).all()
