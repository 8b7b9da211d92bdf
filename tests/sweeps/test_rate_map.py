"""Where a codec that adapts its rate spends its channel uses: as it tells, kept by a sweep, drawn by the report."""

import io

import numpy as np
import pytest
import torch
from distributed import Client
from PIL import Image

from gr_jscc.channel.noise import noise
from gr_jscc.codecs.base import CodecError, Reception, UseMap
from gr_jscc.codecs.ntscc.codec import NTSCC
from gr_jscc.codecs.ntscc.config import NTSCCConfig
from gr_jscc.codecs.ntscc.network import NTSCCNetwork
from gr_jscc.imaging import save_image
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.sweeps.cells import make_plan
from gr_jscc.sweeps.experiment import parse_experiment
from gr_jscc.sweeps.measurement import kept_codec
from gr_jscc.sweeps.page.content import sections
from gr_jscc.sweeps.page.strip import Panel, PictureStrip, over_pixels
from gr_jscc.sweeps.runner import plan_content, run_work, work_left
from gr_jscc.sweeps.store import Store, StoreError
from gr_jscc.weights import write_model

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread")]

CBR = 0.1
ATTENTION = {"inner": 8, "heads": 2, "window": 4, "hidden": 8}
TINY = {
    "latents": 32,
    "transforms": {"kind": "windows", "widths": [8, 8], "blocks": [1, 1], "heads": 2, "window": 4},
    "rates": [2, 4, 8, 16, 32],
    "codec": {"blocks": 1, **ATTENTION},
    "hyper": {"width": 8, "channels": 3, "kernel": 3},
    "refine": 8,
    "multipliers": [3000.0, 60.0],
    "eta": 0.6,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photo):
    """With weights of two tiny codecs, and a picture whose left half is plain."""
    folder = tmp_path_factory.mktemp("rate-map")
    pixels = torch.from_numpy(photo.copy()).permute(2, 0, 1).float() / 255
    crops = pixels.unfold(1, 32, 64).unfold(2, 32, 64).permute(1, 2, 0, 3, 4).reshape(-1, 3, 32, 32)
    for name, options in (("adaptive", {}), ("alike", {"refine": 0, "adaptive": False})):
        torch.manual_seed(1)
        network = NTSCCNetwork(NTSCCConfig(**{**TINY, **options}))
        network.start_linear(crops)
        write_model(folder / f"{name}.safetensors", "ntscc", network.config, network.state_dict(), {})
    picture = photo[150:214, 100:202].copy()
    picture[:, :50] = 90
    save_image(folder / "halves" / "halves.png", picture)
    return folder


@pytest.fixture(scope="module")
def picture(folder):
    return np.array(Image.open(folder / "halves" / "halves.png"))


@pytest.mark.parametrize("size", [(64, 64), (61, 47)])
def test_the_map_is_what_is_sent(folder, picture, size):
    codec = NTSCC(folder / "adaptive.safetensors")
    image = picture[: size[0], : size[1]]
    for eta in (None, 0.3):
        codec.eta = eta
        told, sent = codec.use_map(image, CBR), codec.transmitter(CBR).start(image).symbols
        assert told.stride == 4 and told.uses.dtype == np.float32
        assert told.uses.shape == (16, 16 if size[1] == 64 else 12)
        assert told.uses.sum() == len(sent)
    with pytest.raises(CodecError, match="not 0.9"):
        codec.use_map(image, 0.9)


def test_detail_costs_more_than_none(folder, picture):
    uses = NTSCC(folder / "adaptive.safetensors").use_map(picture, CBR).uses
    assert 2 * uses[:, :12].mean() < uses[:, 13:].mean()


def test_codecs_that_treat_all_alike_have_no_map(folder, picture, codec):
    assert NTSCC(folder / "alike.safetensors").use_map(picture, CBR) is None
    assert codec.use_map(picture, 1 / 12) is None


def test_patches_over_pixels():
    uses = UseMap(np.array([[1, 2], [3, 4]], np.float32), 4)
    assert over_pixels(uses, 5, 7).tolist() == 4 * [4 * [1] + 3 * [2]] + [4 * [3] + 3 * [4]]


