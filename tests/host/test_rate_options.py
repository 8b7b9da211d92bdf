"""``--cbr-max`` and ``--eta`` as a person gives them."""

import json

import pytest
from PIL import Image

from gr_jscc.host.main import main

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(120)]


@pytest.fixture
def call(capsys, monkeypatch, tmp_path, small_photo):
    """Runs ``gr-jscc loopback`` of a small picture; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(small_photo).save(tmp_path / "parrots.png")

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["loopback", "parrots.png", *map(str, arguments)])
        output = capsys.readouterr()
        return ended.value.code, output.out, output.err

    return run


def test_cbr_max_bounds_all_that_the_report_counts(call):
    code, out, err = call("--cbr-max", 0.12, "--snr", 12, "--json")
    assert code == 0 and err == ""
    row = json.loads(out)
    assert row["cbr_payload"] < row["cbr_total"] <= row["cbr"] == 0.12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--cbr-max", 0.005), "deepjscc needs a CBR of at least 1/48 for its payload alone, not 0.005"),
        (("--cbr-max", 0.022), "cannot be sent by deepjscc at a total CBR of 0.022"),
        (("--cbr-max", "much"), "must be a ratio above 0"),
        (("--eta", 0.3), "deepjscc has no eta"),
        (("--eta", 0.3, "--ideal"), "deepjscc has no eta"),
        (("--codec", "successive-multiple", "--cbr-max", 0.3, "--ideal"), "sends several rounds"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(call, options, message):
    code, out, err = call(*options)
    assert code == 2 and out == "" and err.count("\n") == 1 and message in err
