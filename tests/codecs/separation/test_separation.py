"""The digital baseline: it keeps to its channel uses, shows pictures whole or not at all, and counts what it must."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from gr_jscc.channel.noise import noise
from gr_jscc.codecs.base import CodecError, Reception
from gr_jscc.codecs.registry import load_codec, load_codec_for_air
from gr_jscc.codecs.separation.capacity import capacity_bits
from gr_jscc.host.main import main
from gr_jscc.imaging import save_image
from gr_jscc.metrics.picture import psnr_db

pytestmark = pytest.mark.timeout(60)

BOTH = ["separation", "separation-capacity"]


@pytest.fixture(scope="module")
def crop(photo):
    """uint8[96, 128, 3]."""
    return photo[180:276, 140:268]


def received(payload, snr_db, rng):
    variance = np.full(len(payload.symbols), 10 ** (-snr_db / 10), np.float32)
    return Reception(payload.symbols + noise(payload.symbols.shape, variance, rng), variance, payload.side_info)


def shown(codec, image, payload, snr_db, rng):
    return codec.receiver(*image.shape[:2]).push(received(payload, snr_db, rng))


def is_grey(picture):
    return bool((picture == 128).all())


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("cbr", [1 / 24, 1 / 12, 1 / 6, 1 / 2])
def test_fills_the_channel_uses_and_never_exceeds_them(crop, rng, name, cbr):
    codec = load_codec(name)
    payload = codec.transmitter(cbr).start(crop)
    assert 0.93 * cbr * crop.size < len(payload.symbols) <= cbr * crop.size
    assert payload.symbols.dtype == np.complex64
    assert np.mean(np.abs(payload.symbols) ** 2) == pytest.approx(1, abs=0.05)
    again = load_codec(name).transmitter(cbr).start(crop)
    assert np.array_equal(again.symbols, payload.symbols) and again.side_info == payload.side_info


@pytest.mark.parametrize("name", BOTH)
def test_more_channel_uses_give_a_better_picture(crop, rng, name):
    codec = load_codec(name)
    quality = [
        psnr_db(crop, shown(codec, crop, codec.transmitter(cbr).start(crop), 10.001, rng))
        for cbr in (1 / 24, 1 / 12, 1 / 6)
    ]
    assert quality[0] > 23 and (np.diff(quality) > 1.5).all(), quality


def test_an_ideal_code_buys_a_better_picture_than_a_real_one(crop, rng):
    real, ideal = (load_codec(name) for name in BOTH)
    pictures = [shown(codec, crop, codec.transmitter(1 / 12).start(crop), 10.001, rng) for codec in (real, ideal)]
    assert psnr_db(crop, pictures[1]) > psnr_db(crop, pictures[0]) + 0.5


@pytest.mark.parametrize(("name", "below"), [("separation", 8.0), ("separation-capacity", 9.99)])
def test_a_cliff_and_nothing_gained_above_it(crop, rng, name, below):
    codec = load_codec(name)
    payload = codec.transmitter(1 / 12).start(crop)
    at_10, at_20 = (shown(codec, crop, payload, snr_db, rng) for snr_db in (10.001, 20))
    assert np.array_equal(at_10, at_20) and psnr_db(crop, at_10) > 28
    assert is_grey(shown(codec, crop, payload, below, rng))


@pytest.mark.parametrize("size", [(1, 8), (1, 1), (8, 8), (17, 9), (33, 70), (15, 200)])
@pytest.mark.parametrize("name", BOTH)
def test_pictures_of_any_size(rng, name, size):
    image = np.repeat(rng.integers(0, 256, (1, 1, 3), np.uint8), size[0], 0).repeat(size[1], 1)
    codec = load_codec(name)
    try:
        payload = codec.transmitter(1).start(image)
    except CodecError as error:
        assert size in ((1, 8), (1, 1)) and "picture needs more than CBR 1 with" in str(error)
        return
    assert len(payload.symbols) <= image.size
    picture = shown(codec, image, payload, 15, rng)
    assert picture.shape == image.shape and picture.dtype == np.uint8 and psnr_db(image, picture) > 30


def test_a_picture_that_does_not_fit_is_refused_in_one_line(crop):
    with pytest.raises(CodecError, match="a 128x96 picture needs more than CBR 0.001 with separation"):
        load_codec("separation").transmitter(0.001).start(crop)


def test_lost_symbols_up_to_the_code_s_ability(crop, rng):
    codec = load_codec("separation", "hevc:ldpc-1/3:qpsk")
    payload = codec.transmitter(1 / 6).start(crop)
    for share, arrives in ((0.5, True), (0.75, False)):
        reception = received(payload, 15, rng)
        gone = rng.random(len(payload.symbols)) < share
        reception.symbols[gone], reception.noise_var[gone] = 0, np.inf
        picture = codec.receiver(*crop.shape[:2]).push(reception)
        assert is_grey(picture) != arrives and (psnr_db(crop, picture) > 23) == arrives


def test_a_large_picture_of_which_little_arrives_takes_no_memory(rng):
    """What any neighbour can announce: sizes as large as a sender's, with next to nothing on the air."""
    height, width, count = 2000, 2000, 4_000_000
    noise_var = np.full(count, np.inf, np.float32)
    noise_var[:2400] = 0.01
    reception = Reception(np.ones(count, np.complex64), noise_var, b"")
    receiver = load_codec("separation").receiver(height, width)
    tracemalloc.start()
    picture = receiver.push(reception)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert receiver.shows_grey and picture.shape == (height, width, 3)
    assert peak < 20e6  # decoding takes some hundred bytes a symbol


