"""SNR means Es/N0: power 1 against a noise variance of 1/snr per complex symbol, half of it per dimension."""

import numpy as np
import pytest
import torch

from gr_jscc.channel.noise import noise
from gr_jscc.channel.profiles import PROFILES, taps
from gr_jscc.codecs.base import Payload
from gr_jscc.errors import UserError
from gr_jscc.link.ideal import ideal_reception
from gr_jscc.nn.noise import awgn, uneven

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("snr_db", [0, 5, 10, 15, 20])
def test_noise_has_the_variance_of_the_definition(rng, snr_db):
    variance = 10 ** (-snr_db / 10)
    drawn = noise((400_000,), variance, rng)
    assert np.mean(np.abs(drawn) ** 2) == pytest.approx(variance, rel=0.01)
    assert np.var(drawn.real) == pytest.approx(variance / 2, rel=0.02)
    symbols = torch.ones(2, 200_000, dtype=torch.complex64)
    received, told = awgn(symbols, torch.tensor([snr_db, snr_db]), torch.Generator().manual_seed(1))
    assert float((received - symbols).abs().square().mean()) == pytest.approx(variance, rel=0.01)
    assert torch.allclose(told, torch.tensor(variance))


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("snr_db", [0.0, 10.0])
def test_the_ideal_channel_tells_the_truth_about_its_noise(rng, name, snr_db):
    symbols = np.ones(100_000, np.complex64)
    reception = ideal_reception(Payload(symbols, b"side"), snr_db, taps(name), rng)
    error = np.abs(reception.symbols - symbols) ** 2
    assert np.mean(error / reception.noise_var) == pytest.approx(1, abs=0.02)
    # The SNR asked for is the mean over the data subcarriers.
    assert np.mean(1 / reception.noise_var) == pytest.approx(10 ** (snr_db / 10), rel=0.01)
    assert reception.side_info == b"side"


def test_uneven_noise_is_calibrated_and_marks_what_is_lost():
    symbols = torch.ones(4, 100_000, dtype=torch.complex64)
    lost, faded = torch.tensor([0.0, 0.3, 0.0, 0.3]), torch.tensor([False, False, True, True])
    snr_db = torch.full((4,), 10.0)
    received, variance = uneven(symbols, snr_db, lost, faded, torch.Generator().manual_seed(1))
    gone = torch.isinf(variance)
    assert torch.allclose(gone.float().mean(1), lost, atol=0.01) and (received[gone] == 0).all()
    for i in range(4):
        here = ~gone[i]
        ratio = ((received[i] - 1).abs().square() / variance[i])[here].mean()
        assert float(ratio) == pytest.approx(1, abs=0.02)


def test_unknown_channel():
    with pytest.raises(UserError, match="unknown channel 'nosuch'; known: awgn"):
        taps("nosuch")
