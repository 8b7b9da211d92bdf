"""Cells that share an encoding, a picture or a process give the figures that they give alone."""

import dataclasses

import numpy as np
import pytest

from gr_jscc.flowgraphs.ideal import ideal_picture
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.sweeps.cells import Cell
from gr_jscc.sweeps.measurement import kept_codec, measure_task
from gr_jscc.sweeps.modes import send
from gr_jscc.sweeps.pictures import picture_hash


def on_the_cpu(cells, pictures):
    return send("cpu", cells, pictures)


@pytest.mark.parametrize(
    "codec, weights",
    [("deepjscc", ""), ("ntscc", "ntscc-cifar"), ("successive-single", "successive-single-2"),
     ("successive-residual", "")],
)  # fmt: skip
def test_cells_come_out_as_the_bare_codec_gives_them(small_photo, one_thread, codec, weights):
    picture = np.ascontiguousarray(small_photo[:64, :96])
    loaded = kept_codec(codec, weights, "cpu")
    code = loaded.weights_hash.hex()
    cells = [
        Cell(codec, weights, code, "a.png", picture_hash(picture), snr_db, cbr, "awgn", "ideal", seed)
        for cbr in (1 / 6, 1 / 12) for snr_db, seed in ((0.0, 1), (10.0, 1), (10.0, 2))
    ]  # fmt: skip
    found = measure_task(on_the_cpu, cells, [picture] * len(cells), [True] * len(cells))
    for cell, measured in zip(cells, found):
        settings = LinkSettings(control_snr_db=cell.snr_db)
        rng = np.random.default_rng(cell.noise_seed)
        alone = [*ideal_picture(loaded, ("a.png", picture), cell.cbr, "awgn", cell.snr_db, rng, settings)][-1]
        assert measured.row["error"] == ""
        assert np.array_equal(measured.picture, alone.received)
        assert measured.row["psnr_db"] == alone.report["psnr_db"]
        assert measured.row["uses.payload"] == alone.report["uses"]["payload"]
        assert measured.row["cbr.paper"] == alone.report["cbr"]["paper"]
        assert measured.row["seconds.encode"] > 0
    assert len({measured.row["psnr_db"] for measured in found}) == len(cells)


def test_a_cell_that_fails_takes_no_other_along_and_only_shown_pictures_come_back(small_photo):
    picture = np.ascontiguousarray(small_photo[:64, :96])
    code = kept_codec("deepjscc", "", "cpu").weights_hash.hex()
    good = Cell("deepjscc", "", code, "a.png", picture_hash(picture), 10.0, 1 / 12, "awgn", "ideal", 1)
    bad = dataclasses.replace(good, channel="no-such-channel")
    found = measure_task(on_the_cpu, [bad, good, good], [picture] * 3, [True, True, False])
    assert [bool(one.row["error"]) for one in found] == [True, False, False]
    assert [one.picture is not None for one in found] == [False, True, False]
