"""One picture over links, from Python: files, arrays and objects in; picture, report and row out."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from gr_jscc import FlowgraphLink, IdealLink, SimulatedLink, send
from gr_jscc.channel import Scenario
from gr_jscc.codecs.deepjscc.codec import DeepJSCC
from gr_jscc.codecs.wrapped import Wrapped
from gr_jscc.errors import UserError
from gr_jscc.host.main import main
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.modem import numerology
from gr_jscc.weights import find_model

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def picture(small_photo):
    return np.ascontiguousarray(small_photo[:96, :128])


class Own(DeepJSCC):
    name = "own"
    weights_codec = "deepjscc"


def test_the_package_loads_nothing_until_it_is_asked():
    code = "import sys, gr_jscc; print([m for m in ('torch', 'gnuradio', 'numpy', 'rich') if m in sys.modules])"
    code += "; from gr_jscc import send, evaluate, SimulatedLink; print('gnuradio' in sys.modules)"
    code += "; print('send' in dir(gr_jscc), hasattr(gr_jscc, 'receive'))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == ["[]", "False", "True False"]


def test_a_picture_may_be_a_file_an_array_or_pillows(picture, tmp_path):
    Image.fromarray(picture).save(tmp_path / "p.png")
    opened = Image.open(tmp_path / "p.png")
    sent = [send(given) for given in (tmp_path / "p.png", str(tmp_path / "p.png"), picture, opened)]
    assert [one.row["image"] for one in sent] == ["p.png", "p.png", "picture", "p.png"]
    for one in sent:
        assert (one.picture == sent[0].picture).all() and (one.original == picture).all()
        assert one.psnr_db == pytest.approx(psnr_db(picture, one.picture), abs=1e-3)


def test_pillows_images_are_converted_as_files_are(picture, tmp_path):
    grey = Image.fromarray(picture).convert("L")
    clear = Image.fromarray(np.dstack([picture, np.full(picture.shape[:2], 0, np.uint8)]))
    assert (send(grey).original == np.asarray(grey)[..., None]).all()
    assert (send(clear).original == 255).all()


@pytest.mark.parametrize(
    "bad",
    [np.zeros((8, 8, 3)), np.zeros((8, 8), np.uint8), np.zeros((0, 8, 3), np.uint8), "missing.png", object(), None],
    ids=["float", "grey", "empty", "missing", "object", "None"],
)
def test_what_is_no_picture_is_one_line(bad):
    with pytest.raises(UserError) as told:
        send(bad)
    assert str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("kind", [DeepJSCC, Own, "deepjscc"])
@pytest.mark.parametrize("made", [False, True])
def test_a_codec_may_be_a_name_a_class_or_an_object(picture, kind, made):
    codec = kind() if made and isinstance(kind, type) else kind
    assert send(picture, codec).psnr_db == send(picture).psnr_db


@pytest.mark.parametrize(
    ("codec", "weights", "line"),
    [
        (DeepJSCC(), "deepjscc-photo", "keeps its weights"),
        (dict, None, "is no subclass"),
        (Wrapped, None, "name must be|lacks"),
        (7, None, "a name, a class or an object"),
        ("nosuch", None, "unknown codec"),
    ],
)
def test_what_is_no_codec_is_one_line(picture, codec, weights, line):
    with pytest.raises(UserError, match=line) as told:
        send(picture, codec, weights=weights)
    assert "\n" not in str(told.value)


def test_weights_that_changed_are_read_again(picture, tmp_path):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(find_model("deepjscc-photo").read_bytes())
    assert send(picture, weights=path).row["weights"] == "mine"
    path.write_bytes(b"no weights")
    with pytest.raises(UserError):
        send(picture, weights=path)


def test_the_seed_decides(picture):
    first, again, other = (SimulatedLink(5, seed=seed).send(picture).picture for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()
    first, again, other = (send(picture, seed=seed, snr_db=5).picture for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


def test_it_is_what_loopback_gives(picture, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture).save("p.png")
    with pytest.raises(SystemExit):
        main(["loopback", "p.png", "--ideal", "--json", "--snr", "7", "--seed", "3"])
    row = json.loads(capsys.readouterr().out)
    mine = send("p.png", snr_db=7, seed=3).row
    assert mine.keys() == row.keys() | {"link"}
    assert {key: mine[key] for key in row if "seconds" not in key} == {
        key: row[key] for key in row if "seconds" not in key
    }


def test_the_whole_link_is_close_to_the_ideal_one(picture):
    ideal, simulated = IdealLink(8).send(picture), SimulatedLink(8).send(picture)
    assert abs(ideal.psnr_db - simulated.psnr_db) < 0.5
    assert simulated.report["cbr"] == ideal.report["cbr"]  # what is charged
    assert simulated.report["link"]["snr_est_db"] == pytest.approx(8, abs=0.5)
    assert simulated.report["link"]["cfo_hz"] == pytest.approx(0.1 * 1e6 / 64, rel=0.02)


@pytest.mark.gnuradio
@pytest.mark.parametrize(
    ("channel", "settings"),
    [("awgn", None), ("multipath", None), ("awgn", LinkSettings(500, numerology=numerology(128, 12, 100)))],
)
def test_with_and_without_gnu_radio_it_is_the_same_link(picture, channel, settings):
    kinds = SimulatedLink, FlowgraphLink
    numpy, flowgraph = (kind(12, channel, settings=settings).send(picture, Own()) for kind in kinds)
    ideal = IdealLink(12, channel, settings=settings).send(picture, Own())
    assert numpy.report["cbr"] == ideal.report["cbr"] and numpy.report["uses"]["air"] == ideal.report["uses"]["air"]
    assert abs(numpy.psnr_db - flowgraph.psnr_db) < 0.3
    assert numpy.report["cbr"] == flowgraph.report["cbr"] and numpy.report["bursts"] == flowgraph.report["bursts"]
    assert numpy.row.keys() == flowgraph.row.keys()
    assert (numpy.link, flowgraph.link) == ("simulated", "flowgraph")


def test_lost_bursts_and_scenarios(picture):
    lossy = SimulatedLink(loss=0.4, seed=3).send(picture).report["bursts"]
    assert 0 < lossy["lost"] < lossy["sent"]
    nothing = SimulatedLink(loss=1.0).send(picture)
    assert not nothing.arrived and nothing.picture is None and "not received" in repr(nothing)
    assert Image.open(io.BytesIO(nothing._repr_png_())).size == (2 * 128 + 8, 96)
    link = SimulatedLink(scenario=Scenario({"awgn": {"snr_db": 3.0}}, name="room"))
    first, again = link.send(picture), link.send(picture)
    assert first.psnr_db == again.psnr_db and first.row["snr_db"] is None and first.row["channel"] == "room"
    assert first.report["link"]["snr_est_db"] == pytest.approx(3, abs=0.5)


def test_layers_give_one_final_picture(small_photo):
    sent = SimulatedLink(10).send(small_photo[:64, :96], "successive-single", 1 / 6)
    assert len(sent.report["rounds"]) == sent.row["rounds"] > 1
    assert sent.report["rounds"][-1]["psnr_db"] == sent.psnr_db


def test_a_notebook_shows_both(picture):
    sent = send(picture)
    shown = np.asarray(Image.open(io.BytesIO(sent._repr_png_())))
    assert (shown[:, :128] == picture).all() and (shown[:, -128:] == sent.picture).all()
    assert repr(sent).startswith("picture by deepjscc over ideal-awgn at 10 dB: PSNR ")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"snr_db": float("nan")}, "snr_db must be"),
        ({"channel": "nosuch"}, "unknown channel"),
        ({"cbr": 1 / 2}, "supports a CBR"),
        ({"link": IdealLink()}, "made already"),
        ({"codec": "separation-capacity", "link": SimulatedLink}, "is a bound, not"),
    ],
    ids=["snr", "channel", "cbr", "link", "bound"],
)
def test_what_makes_no_sense_is_one_line(picture, options, line):
    with pytest.raises(UserError, match=line) as told:
        send(picture, **options)
    assert "\n" not in str(told.value)