def test_a_message_that_is_wrong_in_one_place_is_not_shown(crop, rng):
    """Another code word in the place of one block: all parity checks hold, the checksum does not."""
    codec = load_codec("separation")
    payload = codec.transmitter(1 / 6).start(crop)
    message = bytearray(codec.code.decode(payload.symbols, np.full(len(payload.symbols), 0.01, np.float32)))
    receiver = codec.receiver(*crop.shape[:2])
    variance = np.full(len(payload.symbols), 0.01, np.float32)
    assert not is_grey(receiver.push(Reception(codec.code.encode(bytes(message)), variance, b"")))
    message[len(message) // 2] ^= 1
    assert is_grey(receiver.push(Reception(codec.code.encode(bytes(message)), variance, b"")))


def test_a_message_that_is_no_picture_is_not_shown(crop):
    from gr_jscc.modem.crc import crc32

    codec = load_codec("separation")
    for data in (b"", b"\x00", b"\xff" * 50, bytes(200)):
        symbols = codec.code.encode(data + crc32(data).to_bytes(4, "big"))
        reception = Reception(symbols, np.full(len(symbols), 0.01, np.float32), b"")
        assert is_grey(codec.receiver(*crop.shape[:2]).push(reception))


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("count", [0, 1, 5, 500, 40_000])
def test_nothing_that_arrives_raises(rng, name, count):
    receiver = load_codec(name).receiver(96, 128)
    symbols = (rng.standard_normal((count, 2)) @ (1, 1j)).astype(np.complex64)
    variance = np.full(count, 0.1, np.float32)
    symbols[::7], variance[3::7] = np.nan, np.nan
    for side_info in (b"", None, rng.bytes(100_000)):
        assert is_grey(receiver.push(Reception(symbols, variance, side_info)))


@pytest.mark.parametrize("side_info", [None, b"", b"\x04"])
def test_the_bound_s_picture_is_lost_with_its_bytes(crop, rng, side_info):
    codec = load_codec("separation-capacity")
    payload = codec.transmitter(1 / 12).start(crop)
    reception = received(payload, 20, rng)
    assert is_grey(codec.receiver(*crop.shape[:2]).push(Reception(reception.symbols, reception.noise_var, side_info)))


def test_the_bound_spends_no_more_than_the_capacity(crop):
    for snr_db in (0, 10, 20):
        payload = load_codec("separation-capacity", f"hevc:{snr_db}dB").transmitter(1 / 6).start(crop)
        capacity = len(payload.symbols) * np.log2(1 + 10 ** (snr_db / 10))
        assert 0.99 * capacity - 8 <= 8 * len(payload.side_info) <= capacity
        assert capacity_bits(np.full(len(payload.symbols), 10 ** (-snr_db / 10))) == pytest.approx(capacity)
    assert capacity_bits(np.array([np.inf, 1.0])) == pytest.approx(1)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (None, "hevc:ldpc-2/3:16qam"),
        ("", "hevc:ldpc-2/3:16qam"),
        ("hevc", "hevc:ldpc-2/3:16qam"),
        ("hevc:10dB", "hevc:ldpc-2/3:16qam"),
        ("HEVC:LDPC-3/4:QPSK", "hevc:ldpc-3/4:qpsk"),
        ("hevc:-30dB", "hevc:ldpc-1/3:qpsk"),
        ("hevc:40 dB", "hevc:ldpc-5/6:64qam"),
        ("jpeg:0dB", "jpeg:ldpc-1/3:qpsk"),
        ("jpeg2000:ldpc-5/6:64qam", "jpeg2000:ldpc-5/6:64qam"),
    ],
)
def test_what_is_chosen_has_one_name(written, meant):
    codec = load_codec("separation", written)
    assert codec.weights_name == meant
    assert codec.weights_hash == load_codec("separation", meant).weights_hash


