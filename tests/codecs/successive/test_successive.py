"""The three codecs of successive refinement: what their halves promise, layer by layer, with and without feedback."""

import itertools

import numpy as np
import pytest
import torch

from gr_jscc.channel.noise import noise
from gr_jscc.codecs.base import CodecError, Reception
from gr_jscc.codecs.parts.pixels import to_pixels
from gr_jscc.codecs.registry import load_codec
from gr_jscc.codecs.successive.codec import AWARE, SIDE_INFO, grid_of
from gr_jscc.codecs.successive.network import MultipleNetwork, ResidualNetwork
from gr_jscc.codecs.successive.single import single_network
from gr_jscc.codecs.trained import heard
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.weights import write_model

pytestmark = pytest.mark.timeout(120)

SCHEMES = ("successive-multiple", "successive-residual", "successive-single")
HALF = {"width": 8, "blocks": 1, "passes": 2}
PHOTO = {"fine": 8, "coarse": 16, "hidden": 8}


@pytest.fixture(scope="session")
def crops(photo):
    """float32[96, 3, 64, 64] of the photo, to start linear codes from."""
    pixels = torch.from_numpy(photo.copy()).permute(2, 0, 1).float() / 255
    return pixels.unfold(1, 64, 64).unfold(2, 64, 64).permute(1, 2, 0, 3, 4).reshape(-1, 3, 64, 64).contiguous()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory, crops):
    """Loads a codec with a small untrained network, which is a linear code: (scheme, layers, design) → codec."""
    folder = tmp_path_factory.mktemp("tiny")

    def load(scheme, layers=3, kind="recursive", **more):
        path = folder / f"{scheme}-{layers}-{kind}{''.join(f'-{k}-{v}' for k, v in more.items())}.safetensors"
        if not path.exists():
            network = fresh(scheme, layers, kind, more)
            write_model(path, scheme, network.config, network.state_dict(), {})
        return load_codec(scheme, path)

    def fresh(scheme, layers, kind, more):
        torch.manual_seed(1)
        if kind == "photo":
            network = single_network({"layers": layers, "latents": 16, "kind": "photo", "design": PHOTO})
        else:
            halves = {"recursive": HALF, "gdn": {"width": 8}, "cnn": {}}[kind]
            config = {"layers": layers, "latents": 8, "kind": kind, "encoder": halves, "decoder": halves, **more}
            classes = {"successive-multiple": MultipleNetwork, "successive-residual": ResidualNetwork}
            network = classes[scheme](**config) if scheme in classes else single_network(config)
        if scheme == "successive-residual" and kind == "recursive":
            left = crops
            for layer in range(layers):
                network.start_linear(layer, left, 15.0)
                with torch.no_grad():
                    left = crops - network(crops, clean)[layer]
        elif kind in ("recursive", "photo"):
            network.start_linear(crops, 15.0)
        return network

    return load


def clean(symbols):
    return symbols, torch.full(symbols.shape, 0.01)


def received(payload, rng, snr_db=15.0):
    variance = np.full(len(payload.symbols), 10 ** (-snr_db / 10), np.float32)
    symbols = payload.symbols + noise(payload.symbols.shape, variance, rng)
    return Reception(symbols.astype(np.complex64), variance, payload.side_info)


def lost(reception):
    return Reception(np.zeros_like(reception.symbols), np.full_like(reception.noise_var, np.inf), None)


def erased(reception):
    """Every burst lost, but not the side information."""
    return Reception(np.zeros_like(reception.symbols), np.full_like(reception.noise_var, np.inf), reception.side_info)


