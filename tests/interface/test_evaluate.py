"""Codecs over pictures, SNRs and CBRs: rows of one table, whatever can be sent."""

import functools

import numpy as np
import pytest

from gr_jscc import SimulatedLink, evaluate, load_codec
from gr_jscc.errors import UserError
from gr_jscc.imaging import save_image

pytestmark = pytest.mark.timeout(120)
PROMISED = {
    "codec", "weights", "image", "snr_db", "cbr", "channel", "seed", "psnr_db", "ms_ssim", "cbr_payload", "cbr_total",
    "encode_seconds", "decode_seconds", "error",
}  # fmt: skip


@pytest.fixture
def pictures(small_photo, tmp_path):
    for number in (1, 2):
        save_image(tmp_path / f"{number}.png", small_photo[64 * number : 64 * number + 64, :96])
    return tmp_path


def test_a_row_for_each_picture_codec_cbr_and_snr(pictures):
    codecs = ["deepjscc", load_codec("separation", "hevc:10dB")]
    rows = evaluate(codecs, pictures, [2, 12], [1 / 24, 1 / 6], seeds=[1, 2], quiet=True)
    keys = {(r["image"], r["codec"], r["cbr"], r["snr_db"], r["seed"]) for r in rows}
    assert len(rows) == len(keys) == 2**5
    assert all(row.keys() == rows[0].keys() for row in rows) and PROMISED <= rows[0].keys()
    assert not [value for row in rows for value in row.values() if isinstance(value, list | dict | np.generic)]
    learned = [row for row in rows if row["codec"] == "deepjscc" and row["cbr"] == 1 / 6]
    assert all(row["arrived"] and row["psnr_db"] > 20 and not row["error"] for row in learned)
    assert not any(row["arrived"] for row in rows if row["codec"] == "separation" and row["snr_db"] == 2)  # the cliff


def test_what_a_codec_cannot_send_is_a_row_with_the_reason(small_photo):
    images = {"dot": np.zeros((1, 1, 3), np.uint8), "parrots": small_photo[:64, :96]}
    rows = evaluate("deepjscc", images, [10], [1 / 12, 1 / 2], quiet=True)
    told = [(row["image"], row["arrived"], row["error"]) for row in rows]
    assert [one[0] for one in told] == ["dot", "dot", "parrots", "parrots"]
    assert "too small" in told[0][2] and "supports a CBR" in told[1][2] and told[2][1:] == (True, "")
    assert rows[0].keys() == rows[2].keys() and rows[0]["psnr_db"] is None and rows[0]["decode_seconds"] is None


@pytest.mark.parametrize(
    "bad", [{"codecs": "nosuch"}, {"images": "missing/"}, {"snrs_db": [99]}, {"channel": "no"}], ids=str
)
def test_what_makes_no_sense_is_told_before_anything_is_sent(pictures, bad):
    with pytest.raises(UserError) as told:
        evaluate(**{"codecs": "deepjscc", "images": pictures, "quiet": True} | bad)
    assert "\n" not in str(told.value)


def test_other_links_and_arrays_without_names(small_photo):
    lossy = functools.partial(SimulatedLink, loss=0.3)
    rows = evaluate("deepjscc", [small_photo[:64, :96], small_photo[:32, :64]], [10], link=lossy, quiet=True)
    assert [row["image"] for row in rows] == ["picture-1", "picture-2"]
    assert {row["link"] for row in rows} == {"simulated"} and sum(row["bursts_lost"] for row in rows) >= 0


def test_pandas_takes_the_rows_as_they_are(pictures):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(evaluate("deepjscc", pictures, [0, 10], quiet=True))
    assert table.groupby("snr_db").psnr_db.mean().is_monotonic_increasing
    assert not table.map(lambda value: isinstance(value, dict | list)).any().any()
