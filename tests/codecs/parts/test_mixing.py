"""Mixed latents: what arrives whole is what unmixed latents would be, and a lost symbol takes no latent with it."""

import numpy as np
import pytest
import torch

from gr_jscc.codecs.base import Reception
from gr_jscc.codecs.parts.deepjscc_network import DeepJSCCNetwork
from gr_jscc.codecs.parts.mixing import mix, mixing_matrices, unmixed
from gr_jscc.codecs.registry import load_codec
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.weights import write_model

pytestmark = pytest.mark.usefixtures("one_thread")
LATENTS = 16
POWER = torch.logspace(1, -1, LATENTS)


def latents_of(*shape):
    draws = torch.randn(shape[0], LATENTS, *shape[1:], generator=torch.Generator().manual_seed(1))
    return draws * POWER.sqrt()[:, None, None]


def test_matrices_are_orthogonal_and_leave_what_is_not_sent():
    matrices = mixing_matrices(LATENTS)
    for half, matrix in enumerate(matrices):
        assert torch.allclose(matrix @ matrix.T, torch.eye(LATENTS), atol=1e-6)
        assert torch.equal(matrix[2 * half :, 2 * half :], torch.eye(LATENTS - 2 * half))
    # They are part of what is on the air.
    assert matrices[2, 0, :4].tolist() == pytest.approx([0.0738612, 0.2329134, -0.5310911, 0.8113188], abs=1e-6)


def test_white_noise_costs_what_it_costs_unmixed():
    latents = latents_of(3, 8, 8)
    sent = torch.tensor([4, 10, 16])[:, None, None].expand(3, 8, 8).clone()
    sent[1, :, ::2] = 8  # the last symbol is not sent everywhere
    is_sent = torch.arange(LATENTS)[None, :, None, None] < sent[:, None]
    matrices, noise_var = mixing_matrices(LATENTS), torch.full(latents.shape, 0.3)
    mixed = mix(latents, sent, matrices)
    assert (mixed[~is_sent] == 0).all()
    estimate, told = unmixed(mixed, noise_var, sent, matrices, POWER)
    wiener = (POWER / (POWER + 0.3))[None, :, None, None] * is_sent
    assert torch.allclose(told, wiener.expand_as(told), atol=1e-4)
    assert torch.allclose(estimate, wiener * latents, atol=1e-3)


def test_a_lost_symbol_costs_as_much_as_is_told_and_less_than_unmixed():
    latents = latents_of(1, 60, 60)
    sent, matrices = torch.full((1, 60, 60), LATENTS), mixing_matrices(LATENTS)
    lost = torch.rand(1, LATENTS // 2, 60, 60, generator=torch.Generator().manual_seed(2)) < 0.2
    lost = lost.repeat_interleave(2, 1)
    received = torch.where(lost, 0.0, mix(latents, sent, matrices))
    estimate, told = unmixed(received, torch.where(lost, 1e6, 1e-3), sent, matrices, POWER)
    error = (estimate - latents).square().mean((0, 2, 3))
    assert torch.allclose(error, (1 - told).mean((0, 2, 3)) * POWER, rtol=0.15)
    assert error.sum() < 0.2 * POWER.sum() / 2


def test_gradients_come_back_to_the_picture():
    network = DeepJSCCNetwork(8, fine=8, coarse=8, hidden=8, encoder_blocks=(1, 1), decoder_blocks=(1, 1), mixed=True)
    assert network.config["mixed"] and "mixing" not in network.state_dict()
    images = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(1)).requires_grad_()
    shown = network(images, torch.tensor([4, 8]), lambda symbols: (symbols, torch.full(symbols.shape, 0.1)))
    shown.square().sum().backward()
    assert torch.isfinite(images.grad).all() and images.grad.any()


@pytest.mark.parametrize("size", [(64, 96), (100, 90)])  # whole blocks, and symbols that are not sent everywhere
def test_the_same_weights_mixed_are_no_worse_without_losses(small_photo, tmp_path, size, rng):
    plain = load_codec("deepjscc")
    path = tmp_path / "mixed.safetensors"
    network = plain.network
    write_model(path, "deepjscc", network.config | {"mixed": True}, network.state_dict(), {})
    mixed, image = load_codec("deepjscc", path), np.ascontiguousarray(small_photo[: size[0], : size[1]])
    quality = []
    for codec in (plain, mixed):
        payload = codec.transmitter(1 / 12).start(image)
        assert np.mean(np.abs(payload.symbols) ** 2) == pytest.approx(1, abs=0.02)
        variance = np.full(len(payload.symbols), 1e-2, np.float32)
        reception = Reception(payload.symbols, variance, payload.side_info)
        quality.append(psnr_db(image, codec.receiver(*size).push(reception)))
    assert quality[1] > quality[0] - 0.2
