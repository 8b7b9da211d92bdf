"""Measuring successive refinement: the figures are those of the codecs' halves, and the page says what was measured."""

import json

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from gr_jscc.benchmarks.successive import psnr_after_layers, residual_table, successive_figures
from gr_jscc.benchmarks.successive_page import write_successive_report
from gr_jscc.channel.noise import noise
from gr_jscc.codecs.base import Reception
from gr_jscc.codecs.registry import load_codec
from gr_jscc.codecs.successive.network import MultipleNetwork, ResidualNetwork, SingleNetwork
from gr_jscc.figures import Figure
from gr_jscc.host.reproduce import reproduce
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.weights import write_model

pytestmark = pytest.mark.timeout(120)

HALF = {"width": 8, "blocks": 1, "passes": 1}


@pytest.fixture(scope="module")
def pictures(photo):
    """uint8[24, 3, 32, 32] cut from the photo."""
    cut = torch.from_numpy(photo.copy()).permute(2, 0, 1).unfold(1, 32, 32).unfold(2, 32, 32)
    return cut.permute(1, 2, 0, 3, 4).reshape(-1, 3, 32, 32)[::16].contiguous()


@pytest.fixture(scope="module")
def runs(pictures, tmp_path_factory):
    """A folder of runs whose models are linear codes."""
    folder = tmp_path_factory.mktemp("runs")
    crops = pictures.float() / 255
    models = {
        "successive-multiple-2": ("successive-multiple", MultipleNetwork, {}),
        "successive-rayleigh-2": ("successive-multiple", MultipleNetwork, {"fading": True}),
        "successive-single-2": ("successive-single", SingleNetwork, {}),
        "successive-residual-2": ("successive-residual", ResidualNetwork, {}),
    }
    for name, (codec, design, more) in models.items():
        torch.manual_seed(1)
        network = design(layers=2, latents=8, kind="recursive", encoder=HALF, decoder=HALF, **more)
        if design is ResidualNetwork:
            network.start_linear(0, crops, 13.0)
            with torch.no_grad():
                left = crops - network(crops, lambda s: (s, torch.full(s.shape, 0.05)))[0]
            network.start_linear(1, left, 13.0)
        else:
            network.start_linear(crops, 13.0)
        (folder / name).mkdir()
        write_model(folder / name / f"{name}.safetensors", codec, network.config, network.state_dict(), {})
    return folder


def loaded(runs, scheme):
    return load_codec(f"successive-{scheme}", runs / f"successive-{scheme}-2" / f"successive-{scheme}-2.safetensors")


def through_halves(codec, pictures, snr_db, draws, feedback):
    """Mean PSNR after each layer, picture by picture through the two halves."""
    rng, total = np.random.default_rng(9), np.zeros(2)
    for picture in pictures:
        image = picture.permute(1, 2, 0).numpy()
        for _ in range(draws):
            transmitter, receiver = codec.transmitter(1 / 6), codec.receiver(32, 32)
            payload = transmitter.start(image)
            for layer in range(2):
                variance = np.full(len(payload.symbols), 10 ** (-snr_db / 10), np.float32)
                symbols = (payload.symbols + noise(payload.symbols.shape, variance, rng)).astype(np.complex64)
                reception = Reception(symbols, variance, payload.side_info)
                total[layer] += psnr_db(image, receiver.push(reception))
                payload = transmitter.next(reception if feedback else None)
    return total / (len(pictures) * draws)


@pytest.mark.parametrize("scheme", ["multiple", "single", "residual"])
def test_batches_measure_what_the_halves_give(runs, pictures, scheme):
    codec = loaded(runs, scheme)
    halves = through_halves(codec, pictures, 13.0, 3, feedback=True)
    assert psnr_after_layers(codec, pictures, 13.0, 6, seed=1) == pytest.approx(halves, abs=0.15)


