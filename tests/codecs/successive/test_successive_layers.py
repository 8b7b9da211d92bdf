"""The layers and linear codes behind successive refinement, each against its formula."""

import numpy as np
import pytest
import torch

from gr_jscc.codecs.successive.halves import CNNDecoder, CNNEncoder, GDNDecoder, GDNEncoder
from gr_jscc.codecs.successive.network import MultipleNetwork, ResidualNetwork, SingleNetwork
from gr_jscc.nn.blind_equaliser import BlindEqualiser
from gr_jscc.nn.gdn import GDN
from gr_jscc.nn.layered_linear import fit_layers, linear_receiver
from gr_jscc.nn.recursive import RecursiveBlocks

pytestmark = pytest.mark.timeout(60)


def seeded(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("inverse", [False, True])
def test_gdn_is_its_formula(inverse):
    layer = GDN(3, inverse)
    with torch.no_grad():
        layer.gamma_root.copy_(seeded(3, 3).abs())
        layer.beta_root.copy_(seeded(3).abs() + 0.5)
    x = seeded(2, 3, 4, 5)
    for i in range(3):
        norm = layer.beta_root[i] ** 2 + sum(layer.gamma_root[i, j] ** 2 * x[:, j] ** 2 for j in range(3))
        expected = x[:, i] * (norm.sqrt() if inverse else 1 / norm.sqrt())
        assert torch.allclose(layer(x)[:, i], expected, atol=1e-5)


def test_fresh_recursive_blocks_are_the_identity_and_trained_ones_differ_by_pass():
    blocks = RecursiveBlocks(4, blocks=2, passes=3)
    x, modulation = seeded(2, 4, 6, 6), seeded(2, blocks.modulations)
    assert torch.equal(blocks(x, modulation), x)
    for layer in blocks.second:
        torch.nn.init.normal_(layer.weight, std=0.1)
    out = blocks(x, modulation)
    assert out.shape == x.shape
    for turn in range(6):  # every pass has numbers of its own
        other = modulation.clone()
        other[:, 8 * turn] += 1
        assert not torch.equal(blocks(x, other), out)


def test_the_published_networks_have_the_published_sizes():
    encoder, decoder = CNNEncoder(16), CNNDecoder(16)
    filters = [m.weight.shape for m in encoder if isinstance(m, torch.nn.Conv2d)]
    assert filters == [(16, 3, 5, 5), (32, 16, 5, 5), (32, 32, 5, 5), (32, 32, 5, 5), (16, 32, 5, 5)]
    images = torch.rand(2, 3, 32, 48)
    for encode, decode in ((encoder, decoder), (GDNEncoder(16, 8), GDNDecoder(16, 8))):
        latents = encode(images)
        assert latents.shape == (2, 16, 8, 12)
        out = decode(latents)
        assert out.shape == images.shape and 0 < out.min() and out.max() < 1
    assert sum(p.numel() for p in GDNEncoder(16, 256).parameters()) > 5e6


class TestLayeredLinearCode:
    variance = torch.tensor([8.0, 4.0, 2.0, 1.0, 0.5, 0.25, 0.12, 0.06])
    noise_var = 0.05

    def error(self, matrix):
        """MSE of the components by simulation."""
        components = seeded(200_000, 8) * self.variance.sqrt()
        sent = components / self.variance.sqrt() @ matrix.T
        noise = torch.randn(sent.shape, generator=torch.Generator().manual_seed(2)) * self.noise_var**0.5
        back = (sent + noise) @ linear_receiver(matrix, self.noise_var).T * self.variance.sqrt()
        return float((back - components).square().sum(1).mean())

    def test_one_layer_is_water_filling(self):
        """Power q_i = n·(sqrt(λ_i/μ) − 1), in closed form (Lee & Petersen)."""
        matrix = fit_layers(self.variance, 1, 4, self.noise_var)
        assert matrix.square().sum().item() == pytest.approx(2, rel=1e-4)  # four latents, mean power ½
        low, high = 1e-9, 10.0
        for _ in range(100):
            level = (low * high) ** 0.5
            power = (self.noise_var * ((self.variance[:4] / level).sqrt() - 1)).clamp(min=0)
            low, high = (level, high) if power.sum() > 2 else (low, level)
        best = (self.variance[:4] / (1 + power / self.noise_var)).sum() + self.variance[4:].sum()
        assert self.error(matrix) == pytest.approx(float(best), rel=0.02)

    def test_layers_of_equal_power_lose_little_against_one(self):
        both = fit_layers(self.variance, 2, 4, self.noise_var)
        assert both[:4].square().sum().item() == pytest.approx(2, rel=1e-4)
        assert both[4:].square().sum().item() == pytest.approx(2, rel=1e-4)
        first, whole = fit_layers(self.variance, 1, 4, self.noise_var), fit_layers(self.variance, 1, 8, self.noise_var)
        assert self.error(both[:4]) < 1.05 * self.error(first)
        assert self.error(both) < 1.15 * self.error(whole)
        # Without sums of components in the second layer, as much power there is wasted.
        power = self.variance.sqrt()
        power = torch.cat([part * 2 / part.sum() for part in power.split(4)])
        assert self.error(both) < 0.9 * self.error(torch.diag(power.sqrt()))


def test_the_blind_equaliser_undoes_the_coefficient_of_symbols_with_a_mean():
    equaliser = BlindEqualiser(4)
    symbols = torch.complex(seeded(2, 4, 16, 16), seeded(2, 4, 16, 16).flip(3)) / 2**0.5
    symbols -= symbols.mean((2, 3), keepdim=True)
    symbols[:, 3] += equaliser.offset
    h = torch.tensor([0.5 + 0.5j, -1.2j])[:, None, None, None]
    variance = torch.full(symbols.shape, 0.1)
    back, noise_var = equaliser(symbols * h, variance)
    assert torch.allclose(back, symbols, atol=1e-5)
    assert torch.allclose(noise_var[:, 0, 0, 0], 0.1 / h[:, 0, 0, 0].abs() ** 2)
    variance[:, :, :3] = torch.inf  # lost symbols tell nothing of the mean
    broken = symbols * h
    broken[:, :, :3] = 0
    assert equaliser(broken, variance)[0][:, :, 3:].isfinite().all()


@pytest.mark.parametrize("design", [MultipleNetwork, SingleNetwork])
def test_a_fresh_network_is_the_linear_code(photo, design):
    pixels = torch.from_numpy(photo[:128, :256].copy()).permute(2, 0, 1)[None].float() / 255
    half = {"width": 8, "blocks": 1, "passes": 1}
    network = design(layers=2, latents=8, kind="recursive", encoder=half, decoder=half)
    network.start_linear(pixels, 13.0)
    quality = []
    with torch.no_grad():
        for estimate in network(pixels, lambda s: (s, torch.full(s.shape, 10**-1.3))):  # told of noise, given none
            quality.append(float(-10 * (estimate - pixels).square().mean().log10()))
    assert quality[0] > 28 and quality[1] > quality[0] + 1, quality


def test_a_single_decoder_ignores_what_lies_beyond_its_layers():
    half = {"width": 8, "blocks": 1, "passes": 1}
    network = SingleNetwork(layers=3, latents=2, kind="recursive", encoder=half, decoder=half)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    latents, noise_var = seeded(2, 6, 4, 4), torch.full((2, 6, 4, 4), 0.1)
    other = latents.clone()
    other[:, 4:] = 7
    with torch.no_grad():
        one, two = (network.estimate(x, noise_var, 2) for x in (latents, other))
        mixed = network.estimate(latents, noise_var, torch.tensor([2, 3]))
    assert torch.equal(one, two)
    assert torch.allclose(mixed[0], one[0], atol=1e-5) and not torch.allclose(mixed[1], one[1], atol=1e-3)


@pytest.mark.parametrize("bias", [-3.0, 3.0])
def test_a_residual_of_the_published_design_may_be_negative(bias):
    network = ResidualNetwork(layers=2, latents=8, kind="cnn", noise_aware=False)
    latents = seeded(1, 8, 4, 4)
    for decoder in network.decoders:
        torch.nn.init.constant_(decoder.design.layers[-1].bias, bias)
    with torch.no_grad():
        picture = network.decode(0, latents, latents, None, None)
        residual = network.decode(1, latents, latents, picture, None) - picture
    assert (picture > 0).all() and (picture < 1).all()
    assert (residual.sign() == np.sign(bias)).all() and (residual.abs() < 1).all()


def test_training_without_feedback_sends_another_residual(photo):
    """Of simulated receptions; the images that have feedback are not touched."""
    pixels = torch.from_numpy(photo[:64, :64].copy()).permute(2, 0, 1)[None].float().expand(2, -1, -1, -1) / 255
    half = {"width": 8, "blocks": 1, "passes": 1}
    network = ResidualNetwork(layers=2, latents=8, kind="recursive", encoder=half, decoder=half)
    for layer in (0, 1):
        network.start_linear(layer, pixels, 13.0)
    sent = []

    def channel(symbols):
        noise = torch.randn(*symbols.shape, 2, generator=torch.Generator().manual_seed(len(sent)))
        sent.append(symbols.detach())
        return symbols + torch.view_as_complex(noise) * 0.2, torch.full(symbols.shape, 0.08)

    with torch.no_grad():
        network(pixels, channel)
        told = sent[-1]
        sent.clear()
        network(pixels, channel, torch.tensor([False, True]))
    assert torch.allclose(sent[-1][0], told[0], atol=1e-5)
    assert (sent[-1][1] - told[1]).abs().mean() > 0.05
