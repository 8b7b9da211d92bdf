"""Figures of a report: intervals, Bjontegaard, metrics, tables in every format, published curves."""

import csv
import io
import math

import numpy as np
import pytest

from gr_jscc.metrics import picture as metrics
from gr_jscc.metrics.bd import bd_cbr_percent, bd_quality_db
from gr_jscc.sweeps.experiment import METRICS, load_experiment, shipped_experiments
from gr_jscc.sweeps.page.bjontegaard import _by_picture
from gr_jscc.sweeps.page.points import Conditions, Point, difference, estimate, gather
from gr_jscc.sweeps.page.strip import cut
from gr_jscc.sweeps.page.tables import Table
from gr_jscc.sweeps.page.words import ratio_text
from gr_jscc.sweeps.references import load_references

pytestmark = pytest.mark.timeout(30)

CURVE = [(1 / 48, 27.0), (1 / 24, 30.0), (1 / 12, 32.5), (1 / 6, 34.0)]


def test_bjontegaard_of_curves_whose_difference_is_known():
    cheaper = [(0.9 * cbr, db) for cbr, db in CURVE]
    better = [(cbr, db + 1.25) for cbr, db in CURVE]
    assert bd_cbr_percent(CURVE, cheaper) == pytest.approx(-10, abs=1e-6)
    assert bd_cbr_percent(cheaper, CURVE) == pytest.approx(100 / 0.9 - 100, abs=1e-6)
    assert bd_quality_db(CURVE, better[::-1]) == pytest.approx(1.25, abs=1e-9)
    assert bd_quality_db(CURVE, cheaper) > 0
    assert bd_cbr_percent(CURVE, CURVE) == pytest.approx(0, abs=1e-9)


def test_bjontegaard_is_no_number_where_there_is_none():
    far = [(cbr, db + 40) for cbr, db in CURVE]
    falling = [(cbr, -db) for cbr, db in CURVE]
    assert math.isnan(bd_cbr_percent(CURVE, far)) and not math.isnan(bd_quality_db(CURVE, far))
    for other in (falling, CURVE[:2], []):
        assert math.isnan(bd_cbr_percent(CURVE, other)) and math.isnan(bd_quality_db(CURVE, other))


def test_each_picture_counts_as_much_where_it_is_taken_by_itself():
    def points(shares):
        """A scheme's, one a CBR; a picture takes such a share of the channel uses of `CURVE`, where it has any."""
        return [
            Point(
                "x", 10.0, cbr, cbr={name: [share * cbr] for name, share in shares.items()},
                values={"psnr_db": {name: [db + (90 if share == 9 else 0)] for name, share in shares.items()}},
            )
            for cbr, db in CURVE
        ]  # fmt: skip

    anchor = points({"a": 1, "b": 1, "c": 1, "d": 1})
    assert _by_picture(anchor, points({"a": 0.9, "b": 0.8, "c": 0.7}), "psnr_db") == "-20.0 ± 24.8 %"
    assert _by_picture(anchor, points({"a": 0.9, "b": 0.8, "c": 0.7, "d": 9}), "psnr_db") == "-20.0 ± 24.8 % (3 of 4)"
    assert _by_picture(anchor, points({"a": 1.5}), "psnr_db") == "+50.0 %"
    assert _by_picture(anchor, points({"d": 9}), "psnr_db") == "–"


def test_intervals_cover_the_mean_as_often_as_they_say():
    rng = np.random.default_rng(5)
    covered = []
    for _ in range(300):
        values = rng.normal(30, 3, 24)
        got = estimate({str(i): [value] for i, value in enumerate(values)})
        covered.append(got.low <= 30 <= got.high)
        assert got.mean == pytest.approx(values.mean()) and got.count == 24
    assert 0.92 < np.mean(covered) < 0.98
    assert got.margin == pytest.approx(2.0687 * values.std(ddof=1) / 24**0.5, rel=1e-4)


def test_intervals_are_over_pictures_and_over_seeds_where_there_is_one_picture():
    pictures = estimate({"a": [10.0, 12.0], "b": [20.0, 22.0], "c": [15.0, 17.0]})
    assert pictures.mean == 16 and pictures.margin == pytest.approx(4.3027 * 5 / 3**0.5, rel=1e-4)
    seeds = estimate({"a": [10.0, 12.0, 11.0]})
    assert seeds.mean == 11 and seeds.count == 1 and seeds.margin == pytest.approx(4.3027 * 1 / 3**0.5, rel=1e-4)
    assert estimate({"a": [10.0]}).margin is None and estimate({}) is None


def test_two_pictures_have_no_interval_and_three_one_that_covers_as_often_as_it_says():
    assert estimate({"a": [10.0], "b": [20.0]}).margin is None  # their minimum and maximum cover the mean half the time
    for count in (3, 5):
        rng = np.random.default_rng(count)
        draws = (estimate({str(i): [value] for i, value in enumerate(rng.normal(30, 3, count))}) for _ in range(600))
        assert 0.92 < np.mean([got.low <= 30 <= got.high for got in draws]) < 0.98