def test_what_differs_is_told_apart():
    choices = ["hevc:ldpc-2/3:16qam", "hevc:ldpc-1/2:16qam", "hevc:ldpc-2/3:qpsk", "jpeg:ldpc-2/3:16qam"]
    hashes = {load_codec("separation", choice).weights_hash for choice in choices}
    hashes |= {load_codec("separation-capacity", choice).weights_hash for choice in ("hevc:10dB", "hevc:10.5dB")}
    assert len(hashes) == 6 and {len(hash_) for hash_ in hashes} == {4}


@pytest.mark.parametrize(
    ("name", "choice", "message"),
    [
        ("separation", "model.safetensors", "picture codecs are hevc, avif, jpeg2000, jpeg"),
        ("separation", "hevc:ldpc-7/8:16qam", "'ldpc-7/8:16qam' is neither an SNR such as 10dB nor a channel code"),
        ("separation", "hevc:ldpc-2/3", "neither"),
        ("separation", "hevc:99dB", "neither"),
        ("separation", "hevc:10", "neither"),
        ("separation-capacity", "hevc:ldpc-2/3:16qam", "is not an SNR such as 10dB"),
        ("separation-capacity", "png", "picture codecs are"),
    ],
)
def test_what_cannot_be_chosen_is_told_in_one_line(name, choice, message):
    with pytest.raises(CodecError, match=message) as raised:
        load_codec(name, choice)
    assert "\n" not in str(raised.value) and choice in str(raised.value)


def test_the_bound_is_not_for_the_air(tmp_path, crop, capsys, monkeypatch):
    with pytest.raises(CodecError, match="separation-capacity is a theoretical bound"):
        load_codec_for_air("separation-capacity")
    assert load_codec_for_air("separation").name == "separation"
    monkeypatch.chdir(tmp_path)
    save_image(tmp_path / "p.png", crop)
    with pytest.raises(SystemExit) as ended:
        main(["loopback", "p.png", "--codec", "separation-capacity"])
    out, err = capsys.readouterr()
    assert ended.value.code == 2 and out == "" and err.count("\n") == 1 and "--ideal" in err


def test_the_receiver_in_a_process_of_its_own_shows_the_same(tmp_path, crop, rng):
    codec = load_codec("separation", "hevc:5dB")
    reception = received(codec.transmitter(1 / 6).start(crop), 6, rng)
    np.savez(tmp_path / "air.npz", symbols=reception.symbols, noise_var=reception.noise_var)
    program = f"""
import numpy as np
from gr_jscc.codecs.base import Reception
from gr_jscc.codecs.registry import load_codec
air = np.load("air.npz")
codec = load_codec("separation", "hevc:5dB")
assert codec.weights_hash == {codec.weights_hash!r}
np.save("picture.npy", codec.receiver(96, 128).push(Reception(air["symbols"], air["noise_var"], b"")))
"""
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=50)
    here = codec.receiver(96, 128).push(reception)
    assert psnr_db(crop, here) > 28 and np.array_equal(np.load(tmp_path / "picture.npy"), here)
