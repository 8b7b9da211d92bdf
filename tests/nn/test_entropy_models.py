"""Entropy models: they are distributions, and count what they should."""

import numpy as np
import pytest
import scipy.stats
import torch

from gr_jscc.nn.entropy_models import FactorisedPrior, gaussian_bits, rounded

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize(("mean", "scale"), [(0.0, 1.0), (0.3, 0.11), (-2.7, 5.0), (40.2, 30.0)])
def test_gaussian_bits_are_those_of_the_rounded_normal_distribution(mean, scale):
    values = torch.arange(-300.0, 300)
    bits = gaussian_bits(values, torch.tensor(mean), torch.tensor(scale))
    assert float((-bits).exp2().sum()) == pytest.approx(1, abs=1e-4)
    likely = np.abs(values.numpy() - mean) < 4 * scale + 0.5
    upper, lower = (scipy.stats.norm(mean, scale).cdf(values.numpy()[likely] + side) for side in (0.5, -0.5))
    assert np.allclose(bits.numpy()[likely], -np.log2(upper - lower), rtol=2e-3, atol=2e-3)


def test_the_prior_of_every_channel_adds_up_to_one():
    torch.manual_seed(1)
    prior = FactorisedPrior(4)
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    values = torch.arange(-200.0, 201).reshape(1, 1, 1, -1).expand(1, 4, 1, -1)
    with torch.inference_mode():
        assert torch.allclose((-prior(values)).exp2().sum(-1), torch.ones(1, 4, 1), atol=1e-4)


def test_a_prior_learns_what_it_is_shown():
    torch.manual_seed(1)
    prior = FactorisedPrior(1)
    shown = (3 + 0.8 * torch.randn(1, 1, 16, 16)).round()
    optimiser = torch.optim.Adam(prior.parameters(), 0.1)
    for _ in range(100):
        optimiser.zero_grad()
        prior(shown).mean().backward()
        optimiser.step()
    share = torch.unique(shown, return_counts=True)[1] / shown.numel()
    entropy = float(-(share * share.log2()).sum())
    assert prior(shown).mean().item() == pytest.approx(entropy, abs=0.1)


def test_rounding_lets_the_gradient_pass():
    x = torch.tensor([0.2, 1.7], requires_grad=True)
    y = rounded(x)
    y.sum().backward()
    assert torch.equal(y.detach(), torch.tensor([0.0, 2.0])) and torch.equal(x.grad, torch.ones(2))
