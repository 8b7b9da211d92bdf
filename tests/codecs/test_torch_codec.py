"""Any pair of modules as a codec: what they are told, what crosses, and what comes out for any size."""

import inspect

import numpy as np
import pytest
import torch
from torch import nn

from gr_jscc.codecs.base import CodecError, Reception, channel_uses
from gr_jscc.codecs.refined import Refined
from gr_jscc.codecs.torch_codec import LOST, TorchCodec, arguments
from gr_jscc.metrics.picture import psnr_db

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated"),
    pytest.mark.usefixtures("one_thread"),
]
SIZES = [(32, 48), (33, 47), (8, 100), (61, 9)]


class Encoder(nn.Module):
    """Averages of patches, each channel of which says less than the one before; ``kind`` says how z comes."""

    def __init__(self, side=4, kind="real", level=0.5):
        super().__init__()
        self.side, self.kind, self.level = side, kind, level

    def forward(self, x):
        z = (torch.nn.functional.pixel_unshuffle(torch.nn.functional.avg_pool2d(x, self.side), 2) - 0.5) / self.level
        return torch.complex(z[:, 0::2], z[:, 1::2]) if self.kind == "complex" else z


class Decoder(nn.Module):
    def __init__(self, side=4, kind="real", level=0.5):
        super().__init__()
        self.side, self.kind, self.level = side, kind, level

    def forward(self, z):
        if self.kind == "complex":
            z = torch.stack([z.real, z.imag], 2).flatten(1, 2)
        x = torch.nn.functional.pixel_shuffle(z * self.level + 0.5, 2)
        return x.repeat_interleave(self.side, 2).repeat_interleave(self.side, 3)


class Flat(nn.Module):
    """Of pictures of 8×8 only, as a network with a fully connected layer is."""

    def __init__(self, down=True):
        super().__init__()
        self.linear = nn.Linear(192, 24) if down else nn.Linear(24, 192)
        basis = torch.linalg.qr(torch.randn(192, 24, generator=torch.Generator().manual_seed(1)))[0]
        basis[:, :3] = torch.eye(3).repeat_interleave(64, 0) / 8
        basis = torch.linalg.qr(basis)[0]
        with torch.no_grad():
            self.linear.weight.copy_(basis.T if down else basis)
            self.linear.bias.zero_()
        self.down = down

    def forward(self, x):
        return self.linear(x.flatten(1)) if self.down else self.linear(x).reshape(-1, 3, 8, 8)


MADE = {
    "real": lambda: TorchCodec.of("real", Encoder(), Decoder(), multiple=8),
    "complex": lambda: TorchCodec.of("complex", Encoder(kind="complex"), Decoder(kind="complex"), multiple=8),
    "adaptive": lambda: TorchCodec.of("adaptive", Encoder(), Decoder(), multiple=8, adaptive=True),
    "tiles": lambda: TorchCodec.of("tiles", Flat(), Flat(False), tile=8, pixels=(-1.0, 1.0)),
    "half": lambda: TorchCodec.of("half", Encoder().to(torch.bfloat16), Decoder().to(torch.bfloat16), multiple=8),
    "script": lambda: TorchCodec.of("script", *map(torch.jit.script, (Flat(), Flat(False))), tile=8, pixels=(-1, 1)),
}  # fmt: skip


