"""Tile by tile a network gives what it gives for the whole picture."""

import numpy as np
import pytest
import torch

from gr_jscc.codecs.deepjscc.temporal_network import TemporalNetwork
from gr_jscc.codecs.parts.deepjscc_network import DeepJSCCNetwork
from gr_jscc.codecs.parts.transforms import MixedOptions, MixedTransforms
from gr_jscc.nn import tiles
from gr_jscc.nn.window_attention import WindowBlocks
from gr_jscc.resident import resident_mb

ROUNDING = 2e-6  # of values around 1, in sums that a kernel for another size takes in another order


@pytest.fixture(params=[(3, 4), (5, 1), (2, 7)], ids=str)
def twice(request, monkeypatch):
    """Calls a function that works tile by tile: for the whole, and cut down and across."""

    def both(function, *inputs):
        found, asked = [], []
        for cuts in ((1, 1), request.param):
            monkeypatch.setattr(tiles, "best_cuts", lambda *_, cuts=cuts: asked.append(cuts) or cuts)
            with torch.inference_mode():
                found.append(function(*inputs))
        assert request.param in asked, "nothing was cut"
        return found

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


@pytest.mark.parametrize("options", [{"hidden": 8}, {"hidden": 8, "mixed": True}, {"hidden": (4, 8)}], ids=str)
def test_both_halves_of_deepjscc(twice, options):
    network = shaken(DeepJSCCNetwork(8, 8, 16, encoder_blocks=(2, 2), decoder_blocks=(2, 2), **options))
    pictures, rate = torch.rand(1, 3, 136, 264, generator=torch.Generator().manual_seed(2)), torch.tensor([6])
    whole, cut = twice(lambda x: network.encode(x, rate), pictures)
    assert close(whole, cut)
    noise_var = torch.full_like(whole, 0.1)
    assert close(*twice(lambda x, n: network.decode(x, n, rate), whole, noise_var))


@pytest.mark.parametrize("hidden", [8, (4, 8)])
def test_both_halves_of_a_frame_after_another(twice, hidden):
    network = shaken(TemporalNetwork(8, 8, 16, hidden=hidden, encoder_blocks=(1, 2), decoder_blocks=(2, 2)))
    frame, reference = torch.rand(2, 1, 3, 136, 264, generator=torch.Generator().manual_seed(2))
    rate, age = torch.tensor([6]), torch.tensor([2])
    whole, cut = twice(lambda x, y: network.encode_beside(x, y, rate, age), frame, reference)
    assert close(whole, cut)

    def decode(received, noise_var, reference):
        return network.decode_beside(received, noise_var, rate, torch.ones(1), reference, age)

    assert close(*twice(decode, whole, torch.full_like(whole, 0.1), reference))


@pytest.mark.parametrize("hidden", [8, [4, 8]])
@pytest.mark.parametrize("padding", ["zeros", "replicate"])
def test_transforms_with_windows(twice, padding, hidden):
    attention = {"inner": 8, "heads": 2, "window": 4, "hidden": 8}
    options = MixedOptions(8, 16, hidden, [1, 1, 3], [1, 1, 2], attention, padding=padding)
    transforms = shaken(MixedTransforms(latents=32, options=options))
    pictures = torch.rand(1, 3, 208, 336, generator=torch.Generator().manual_seed(2))
    whole, cut = twice(transforms.analyse, pictures)
    assert close(whole, cut)
    numbers = torch.zeros(1, 4)
    assert close(*twice(lambda y, t: transforms.synthesise(y, t, numbers), whole, whole / 9))


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("window", [4, 5])
def test_windows_are_where_they_were(twice, window, shifted):
    blocks = shaken(WindowBlocks(8, 3, inner=8, heads=2, window=window, hidden=8, shifted=shifted))
    x = torch.randn(1, 8, 33, 51, generator=torch.Generator().manual_seed(2))
    assert close(*twice(blocks, x))


def test_a_rim_too_narrow_would_be_seen(twice):
    blur = shaken(torch.nn.Conv2d(1, 1, 5, padding=2))
    x = torch.rand(1, 1, 60, 80, generator=torch.Generator().manual_seed(2))
    for reach, expected in ((2, True), (1, False)):
        cut = twice(lambda x, r=reach: tiles.by_tiles([tiles.Stage(blur, r)], [x], values=1), x)
        assert close(*cut) is expected


