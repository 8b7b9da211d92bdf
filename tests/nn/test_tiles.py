"""Tile by tile a network gives what it gives for the whole picture."""

import pytest
import torch

from gr_jscc.codecs.parts.deepjscc_network import DeepJSCCNetwork
from gr_jscc.codecs.parts.transforms import MixedOptions, MixedTransforms
from gr_jscc.nn import tiles
from gr_jscc.nn.window_attention import WindowBlocks
from gr_jscc.resident import resident_mb

ROUNDING = 2e-6  # of values around 1, in sums that a kernel for another size takes in another order


@pytest.fixture
def small_tiles(monkeypatch):
    """Has a picture of some 10 000 pixels cut in pieces; gives the number of tiles so far, and the whole's twin."""
    counted = []
    inside = tiles._around

    def around(core, rim, size):
        counted.append(str(core) if len(core) == 2 else "")
        return inside(core, rim, size)

    def both(function, *inputs, largest):
        with torch.inference_mode():
            monkeypatch.setattr(tiles, "LARGEST", 1 << 40)
            whole = function(*inputs)
            monkeypatch.setattr(tiles, "LARGEST", largest)
            counted.clear()
            monkeypatch.setattr(tiles, "_around", around)
            cut = function(*inputs)
            monkeypatch.setattr(tiles, "_around", inside)
        assert len(set(counted)) > 4, "nothing was cut"
        return whole, cut

    return both


def shaken(network):
    """As if it had been trained: no weight is 0."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return network.eval()


def close(whole, cut):
    return float((whole - cut).abs().max()) <= ROUNDING * float(whole.abs().max().clamp(min=1))


@pytest.mark.parametrize("mixed", [False, True])
def test_both_halves_of_deepjscc(small_tiles, mixed):
    network = shaken(DeepJSCCNetwork(8, 8, 16, 8, encoder_blocks=(1, 2), decoder_blocks=(1, 2), mixed=mixed))
    pictures, rate = torch.rand(1, 3, 136, 264, generator=torch.Generator().manual_seed(2)), torch.tensor([6])
    whole, cut = small_tiles(lambda x: network.encode(x, rate), pictures, largest=25_000)
    assert close(whole, cut)
    noise_var = torch.full_like(whole, 0.1)
    assert close(*small_tiles(lambda x, n: network.decode(x, n, rate), whole, noise_var, largest=40_000))


@pytest.mark.parametrize("padding", ["zeros", "replicate"])
def test_transforms_with_windows(small_tiles, padding):
    attention = {"inner": 8, "heads": 2, "window": 4, "hidden": 8}
    options = MixedOptions(8, 16, 8, [1, 1, 3], [1, 1, 2], attention, padding=padding)
    transforms = shaken(MixedTransforms(latents=32, options=options))
    pictures = torch.rand(1, 3, 208, 336, generator=torch.Generator().manual_seed(2))
    whole, cut = small_tiles(transforms.analyse, pictures, largest=40_000)
    assert close(whole, cut)
    numbers = torch.zeros(1, 4)
    assert close(*small_tiles(lambda y, t: transforms.synthesise(y, t, numbers), whole, whole / 9, largest=40_000))


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("window", [4, 5])
def test_windows_are_where_they_were(small_tiles, window, shifted):
    blocks = shaken(WindowBlocks(8, 3, inner=8, heads=2, window=window, hidden=8, shifted=shifted))
    x = torch.randn(1, 8, 33, 51, generator=torch.Generator().manual_seed(2))
    assert close(*small_tiles(blocks, x, largest=40_000))


def test_a_rim_too_narrow_would_be_seen(small_tiles):
    blur = shaken(torch.nn.Conv2d(1, 1, 5, padding=2))
    x = torch.rand(1, 1, 60, 80, generator=torch.Generator().manual_seed(2))
    for reach, expected in ((2, True), (1, False)):
        cut = small_tiles(lambda x, r=reach: tiles.by_tiles([(blur, r)], [x], values=1), x, largest=4000)
        assert close(*cut) is expected


def test_gradients_pass_through_tiles(small_tiles, monkeypatch):
    blur = shaken(torch.nn.Conv2d(1, 1, 3, padding=1))
    found = []
    for largest in (1 << 40, 4000):
        monkeypatch.setattr(tiles, "LARGEST", largest)
        x = torch.rand(1, 1, 60, 80, generator=torch.Generator().manual_seed(2)).requires_grad_(True)
        tiles.by_tiles([(blur, 1)], [x], values=1).square().sum().backward()
        found.append(x.grad)
    assert close(*found)


def test_what_tiles_took_is_given_back():
    wide, narrow = torch.nn.Conv2d(1, 16, 3, padding=1), torch.nn.Conv2d(16, 1, 3, padding=1)
    x = torch.zeros(1, 1, 2000, 2000)
    with torch.inference_mode():
        before = resident_mb()
        made = tiles.by_tiles([(wide, 1), (narrow, 1)], [x], values=16)
        assert resident_mb() - before < 4e-6 * made.numel() + 20
