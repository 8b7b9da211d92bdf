"""A sample of a large picture is a small picture made of its blocks, and chooses as all of it would."""

import numpy as np
import pytest
import torch

from gr_jscc.codecs.parts import picture_sample
from gr_jscc.codecs.parts.picture_sample import BLOCK_PIXELS, sample_of
from gr_jscc.codecs.registry import load_codec
from gr_jscc.link.ideal import ideal_transfer
from gr_jscc.metrics.picture import psnr_db


@pytest.mark.parametrize("size", [(256, 384), (1000, 300), (64, 3000), (257, 391)])
def test_it_is_of_whole_blocks_from_all_over(size):
    block = BLOCK_PIXELS // 16
    places = torch.arange(size[0] * size[1]).reshape(1, 1, *size)
    (sample,), times = sample_of([places], stride=16)
    rows, columns = sample[0, 0].numpy() // size[1], sample[0, 0].numpy() % size[1]
    assert sample.shape[2] % block == sample.shape[3] % block == 0
    assert times == pytest.approx(places.numel() / sample.numel())
    assert (np.diff(rows[:, 0]) > 0).all() and (np.diff(columns[0]) > 0).all()  # nothing twice
    for found, length in ((rows[:, 0], size[0]), (columns[0], size[1])):
        count = len(found) // block
        assert np.allclose(found.reshape(count, block).mean(1), (np.arange(count) + 0.5) * length / count, atol=1.5)


def test_levels_show_the_same_places():
    coarse = torch.arange(64 * 96).reshape(1, 1, 64, 96)
    fine = coarse.repeat_interleave(4, 2).repeat_interleave(4, 3)
    (small, large), _ = sample_of([coarse, fine], stride=64)
    assert torch.equal(large, small.repeat_interleave(4, 2).repeat_interleave(4, 3))


def test_a_small_picture_is_looked_at_as_a_whole():
    assert sample_of([torch.zeros(1, 1, 32, 48)], stride=16)[1] == 1  # a Kodak photo
    assert sample_of([torch.zeros(1, 1, 1, 100_000)], stride=16)[1] == 1  # no block fits


@pytest.mark.parametrize("name", ["ntscc", "hjscc", "hjscc-feedback"])
def test_a_sample_chooses_about_the_quality_that_all_of_it_would(name, monkeypatch, photo):
    monkeypatch.setattr(picture_sample, "BLOCKS", 6)
    monkeypatch.setattr(picture_sample, "BLOCK_PIXELS", 128)
    found = []
    for worthwhile in (1e9, 1.4):
        monkeypatch.setattr(picture_sample, "WORTHWHILE", worthwhile)
        rng = np.random.default_rng(1)
        rounds = ideal_transfer(load_codec(name), photo, 1 / 16, 10.0, np.ones(1, np.complex64), rng)
        assert 0 <= photo.size / 16 - sum(len(crossed.payload.symbols) for crossed in rounds) < 0.01 * photo.size / 16
        found.append(psnr_db(photo, rounds[-1].picture))
    assert abs(found[0] - found[1]) < 0.1


@pytest.mark.parametrize("name", ["ntscc", "hjscc"])
@pytest.mark.parametrize("taken", [0.97, 1.03])
def test_an_eta_that_is_fixed_stays_as_it_is(name, taken, monkeypatch, photo):
    """A sample lets a quality pass that takes a little too much: η makes up for it, where it may."""
    codec = load_codec(name)
    codec.set_eta(float(codec.network.eta))
    budget = len(codec.transmitter(1 / 16).start(photo).symbols) / taken
    monkeypatch.setattr(picture_sample, "BLOCKS", 6)
    monkeypatch.setattr(picture_sample, "BLOCK_PIXELS", 128)
    found = []
    for worthwhile in (1e9, 1.4):
        monkeypatch.setattr(picture_sample, "WORTHWHILE", worthwhile)
        found.append(codec.transmitter(budget / photo.size).start(photo))
    assert len(found[0].symbols) <= budget
    assert found[0].side_info == found[1].side_info and np.array_equal(found[0].symbols, found[1].symbols)