@pytest.mark.parametrize("seed", range(20))
def test_stages_may_reach_further_than_tiles_are_wide(seed, monkeypatch):
    random, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    reaches = random.integers(0, 5, 4).tolist()
    blurs = [shaken(torch.nn.Conv2d(2, 2, 2 * reach + 1, padding=reach)).double() for reach in reaches]
    sides = random.integers(1, 60, 2).tolist()
    x, y, first, last = torch.rand(4, 1, 2, *sides, generator=generator, dtype=torch.float64)
    stages = [tiles.Stage(lambda x, y, blur=blur: (blur(x), blur(x - y)), reach) for blur, reach in zip(blurs, reaches)]
    stages[1] = tiles.Stage(lambda x, y, beside: (blurs[1](x * beside), y, x * y), reaches[1], [first], keeps=1)
    stages.append(tiles.Stage(lambda x, y, beside: (x + y * beside, y.sin()), 0, [last]))
    multiple, found = int(random.choice([1, 2, 4])), []
    for cuts in ((1, 1), (4, 9)):
        monkeypatch.setattr(tiles, "best_cuts", lambda *_, cuts=cuts: cuts)
        with torch.inference_mode():
            found.append(tiles.all_by_tiles(stages, [x, y], 1, multiple))
    assert [len(results) for results in found] == [3, 3]
    assert all(torch.allclose(whole, cut) for whole, cut in zip(*found))


@pytest.mark.parametrize("seed", range(10))
def test_stages_that_are_told_their_place_look_no_further_than_they_reach(seed, monkeypatch):
    random, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    reaches, multiple = random.integers(0, 6, 4).tolist(), int(random.choice([2, 4, 5]))
    blurs = [shaken(torch.nn.Conv2d(1, 1, 2 * reach + 1, padding=reach)).double() for reach in reaches]
    x = torch.rand(1, 1, *random.integers(20, 60, 2).tolist(), generator=generator, dtype=torch.float64)

    def chequered(x, begin, blur):
        """Depends on where the part is, by the parity of its rows and columns."""
        rows, columns = (torch.arange(length) + at for length, at in zip(x.shape[2:], begin))
        return blur(x * (1 + (rows[:, None] + columns) % 2))

    stages = [
        tiles.Stage(lambda x, begin, b=blur: chequered(x, begin, b), reach, placed=True)
        for blur, reach in zip(blurs, reaches)
    ]
    stages.insert(2, tiles.Stage(blurs[0], reaches[0]))  # not told: its parts begin at multiples
    found = []
    for cuts in ((1, 1), (3, 4)):
        monkeypatch.setattr(tiles, "best_cuts", lambda *_, cuts=cuts: cuts)
        with torch.inference_mode():
            found.append(tiles.by_tiles(stages, [x], 1, multiple))
    assert torch.allclose(*found)


@pytest.mark.parametrize("form", [torch.channels_last, torch.contiguous_format], ids=str)
def test_channels_are_where_they_are_in_the_whole(form, twice):
    x = torch.rand(1, 8, 60, 80).contiguous(memory_format=form)
    whole, cut = twice(lambda x: tiles.by_tiles([tiles.Stage(torch.sqrt, 1)], [x], 8), x)
    assert whole.stride() == cut.stride() and cut.is_contiguous(memory_format=form)


def test_nothing_is_made_twice_but_within_one_stages_reach(monkeypatch):
    monkeypatch.setattr(tiles, "best_cuts", lambda *_: (1, 4))
    seen = np.zeros(10, int)

    def stage(x, place):
        seen[place] += x.shape[3]
        return x

    stages = [tiles.Stage(lambda x, i=i: stage(x, i), 2) for i in range(10)]
    made = tiles.by_tiles(stages, [torch.zeros(1, 1, 3, 240)], values=1)
    assert made.shape == (1, 1, 3, 240) and seen.tolist() == [240 + 3 * 2 * 2] * 10


def test_gradients_pass_through_tiles(monkeypatch):
    blur = shaken(torch.nn.Conv2d(1, 1, 3, padding=1))
    found = []
    for largest in (1 << 40, 4000):
        monkeypatch.setattr(tiles, "LARGEST", largest)
        x = torch.rand(1, 1, 60, 80, generator=torch.Generator().manual_seed(2)).requires_grad_(True)
        tiles.by_tiles([tiles.Stage(blur, 1)], [x], values=1).square().sum().backward()
        found.append(x.grad)
    assert close(*found)


def test_what_tiles_took_is_given_back():
    wide, narrow = torch.nn.Conv2d(1, 16, 3, padding=1), torch.nn.Conv2d(16, 1, 3, padding=1)
    x = torch.zeros(1, 1, 2000, 2000)
    with torch.inference_mode():
        before = resident_mb()
        made = tiles.by_tiles([tiles.Stage(wide, 1), tiles.Stage(narrow, 1)], [x], values=16)
        assert resident_mb() - before < 4e-6 * made.numel() + 20