def estimates(codec, image, cbr, rng, feedback=True, snr_db=15.0):
    """The pictures after each round."""
    transmitter, receiver = codec.transmitter(cbr), codec.receiver(*image.shape[:2])
    pictures, payload = [], transmitter.start(image)
    while payload is not None:
        reception = received(payload, rng, snr_db)
        pictures.append(receiver.push(reception))
        payload = transmitter.next(reception if feedback else None)
    return pictures


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", [(32, 32), (61, 83), (8, 8), (40, 1000)])
def test_layers_keep_to_the_rate_and_have_power_one(tiny, rng, scheme, size):
    codec, image = tiny(scheme), rng.integers(0, 256, (*size, 3), np.uint8)
    for cbr in (1 / 12, 1 / 6, 0.2, 1 / 4):
        transmitter, receiver = codec.transmitter(cbr), codec.receiver(*size)
        try:
            payload = transmitter.start(image)
        except CodecError as error:
            assert "too small" in str(error) and (size[0] % 8 or size[1] % 8)
            continue
        used, rounds = 0, 0
        while payload is not None:
            assert payload.symbols.dtype == np.complex64 and len(payload.side_info) == 2
            assert np.mean(np.abs(payload.symbols) ** 2) == pytest.approx(1, abs=1e-3)
            picture = receiver.push(received(payload, rng))
            assert picture.shape == (*size, 3) and picture.dtype == np.uint8
            used, rounds = used + len(payload.symbols), rounds + 1
            payload = transmitter.next(None)
        assert used <= cbr * 3 * size[0] * size[1] * (1 + 1e-9)
        if size[0] % 8 == size[1] % 8 == 0:
            assert rounds == int(cbr * 12 + 1e-6)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("cbr", [0.0, 0.08, 0.26, 1.0, float("nan")])
def test_a_rate_out_of_range_is_refused(tiny, scheme, cbr):
    with pytest.raises(CodecError, match="supports a CBR from 1/12 to 1/4"):
        tiny(scheme).transmitter(cbr)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_layer_sharpens_the_picture(tiny, rng, scheme, small_photo):
    quality = [psnr_db(small_photo, p) for p in estimates(tiny(scheme), small_photo, 1 / 4, rng)]
    assert len(quality) == 3 and quality[0] > 27 and (np.diff(quality) > 0.3).all(), quality


def test_the_photo_network_refines_too(tiny, rng, small_photo):
    codec = tiny("successive-single", layers=4, kind="photo")
    quality = [psnr_db(small_photo, p) for p in estimates(codec, small_photo, 1 / 6, rng)]
    assert len(quality) == 4 and (np.diff(quality) > 0.1).all(), quality


@pytest.mark.parametrize("kind", ["cnn", "gdn"])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("noise_aware", [False, True])
def test_the_published_designs_fit_the_contract(tiny, rng, scheme, kind, noise_aware, small_photo):
    codec = tiny(scheme, layers=2, kind=kind, noise_aware=noise_aware)
    pictures = estimates(codec, small_photo, 1 / 6, rng)
    assert len(pictures) == 2 and all(p.shape == small_photo.shape for p in pictures)


@pytest.mark.parametrize(("scheme", "kind"), [*itertools.product(SCHEMES, ["recursive"]), (SCHEMES[2], "photo")])
def test_the_halves_compute_what_training_does(tiny, scheme, kind, small_photo):
    """``forward`` and two halves loaded separately, through the same noise, layer by layer."""
    sender, receiver = tiny(scheme, kind=kind), tiny(scheme, kind=kind).receiver(*small_photo.shape[:2])
    drawn = []

    def channel(symbols):
        parts = torch.randn(*symbols.shape, 2, generator=torch.Generator().manual_seed(len(drawn)))
        drawn.append(torch.view_as_complex(parts) * (0.05 / 2) ** 0.5)
        return symbols + drawn[-1], torch.full(symbols.shape, 0.05)

    grid = grid_of(sender.network, *small_photo.shape[:2])
    with torch.inference_mode():
        trained = sender.network(to_pixels(small_photo, *grid.padded, "cpu"), channel)
    transmitter = sender.transmitter(sender.cbr_range[1])
    payload = transmitter.start(small_photo)
    for expected, added in zip(trained, drawn, strict=True):
        noisy = payload.symbols + added[0].reshape(-1).numpy()
        reception = Reception(noisy, np.full(len(noisy), 0.05, np.float32), payload.side_info)
        picture = receiver.push(reception)
        difference = np.abs(picture.astype(float) - (expected[0].permute(1, 2, 0).clamp(0, 1) * 255).numpy())
        assert difference.max() < 0.55  # rounding to whole grey levels
        payload = transmitter.next(reception)
    assert payload is None


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("arriving", [s for n in range(4) for s in itertools.combinations(range(3), n)])
@pytest.mark.parametrize("loss", [lost, erased])
def test_any_layers_may_be_lost(tiny, rng, scheme, arriving, loss, small_photo):
    codec = tiny(scheme)
    transmitter, receiver = codec.transmitter(1 / 4), codec.receiver(*small_photo.shape[:2])
    payload, picture = transmitter.start(small_photo), None
    for layer in range(3):
        reception = received(payload, rng)
        picture = receiver.push(reception if layer in arriving else loss(reception))
        payload = transmitter.next(None)
    assert picture.shape == small_photo.shape
    if not arriving:
        assert (picture == 128).all()
    if 0 in arriving:
        assert psnr_db(small_photo, picture) > 26.5


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("side_info", [None, b"", b"\x00", b"\x00\x80\x00", b"\x03\x80", b"\x83\x80", b"\xff\xff"])
def test_wrong_side_information_is_a_lost_layer(tiny, rng, scheme, side_info, small_photo):
    codec = tiny(scheme)
    payload = codec.transmitter(1 / 12).start(small_photo)
    reception = received(payload, rng)
    receiver = codec.receiver(*small_photo.shape[:2])
    assert (receiver.push(Reception(reception.symbols, reception.noise_var, side_info)) == 128).all()
    assert psnr_db(small_photo, receiver.push(reception)) > 26.5


