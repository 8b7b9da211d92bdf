"""Cells through the flowgraph and between two hosts."""

import dataclasses

import numpy as np
import pytest

from gr_jscc.modem import numerology
from gr_jscc.sweeps.cells import Cell
from gr_jscc.sweeps.measurement import kept_codec, measure
from gr_jscc.sweeps.modes import send
from gr_jscc.sweeps.pictures import picture_hash

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(180)]


def cell_of(picture, **changes):
    weights = kept_codec("deepjscc", "", "cpu").weights_hash.hex()
    cell = Cell("deepjscc", "", weights, "a.png", picture_hash(picture), 10.0, 1 / 12, "awgn", "ideal", 1)
    return dataclasses.replace(cell, **changes)


def rows_of(cells, pictures):
    return [measured.row for measured in measure(lambda *task: send("cpu", *task), cells, pictures)]


def test_the_flowgraph_gives_the_same_figures_again_and_other_noise_for_another_seed(small_photo):
    picture = small_photo[:96, :96]
    cells = [cell_of(picture, mode="flowgraph", seed=seed) for seed in (1, 1, 2)]
    first, again, other = (rows_of([cell], [picture])[0] for cell in cells)
    assert not first["error"] and first["psnr_db"] == again["psnr_db"] != other["psnr_db"]
    assert first["uses.header"] > 0 and first["cbr.total"] > first["cbr.payload"] and first["channel"] == "awgn"
    (ideal,) = rows_of([cell_of(picture)], [picture])
    assert abs(first["psnr_db"] - ideal["psnr_db"]) < 1.0 and ideal["cbr.payload"] < ideal["cbr.total"]
    assert ideal["cbr.total"] == first["cbr.total"]
    assert ideal["cbr.paper"] == pytest.approx(first["cbr.paper"], abs=1e-6)


def test_every_mode_sends_with_the_cell_s_numerology_and_burst_length(small_photo):
    picture = np.ascontiguousarray(small_photo[:96, :96])
    own = cell_of(picture, numerology=numerology(128, 12, 100), burst_symbols=500)
    (usual,) = rows_of([cell_of(picture)], [picture])
    for mode in ("ideal", "flowgraph", "two-hosts"):
        (row,) = rows_of([dataclasses.replace(own, mode=mode)], [picture])
        assert row["error"] == "" and row["psnr_db"] > 25 and row["burst_symbols"] == 500, mode
        assert row["numerology"] == own.numerology.description
        assert row["uses.payload"] == usual["uses.payload"] and row["uses.header"] > usual["uses.header"], mode


def test_pictures_between_two_hosts(small_photo):
    pictures = [np.ascontiguousarray(small_photo[:64, :64]), np.ascontiguousarray(small_photo[64:128, :96])]
    cells = [cell_of(picture, mode="two-hosts", image=name) for picture, name in zip(pictures, ("b.png", "a.png"))]
    rows = rows_of(cells, pictures)
    assert [row["error"] for row in rows] == ["", ""]
    assert [(row["image.name"], row["image.height"], row["image.width"]) for row in rows] == [
        ("b.png", 64, 64),
        ("a.png", 64, 96),
    ]
    assert all(row["psnr_db"] > 22 and row["uses.air"] > 0 for row in rows)


def test_other_weights_than_the_plan_s_are_an_error_and_not_a_figure(small_photo):
    picture = small_photo[:64, :64]
    (row,) = rows_of([cell_of(picture, weights_hash="00000000")], [picture])
    assert row["error"].startswith("ValueError: the weights here are not those") and "psnr_db" not in row


def test_pictures_that_nothing_came_of_are_measured_as_lost(small_photo):
    """A digital scheme far below its threshold: no error of the sweep, and no picture either."""
    picture = np.ascontiguousarray(small_photo[:64, :96])
    weights = kept_codec("separation", "hevc:10dB", "cpu").weights_hash.hex()
    cell = cell_of(picture, codec="separation", weights="hevc:10dB", weights_hash=weights, snr_db=2.0, cbr=1 / 6)
    for mode, shown in (("ideal", True), ("flowgraph", True), ("two-hosts", False)):
        (measured,) = measure(lambda *task: send("cpu", *task), [dataclasses.replace(cell, mode=mode)], [picture])
        assert measured.row["error"] == "" and measured.row["arrived"] is False, mode
        # The receiver of two hosts has its own rule: what did not arrive is sent anew, and never stored.
        assert (measured.picture is not None) == (measured.row["psnr_db"] is not None) == shown, mode
