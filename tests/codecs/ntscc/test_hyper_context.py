"""Contexts of hyperlatents: nothing is read that is not decoded yet, bytes are what the density says, and come back."""

import numpy as np
import pytest
import torch

from gr_jscc.codecs.ntscc.hyper_coding import LARGEST
from gr_jscc.codecs.ntscc.hyper_context import HyperContext, framed
from gr_jscc.codecs.ntscc.hyper_context_coding import HyperContextCoder
from gr_jscc.codecs.parts.entropy_coding import CodingError, Decoder, Encoder

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module")
def context():
    """Contexts of 6 channels that say something."""
    torch.manual_seed(1)
    context = HyperContext(channels=6, width=16, inner=8, groups=3)
    for parameter in context.parameters():
        torch.nn.init.normal_(parameter, 0, 0.3)
    return context


def densities(context, hyper):
    """Means and log scales [Z, h, w] of hyperlatents [1, Z, h, w]."""
    around = context.neighbours(hyper)
    features = context.features(around, torch.full((*around.shape[:3], 1), 0.3))
    values = hyper.permute(0, 2, 3, 1)
    parts = [context.group(number, features, values[..., : 2 * number]) for number in range(3)]
    return torch.cat([torch.cat(part, -1) for part in parts], -1)[0].permute(2, 0, 1)


def test_a_density_depends_on_nothing_that_is_decoded_later(context, rng):
    hyper = torch.from_numpy(rng.integers(-5, 6, (1, 6, 5, 7))).float()
    before, row, column, group = densities(context, hyper), 2, 3, 1
    moved = hyper.clone()
    moved[0, 2 * group :, row, column] += 1  # the group itself and those after it,
    moved[0, :, row, column + 1 :] += 1  # and all that is decoded in later steps
    moved[0, :, row + 1 :, column - 1 :] += 1
    after = densities(context, moved)
    own = slice(4 * group, 4 * group + 4)  # means and log scales of two channels
    assert torch.equal(before[own, row, column], after[own, row, column])
    hyper[0, 0, row, column] += 1  # the group before it counts
    assert not torch.equal(before[own, row, column], densities(context, hyper)[own, row, column])


def test_neighbours_of_some_positions_are_those_of_all(context, rng):
    hyper = torch.from_numpy(rng.integers(-5, 6, (1, 6, 4, 3))).float()
    rows, columns = torch.tensor([0, 3, 2]), torch.tensor([0, 2, 1])
    every = context.neighbours(hyper)[0]
    assert torch.equal(context.neighbours_at(framed(hyper)[0], rows, columns), every[rows, columns])


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (6, 1), (8, 12)])
def test_what_is_coded_comes_back_in_as_many_bytes_as_the_density_says(context, rng, size):
    hyper = rng.integers(-4, 5, (6, *size))
    hyper[0, 0, 0], hyper[-1, -1, -1] = -LARGEST, LARGEST
    encoder, coder = Encoder(), HyperContextCoder(context)
    coder.encode(hyper, 0.3, encoder)
    data = encoder.bytes()
    with torch.no_grad():
        bits = float(context(torch.from_numpy(hyper)[None].float(), torch.tensor([0.3])).sum())
    assert len(data) == pytest.approx(bits / 8, rel=0.02, abs=5)
    again = HyperContextCoder(context)  # as another machine's
    assert np.array_equal(again.decode(*size, 0.3, Decoder(data)), hyper)


def test_groups_are_alike():
    with pytest.raises(ValueError, match="4 groups must divide 6 channels"):
        HyperContext(channels=6, width=8, inner=8, groups=4)


def test_damaged_bytes_give_numbers_in_range_or_a_coding_error(context, rng):
    coder = HyperContextCoder(context)
    for _ in range(20):
        try:
            hyper = coder.decode(3, 4, 0.3, Decoder(rng.integers(0, 256, 40, np.uint8).tobytes()))
        except CodingError:
            continue
        assert hyper.shape == (6, 3, 4) and np.abs(hyper).max() <= LARGEST