@pytest.mark.parametrize("scheme", SCHEMES)
def test_symbols_that_are_not_numbers_count_as_lost(tiny, rng, scheme, small_photo):
    codec = tiny(scheme)
    reception = received(codec.transmitter(1 / 12).start(small_photo), rng)
    gone = np.zeros(len(reception.symbols), bool)
    gone[::9], gone[4::9] = True, True
    symbols, variance = np.where(gone, 0, reception.symbols), np.where(gone, np.inf, reception.noise_var)
    known = Reception(symbols, variance, reception.side_info)
    symbols, variance = reception.symbols.copy(), reception.noise_var.copy()
    symbols[::9], variance[4::9] = np.nan, np.nan
    odd = Reception(symbols, variance, reception.side_info)
    unknown, told = (codec.receiver(*small_photo.shape[:2]).push(r) for r in (odd, known))
    assert (unknown == told).all() and (told != 128).any()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_layer_too_many_does_no_harm(tiny, rng, scheme, small_photo):
    """A burst of an earlier round that comes late or twice."""
    codec = tiny(scheme)
    transmitter, receiver = codec.transmitter(1 / 6), codec.receiver(*small_photo.shape[:2])
    first = received(transmitter.start(small_photo), rng)
    second = received(transmitter.next(None), rng)
    receiver.push(first)
    picture = receiver.push(second)
    assert (receiver.push(first) == picture).all()


def test_only_residuals_ask_for_feedback(tiny):
    assert [scheme for scheme in SCHEMES if tiny(scheme).uses_feedback] == ["successive-residual"]