def smooth(height, width):
    """A picture that its averages nearly are."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    return np.uint8(255 * np.stack([0.2 + 0.6 * x, 0.3 + 0.5 * y, 0.8 - 0.5 * x * y], 2))


def received(payload, noise=1e-9, lost=()):
    noise_var = np.full(len(payload.symbols), noise, np.float32)
    noise_var[list(lost)] = np.inf
    return Reception(payload.symbols, noise_var, payload.side_info)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", MADE)
def test_pictures_of_any_size_cross_at_power_1_within_the_cbr(name, size):
    codec = MADE[name]()
    image = smooth(*size)
    payload = codec.transmitter(0.5).start(image)
    assert abs(np.mean(np.abs(payload.symbols) ** 2) - 1) < 1e-3
    assert len(payload.symbols) <= channel_uses(0.5, *size) and len(payload.side_info) == 4
    shown = codec.receiver(*size).push(received(payload))
    assert shown.shape == image.shape and psnr_db(image, shown) > 25


def test_adaptive_codecs_send_the_first_channels_that_fit():
    codec, image = MADE["adaptive"](), smooth(32, 48)
    assert codec.cbr_range[0] == 1 / 2 / (3 * 64) and codec.layout.channels == 12
    counts = []
    for cbr in (codec.cbr_range[0], 1 / 64, 1 / 40, 1 / 32, 1.0):
        payload = codec.transmitter(cbr).start(image)
        assert len(payload.symbols) <= channel_uses(cbr, 32, 48)
        assert codec.receiver(32, 48).push(received(payload)).shape == image.shape
        counts.append(len(payload.symbols))
    assert counts == [12, 6 * 12, 9 * 12, 12 * 12, 12 * 12]
    for cbr, told in ((codec.cbr_range[0] / 2, "supports a CBR from 1/384 to"), (1 / 384, "too small")):
        with pytest.raises(CodecError, match=told):
            codec.transmitter(cbr).start(smooth(9, 9))


def test_codecs_that_are_not_adaptive_need_their_whole_cbr():
    codec = MADE["real"]()
    least = codec.cbr_range[0]
    assert least == 6 / 192
    codec.check_size(32, 48, least)
    with pytest.raises(CodecError, match="too small"):
        codec.check_size(33, 48, least)  # its padding alone breaks the CBR
    with pytest.raises(CodecError, match="supports a CBR"):
        codec.transmitter(least * 0.9)


class Curious(nn.Module):
    """Notes what it is told."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.told = inner, None


class SnrEncoder(Curious):
    def forward(self, x, snr):
        self.told = snr
        return self.inner(x)


class NoiseDecoder(Curious):
    def forward(self, z, noise_var, snr_db=None):
        self.told = (z, noise_var, snr_db)
        return self.inner(z)


@pytest.mark.parametrize("kind", ["real", "complex"])
def test_modules_are_told_what_they_ask_for(kind):
    encoder, decoder = SnrEncoder(Encoder(kind=kind)), NoiseDecoder(Decoder(kind=kind))
    codec = TorchCodec.of("curious", encoder, decoder, multiple=8, adaptive=True, snr_db=7.0)
    image = smooth(16, 16)
    payload = codec.transmitter(6 / 192 * 2 / 3).start(image)  # 8 of 12 channels, 4 of 6
    assert encoder.told.tolist() == [7.0]
    codec.receiver(16, 16).push(received(payload, 0.1, lost=[1]))
    z, noise_var, snr_db = decoder.told
    assert snr_db.tolist() == pytest.approx([10.0]) and noise_var.shape == z.shape
    part = 1 if kind == "complex" else 2  # the noise of each of a symbol's values
    scale = np.frombuffer(payload.side_info[:2], ">f2")[0].astype(float)
    assert noise_var.flatten()[0].item() == pytest.approx(0.1 * scale**2 / part, rel=1e-3)
    sent = 4 if kind == "complex" else 8
    assert (z[:, sent:] == 0).all() and (noise_var[:, sent:] == LOST).all()
    lost = slice(1, 2) if kind == "complex" else slice(2, 4)
    assert (z.flatten()[lost] == 0).all() and (noise_var.flatten()[lost] >= LOST / 2).all()
    assert z.flatten()[0].abs() > 0