def send(cells, pictures):
    """Over white noise."""
    (cell,), (picture,) = cells, pictures
    codec = kept_codec(cell.codec, cell.weights, "cpu")
    payload = codec.transmitter(cell.cbr).start(picture)
    variance = np.full(len(payload.symbols), 10 ** (-cell.snr_db / 10), np.float32)
    symbols = payload.symbols + noise(payload.symbols.shape, variance, np.random.default_rng(cell.noise_seed))
    received = codec.receiver(*picture.shape[:2]).push(Reception(symbols, variance, payload.side_info))
    report = {"psnr_db": psnr_db(picture, received), "cbr": {"total": len(symbols) / picture.size}}
    return [(report | {"ms_ssim": None, "seconds": {"encode": 1.0, "decode": 1.0}}, received)]


def test_a_sweep_keeps_the_map_and_the_report_draws_it_over_the_picture(folder, picture, tmp_path):
    experiment = parse_experiment(
        {
            "name": "maps", "title": "Maps", "snr_db": [10], "cbr": [0.05, CBR], "images": [{"name": "halves"}],
            "schemes": [
                {"label": name, "codec": "ntscc", "weights": str(folder / f"{name}.safetensors")}
                for name in ("adaptive", "alike")
            ],
            "strips": [{"images": "halves", "image": "halves.png", "cbr": CBR, "crop": 60, "at": [30, 0]}],
        },
        "here",
    )  # fmt: skip
    plan, store = make_plan(experiment, folder), Store.create(tmp_path)
    store.save_experiment("maps", plan_content(plan, "gr-jscc sweep maps"))
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        assert not [m.row["error"] for _, m in run_work(client, work_left(plan, store).tasks, send, store)][0]
    assert len(list((tmp_path / "pictures").glob("*.npz"))) == 1 and not list(tmp_path.rglob("*.part"))

    (section,) = sections(store)
    (strip,) = [part for part in section.parts if isinstance(part, PictureStrip)]
    original, adaptive, its_map, alike = strip.panels
    assert [panel.uses is None for panel in strip.panels] == [True, True, False, True]
    expected = over_pixels(NTSCC(folder / "adaptive.safetensors").use_map(picture, CBR), 64, 102)[:60, 30:90]
    assert np.array_equal(its_map.uses, expected) and np.array_equal(its_map.picture, original.picture)
    told = f"patches of 4×4: {expected.min():g} to {expected.max():g}, mean {expected.mean():.1f}"
    assert its_map.caption == f"adaptive: channel uses\n{told}"
    assert adaptive.caption.startswith("adaptive\nPSNR ") and alike.caption.startswith("alike\nPSNR ")

    (kept,) = (tmp_path / "pictures").glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:-30])
    with pytest.raises(StoreError, match="damaged store: .*npz"):
        sections(store)
    store.close()


def drawn(*panels):
    return np.array(Image.open(io.BytesIO(PictureStrip("strip", "A strip", list(panels)).image("png"))).convert("RGB"))


def test_the_strip_has_colours_over_the_picture_and_their_scale_below(picture):
    plain = Panel(picture, "original")
    uses = np.full(picture.shape[:2], 8, np.float32)
    uses[:, 50:] = 64
    without, with_map = drawn(plain, plain), drawn(plain, Panel(picture, "map", uses))
    assert with_map.shape[0] - without.shape[0] == pytest.approx(0.65 * 150, abs=1) and with_map.shape[1] == 780

    def colours(image):
        return image.max(axis=2).astype(int) - image.min(axis=2)

    panels, scale = with_map[: without.shape[0]], with_map[without.shape[0] :]
    few, many = panels[100, 420].astype(int), panels[100, 750].astype(int)
    assert few[2] > few[1] and many[1] > many[2]  # blue for few, green or yellow for many
    assert (colours(scale).max(axis=0) > 40).mean() > 0.5  # a bar of colours, over half the width or more
    same = drawn(Panel(picture, "map", np.full(picture.shape[:2], 8, np.float32)))  # nothing to tell apart
    assert (colours(same) > 40).any()