class TestResidualFeedback:
    """What a transmitter of residuals makes of what comes back."""

    @pytest.fixture
    def codec(self, tiny):
        return tiny("successive-residual")

    def second_layer(self, codec, image, *feedback):
        transmitter = codec.transmitter(1 / 4)
        transmitter.start(image)
        for reception in feedback:
            payload = transmitter.next(reception)
        return payload

    def exact(self, codec, image, *receptions):
        """The payload of the layer after ``receptions``, computed from the receiver's true estimate."""
        network, grid = codec.network, grid_of(codec.network, *image.shape[:2])
        from gr_jscc.codecs.successive.codec import arrived_layer, layer_payload
        from gr_jscc.codecs.successive.residual import estimate_of

        with torch.inference_mode():
            estimate = estimate_of(codec, grid, [arrived_layer(network, grid, heard(r, "cpu")) for r in receptions])
            layer, pixels = len(receptions), to_pixels(image, *grid.padded, "cpu")
            return layer_payload(network, layer, network.encode(layer, pixels, estimate), aware=True)

    def test_the_receivers_estimate_is_known_to_the_bit(self, codec, tiny, rng, small_photo):
        reception = received(codec.transmitter(1 / 4).start(small_photo), rng)
        payload = self.second_layer(tiny("successive-residual"), small_photo, reception)
        expected = self.exact(codec, small_photo, reception)
        assert payload.side_info == expected.side_info and (payload.symbols == expected.symbols).all()

    def test_feedback_helps_and_more_realisations_do_too(self, codec, small_photo):
        def quality(feedback, realisations):
            codec.realisations = realisations
            pictures = estimates(codec, small_photo, 1 / 6, np.random.default_rng(5), feedback, snr_db=10)
            return psnr_db(small_photo, pictures[-1])

        one, many, told = quality(False, 1), quality(False, 30), quality(True, 1)
        assert one < many and many + 0.3 < told

    def test_half_precision_feedback_costs_nothing_when_the_receiver_decodes_the_same(self, codec, rng, small_photo):
        transmitter, receiver = codec.transmitter(1 / 6), codec.receiver(*small_photo.shape[:2])
        full = received(transmitter.start(small_photo), rng)
        parts = full.symbols.view(np.float32).astype(np.float16).astype(np.float32)
        variance = full.noise_var.astype(np.float16).astype(np.float32)
        rounded = Reception(parts.view(np.complex64), variance, full.side_info)
        receiver.push(rounded)
        picture = receiver.push(received(transmitter.next(rounded), rng))
        unrounded = estimates(codec, small_photo, 1 / 6, np.random.default_rng(1))[-1]
        assert psnr_db(small_photo, picture) == pytest.approx(psnr_db(small_photo, unrounded), abs=0.05)

    def test_late_feedback_is_still_used(self, codec, rng, small_photo):
        """The first layer's feedback, when the second has gone out already."""
        transmitter = codec.transmitter(1 / 4)
        first = received(transmitter.start(small_photo), rng)
        second = received(transmitter.next(None), rng)
        transmitter._learn(second)
        payload = transmitter.next(first)
        assert (payload.symbols == self.exact(codec, small_photo, first, second).symbols).all()

    def test_a_layer_reported_lost_is_sent_again(self, codec, rng, small_photo):
        transmitter, receiver = codec.transmitter(1 / 4), codec.receiver(*small_photo.shape[:2])
        sent, quality, payload = [], [], transmitter.start(small_photo)
        while payload is not None:
            sent.append(SIDE_INFO.unpack(payload.side_info)[0] & ~AWARE)
            reception = received(payload, rng) if len(sent) != 1 else lost(received(payload, rng))
            quality.append(psnr_db(small_photo, receiver.push(reception)))
            payload = transmitter.next(reception)
        assert sent == [0, 0, 1] and quality[0] < 20 < quality[1] < quality[2]

    @pytest.mark.parametrize("side_info", [b"", b"\x00", b"\x02\x80", b"\x09\x80"])
    def test_feedback_that_fits_no_round_is_survived(self, codec, rng, side_info, small_photo):
        transmitter = codec.transmitter(1 / 4)
        reception = received(transmitter.start(small_photo), rng)
        payload = transmitter.next(Reception(reception.symbols, reception.noise_var, side_info))
        assert payload is not None and np.isfinite(payload.symbols).all()

    def test_feedback_of_the_wrong_length_is_survived(self, codec, rng, small_photo):
        transmitter = codec.transmitter(1 / 4)
        reception = received(transmitter.start(small_photo), rng)
        short = Reception(reception.symbols[:5], reception.noise_var[:5], reception.side_info)
        assert transmitter.next(short) is not None

    def test_no_realisations_are_refused(self, codec, tmp_path):
        path = tmp_path / "r.safetensors"
        write_model(path, codec.name, codec.network.config, codec.network.state_dict(), {})
        with pytest.raises(CodecError, match="at least one reception"):
            type(codec)(path, realisations=0)


def test_an_unknown_turn_of_the_channel_is_undone(tiny, small_photo):
    """Slow Rayleigh fading: one coefficient that nobody measured."""
    codec = tiny("successive-multiple", layers=2, fading=True)
    payload = codec.transmitter(1 / 6).start(small_photo)
    variance = np.full(len(payload.symbols), 1e-4, np.float32)
    straight, turned = (
        codec.receiver(*small_photo.shape[:2]).push(
            Reception((payload.symbols * h).astype(np.complex64), variance, payload.side_info)
        )
        for h in (1.0, 0.3 - 0.4j)
    )
    assert psnr_db(straight, turned) > 40