@pytest.mark.parametrize("name", MADE)
def test_nothing_that_arrives_raises(name):
    codec, image = MADE[name](), smooth(24, 40)
    payload = codec.transmitter(0.5).start(image)
    count, side = len(payload.symbols), payload.side_info
    receiver = codec.receiver(24, 40)
    half = received(payload, lost=range(count // 2))
    assert receiver.push(half).shape == image.shape and not receiver.shows_grey
    for bad in (None, b"", side[:-1], side + b"x", b"\xff" * 4, b"\x7c\0\0\1", side[:2] + b"\0\0", b"\0\0" + side[2:]):
        shown = receiver.push(Reception(payload.symbols, np.ones(count, np.float32), bad))
        assert receiver.shows_grey and (shown == 128).all()
    for reception in (received(payload, lost=range(count)), Reception(half.symbols[:-1], half.noise_var[:-1], side)):
        receiver.push(reception)
        assert receiver.shows_grey
    wild = Reception(np.full(count, 9e3, np.complex64), np.ones(count, np.float32), b"\x7b\xff" + side[2:])
    assert receiver.push(wild).dtype == np.uint8


def test_a_black_picture_may_be_all_zeros():
    codec = TorchCodec.of("zero", Encoder(), Decoder(), multiple=8)
    grey = np.full((16, 16, 3), 127, np.uint8)
    codec.network["encoder"].level = float("inf")
    payload = codec.transmitter(0.5).start(grey)
    assert (payload.symbols == 0).all()
    assert codec.receiver(16, 16).push(received(payload)).shape == grey.shape


def test_weights_are_known_by_all_that_was_trained():
    class Own(TorchCodec):
        name, tile = "own", 8

        def modules(self, weights):
            parts = Flat(), Flat(False)
            if weights:
                with torch.no_grad():
                    parts[1].linear.weight[0, 0] += 1e-6
            return parts

    assert Own().weights_hash == Own().weights_hash != Own("a/better.pt").weights_hash
    assert Own().weights_name == "none" and Own("a/better.pt").weights_name == "better"
    with pytest.raises(CodecError, match="device 'tpu' cannot be used"):
        Own(device="tpu")


def test_symbols_can_be_refined_through_the_modules():
    codec, image = MADE["tiles"](), smooth(16, 16)
    better = Refined(codec, 5, snr_db=0.0)
    payload = better.transmitter(0.5).start(image)
    assert not np.allclose(payload.symbols, codec.transmitter(0.5).start(image).symbols)


class Two(nn.Module):
    def forward(self, x):
        return x, x


class Asks(nn.Module):
    def forward(self, x, mood):
        return x


class Grown(nn.Module):
    """Of a single value whatever picture is wanted; it looks where nobody should."""

    def forward(self, z, noise_var):
        frame = inspect.currentframe().f_back
        while "pixels" not in frame.f_locals:
            frame = frame.f_back
        return torch.zeros(frame.f_locals["pixels"].shape)


class Fails(nn.Module):
    def forward(self, x):
        raise RuntimeError("no such\nkernel")


@pytest.mark.parametrize(
    ("encoder", "decoder", "options", "told"),
    [
        (Two(), Decoder(), {}, "the encoder gives tuple, not a tensor"),
        (Encoder(), Two(), {}, "the decoder gives tuple of a picture"),
        (Encoder(), nn.Linear(5, 5), {"tile": 8}, "do not work together"),
        (Encoder(), Decoder(side=8), {}, r"the decoder gives \[1, 3, 16, 16\] of a picture \[1, 3, 8, 8\]"),
        (Asks(), Decoder(), {}, "the encoder takes 'mood', which is none of snr, .*: override encode"),
        (Encoder(), Asks(), {}, "the decoder takes 'mood'.* noise_var.*: override decode"),
        (Fails(), Decoder(), {}, r"test_torch_codec.py, line \d+: RuntimeError: no such kernel"),
        (Flat(), Flat(False), {}, "mat1 and mat2 shapes cannot be multiplied .*one size only, set tile to its side"),
        (
            nn.AdaptiveAvgPool2d(1),
            Grown(),
            {},
            r"makes \[1, 3, 1, 1\] of a picture, and \[1, 3, 1, 1\] of one twice as",
        ),
        (lambda x: x, Decoder(), {}, "the encoder must be a torch.nn.Module, not function"),
    ],
)
def test_modules_that_do_not_fit_are_one_line(encoder, decoder, options, told):
    with pytest.raises(CodecError, match=told) as raised:
        TorchCodec.of("wrong", encoder, decoder, **{"multiple": 8, **options})
    assert "\n" not in str(raised.value)


def test_options_are_checked():
    with pytest.raises(TypeError, match="unknown option 'size'; known: multiple, tile"):
        TorchCodec.of("wrong", Encoder(), Decoder(), size=8)


def test_arguments_of_all_kinds_of_modules():
    assert arguments(SnrEncoder(Encoder())) == [("x", True), ("snr", True)]
    assert arguments(NoiseDecoder(Decoder())) == [("z", True), ("noise_var", True), ("snr_db", False)]
    assert arguments(torch.jit.script(Flat())) == [("x", True)]


def test_small_pictures_are_no_reason_to_refuse():
    """A kernel of 31 pixels that reflects cannot see a picture of 8; larger ones are padded to no more than needed."""
    reflecting = nn.Sequential(nn.ReflectionPad2d(15), nn.AvgPool2d(31, 1), Encoder())
    codec = TorchCodec.of("wide", reflecting, Decoder(), multiple=8)
    assert codec.layout.side == 8 and codec.layout.shape == (12, 1, 1)