def test_the_same_pictures_are_compared_picture_by_picture():
    rng = np.random.default_rng(2)
    hard = rng.normal(30, 4, 12)  # pictures differ much more than schemes do

    def point(scheme, gain, pictures):
        found = Point(scheme, 10.0, 0.1)
        found.values["psnr_db"] = {str(i): [hard[i] + gain + rng.normal(0, 0.05)] for i in pictures}
        return found

    better, worse = point("better", 0.5, range(12)), point("worse", 0.0, range(2, 12))
    got = difference(better, worse, "psnr_db")
    assert got.mean == pytest.approx(0.5, abs=0.06) and got.low > 0.4 and got.count == 10
    assert better.estimate("psnr_db").margin > 1.5  # unpaired, the two could not be told apart
    assert difference(worse, better, "psnr_db").mean == pytest.approx(-got.mean)
    assert difference(better, point("other", 0, []), "psnr_db") is None


def test_failed_cells_are_passed_over_and_lost_pictures_counted():
    def row(key, psnr, error=""):
        return {
            "key": key, "mode": "flowgraph", "channel": "awgn", "snr_db": 5.0, "image_hash": key, "error": error,
            "psnr_db": psnr, "ms_ssim": psnr and 0.99, "lpips": None, "cbr.total": 0.11, "seconds.encode": 1.0,
            "seconds.decode": 2.0,
        }  # fmt: skip

    rows = {"1": row("1", 30.0), "2": row("2", None), "3": row("3", None, "ValueError: no"), "4": row("4", 32.0)}
    cells = [{"key": str(n), "scheme": "A", "images": "all", "cbr": 0.1} for n in range(1, 6)]
    ((conditions, (point,)),) = gather(cells, rows).items()
    assert conditions == Conditions("all", "flowgraph", "awgn")
    assert (point.cells, point.lost, point.mean_cbr, point.asked) == (3, 1, pytest.approx(0.11), 0.1)
    assert point.estimate("psnr_db").mean == 31 and point.estimate("ms_ssim_db").mean == pytest.approx(20)
    assert point.estimate("lpips") is None
    part = point.of({"4"})
    assert part.estimate("psnr_db").mean == 32 and part.estimate("psnr_db").count == 1 and point.lost == part.lost


def test_ms_ssim_in_decibels():
    assert [metrics.ms_ssim_db(value) for value in (0.0, 0.9, 0.99, 1.0)] == pytest.approx([0, 10, 20, 50])


def test_lpips_that_is_not_there_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    reason, picture = metrics.why_no_lpips(), np.zeros((64, 64, 3), np.uint8)
    assert "gr-jscc lpips" in reason and "\n" not in reason and metrics.lpips(picture, picture) is None


TABLE = Table("t", "A & B_1, 50 %", ["scheme", "10 dB"], [["x|y <b>", "30.00 ± 1.20"], ["z", "–"]], ["A note."])


def test_tables_in_every_format():
    assert TABLE.markdown().splitlines() == [
        "| scheme | 10 dB |", "|---|---:|", "| x\\|y \\<b> | 30.00 ± 1.20 |", "| z | – |", "", "A note.",
    ]  # fmt: skip
    latex = TABLE.latex()
    assert r"\caption{A \& B\_1, 50 \%. A note.}" in latex and r"  x|y <b> & 30.00 $\pm$ 1.20 \\" in latex
    assert latex.count("{") == latex.count("}") and latex.isascii()
    assert list(csv.reader(io.StringIO(TABLE.csv())))[1] == ["x|y <b>", "30.00 ± 1.20"]
    assert "<td>x|y &lt;b&gt;</td>" in TABLE.html() and "A &amp; B_1" in TABLE.html()


@pytest.mark.parametrize("value, text", [(1 / 12, "1/12"), (3 / 16, "3/16"), (0.0833333, "1/12"), (0.5, "1/2"),
                                         (0.08517, "0.08517"), (1.0, "1")])  # fmt: skip
def test_ratios_as_people_write_them(value, text):
    assert ratio_text(value) == text


def test_a_crop_stays_within_the_picture():
    picture = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
    assert np.array_equal(cut(picture, 0, None), picture)
    assert np.array_equal(cut(picture, 10, None), picture[5:15, 10:20])
    assert np.array_equal(cut(picture, 10, (28, -3)), picture[0:10, 20:30])
    assert cut(picture, 25, None).shape == (20, 25, 3)


def test_references_are_sound_and_experiments_name_those_that_there_are():
    references = load_references()
    for curve in references.curves:
        assert curve.metric in METRICS and curve.source
        assert (curve.snr_db is None) == (curve.over == "snr_db") and (curve.cbr is None) == (curve.over == "cbr")
        values = [y for _, y in sorted(curve.points)]
        assert values == sorted(values) and all(0 < x <= 30 for x, _ in curve.points)
    known = {curve.scheme for curve in references.curves}
    for name in shipped_experiments():
        assert set(load_experiment(name).references) <= known