def test_the_table_is_what_the_halves_give_and_rises(runs, pictures):
    codec = loaded(runs, "residual")
    table = residual_table(codec, pictures, 13.0, (1, 10, 40), 6, seed=1)
    values = list(table.values())
    assert list(table) == [1, 10, 40, None]
    assert values == sorted(values) and values[3] > values[2] + 0.3
    for m, feedback in ((10, False), (40, False), (None, True)):
        codec.realisations = m or 1
        halves = through_halves(codec, pictures, 13.0, 3, feedback)[1]
        assert table[m] == pytest.approx(halves, abs=0.2)
    again = psnr_after_layers(codec, pictures, 13.0, 6, seed=1)
    assert table[None] == pytest.approx(again[1], abs=1e-4)  # the same draws


def test_the_same_seed_gives_the_same_figures(runs, pictures):
    codec = loaded(runs, "multiple")
    one, again, other = (psnr_after_layers(codec, pictures, 10.0, 1, seed) for seed in (1, 1, 2))
    assert one == again != other


def test_fading_costs_quality_but_not_the_picture(runs, pictures):
    codec = load_codec("successive-multiple", runs / "successive-rayleigh-2" / "successive-rayleigh-2.safetensors")
    steady, faded = (psnr_after_layers(codec, pictures, 19.0, 4, 1, fading) for fading in (False, True))
    assert 12 < faded[0] < steady[0]


def test_figures_carry_their_bars(runs, pictures, monkeypatch):
    monkeypatch.setattr("gr_jscc.benchmarks.successive.REALISATIONS", (1, 10))
    figures = list(successive_figures(pictures[:4], runs, draws=1, seed=1))
    names = {figure.name for figure in figures}
    assert {"psnr_db", "refinement_gain_db", "single_decoder_loss_db"} <= names
    direct = next(f for f in figures if f.at.get("realisations") == "direct feedback")
    assert direct.least >= 30.34
    curve = [f for f in figures if f.at.get("weights") == "successive-rayleigh-2"]
    assert {f.at["channel"] for f in curve} == {"slow Rayleigh"} and len(curve) == 18


def test_the_command_prints_figures_and_writes_a_page(runs, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr("gr_jscc.benchmarks.successive.REALISATIONS", (1, 10))
    monkeypatch.setattr("gr_jscc.benchmarks.successive_page.REALISATIONS", (1, 10))
    records = np.concatenate([np.zeros((24, 1), np.uint8), pictures.reshape(24, -1).numpy()], axis=1)
    (tmp_path / "cifar").mkdir()
    (tmp_path / "cifar" / "test_batch.bin").write_bytes(records.tobytes())
    app = typer.Typer()
    app.command()(reproduce)
    arguments = ["successive", "--data", str(tmp_path / "cifar"), "--runs", str(runs), "--images", "4", "--draws", "1"]
    arguments += ["--on-air", "0"]
    result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "docs"), "--json"])
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(line["at"]["images"] == 4 for line in lines)
    page = (tmp_path / "docs" / "successive.md").read_text()
    assert "| paper | 29.04 | 29.68 | 30.64 |" in page and "Rayleigh" in page
    for line in lines:
        assert f"{line['value']:.2f}"[:-1] in page  # every figure is on the page
    assert {p.name for p in (tmp_path / "docs" / "images").iterdir()} >= {
        "successive-schemes.webp", "successive-rayleigh.webp",
    }  # fmt: skip


@pytest.mark.parametrize(("change", "message"), [("nosuch", "NAME must be successive"), (None, "folder not found")])
def test_bad_requests_are_told(tmp_path, change, message):
    app = typer.Typer()
    app.command()(reproduce)
    arguments = [change or "successive", "--data", str(tmp_path), "--runs", str(tmp_path / "none")]
    result = CliRunner().invoke(app, arguments)
    assert message in str(result.exception)


def test_a_page_without_some_models_leaves_them_out(tmp_path):
    at = {"weights": "successive-multiple-5", "layers": 1, "snr_db": 13.0, "images": 4, "draws": 1}
    page = write_successive_report([Figure("psnr_db", 27.5, "dB", at)], tmp_path).read_text()
    assert "27.50" in page and "Table I" not in page and "Rayleigh" not in page
