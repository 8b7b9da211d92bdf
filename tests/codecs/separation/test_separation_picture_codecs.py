"""The picture codecs: what they write they read, what they fill they do not exceed, and no container is charged."""

import contextlib

import numpy as np
import pytest

from gr_jscc.codecs.separation.picture_codecs import PICTURE_CODECS, DamagedPictureError, fit, picture_codec
from gr_jscc.codecs.separation.picture_codecs.colour import rgb_from_ycbcr, ycbcr_from_rgb
from gr_jscc.codecs.separation.picture_codecs.hevc import START_CODE, Hevc
from gr_jscc.metrics.picture import psnr_db

pytestmark = pytest.mark.timeout(60)

NAMES = list(PICTURE_CODECS)


@pytest.fixture(scope="module")
def crop(photo):
    """uint8[96, 128, 3]."""
    return photo[180:276, 140:268]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(1, 1), (1, 8), (15, 17), (16, 16), (40, 25), (7, 130)])
def test_pictures_of_any_size_come_back(photo, name, size):
    codec, image = picture_codec(name), np.ascontiguousarray(photo[200 : 200 + size[0], 200 : 200 + size[1]])
    picture = codec.decode(codec.encode(image, codec.ladder[-1]), *size)
    assert picture.shape == image.shape and picture.dtype == np.uint8
    assert psnr_db(image, picture) > 28


@pytest.mark.parametrize("name", NAMES)
def test_the_ladder_leads_from_coarse_to_fine(crop, name):
    codec = picture_codec(name)
    rungs = [codec.ladder[round(share * (len(codec.ladder) - 1))] for share in (0.3, 0.5, 0.7, 0.9)]
    data = [codec.encode(crop, rung) for rung in rungs]
    assert (np.diff([len(d) for d in data]) > 0).all()
    assert (np.diff([psnr_db(crop, codec.decode(d, *crop.shape[:2])) for d in data]) > 0.5).all()
    assert codec.encode(crop, rungs[0]) == data[0]


@pytest.mark.parametrize(("name", "room"), [(name, 1500) for name in NAMES] + [("hevc", 4000)])
def test_fit_fills_the_room(crop, name, room):
    codec = picture_codec(name)
    data = fit(codec, crop, room)
    assert 0.85 * room < len(data) <= room
    coarser = fit(codec, crop, room * 3 // 4)
    error, more_error = (psnr_db(crop, codec.decode(d, *crop.shape[:2])) for d in (data, coarser))
    assert error > more_error + 0.5


@pytest.mark.parametrize("name", NAMES)
def test_no_room_and_more_than_enough(crop, name):
    codec = picture_codec(name)
    assert fit(codec, crop, 10) is None
    finest = fit(codec, crop, 10**7)
    by_ladder = codec.encode(crop, codec.ladder[-1])
    assert psnr_db(crop, codec.decode(finest, 96, 128)) >= psnr_db(crop, codec.decode(by_ladder, 96, 128)) > 38


def test_fit_takes_the_best_of_what_lies_between_two_quantisers(crop):
    codec = Hevc()
    rungs = [codec.encode(crop, setting) for setting in codec.ladder[20:26]]
    gained = []
    for coarser, finer in zip(rungs, rungs[1:]):
        room = (len(coarser) + len(finer)) // 2
        data = fit(codec, crop, room)
        assert len(coarser) <= len(data) <= room
        gained.append(psnr_db(crop, codec.decode(data, 96, 128)) - psnr_db(crop, codec.decode(coarser, 96, 128)))
    assert min(gained) >= 0 and np.mean(gained) > 0.1, gained


@pytest.mark.parametrize("name", NAMES)
def test_damaged_pictures_are_refused_or_of_the_right_size(crop, rng, name):
    codec = picture_codec(name)
    whole = codec.encode(crop, codec.ladder[len(codec.ladder) // 2])
    refused = 0
    for data in (b"", b"\x00", bytes(100), rng.bytes(500), whole[: len(whole) // 3], whole[5:]):
        try:
            assert codec.decode(data, *crop.shape[:2]).shape == crop.shape
        except DamagedPictureError:
            refused += 1
    assert refused >= 3


@pytest.mark.parametrize("name", NAMES)
def test_what_follows_from_the_size_is_not_sent(crop, name):
    codec = picture_codec(name)
    data = codec.encode(crop, codec.ladder[len(codec.ladder) // 2])
    assert len(data) > 500
    for mark in (b"ftyp", b"mdat", b"JFIF", b"\xff\xd8\xff\xe0", b"\xff\x4f\xff\x51", b"OpenJPEG"):
        assert mark not in data


@pytest.mark.parametrize("offset", [-4, 0, 4])
def test_the_parameter_sets_that_are_not_sent_are_those_of_the_stream(crop, offset):
    import av

    from gr_jscc.codecs.separation.picture_codecs import hevc

    made = hevc._parameter_sets(96, 128, offset)
    for quantiser in (5, 30, 51):
        encoder = hevc._encoder(96, 128, quantiser, offset)
        packets = encoder.encode(hevc.frame_of(crop)) + encoder.encode(None)
        stream = b"".join(bytes(packet) for packet in packets)
        assert stream.startswith(made) and stream[len(made) :].startswith(START_CODE[1:] + hevc.SLICE_HEADER)
        decoder = av.CodecContext.create("hevc", "r")
        frames = decoder.decode(av.Packet(stream)) + decoder.decode(None)
        assert frames[0].format.name == "yuv444p10le"


@pytest.mark.parametrize("bits", [8, 10])
def test_colours_come_back(rng, bits):
    image = rng.integers(0, 256, (64, 64, 3), np.uint8)
    image[:2, :4] = [[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 0, 255]]] * 2
    planes = ycbcr_from_rgb(image, bits)
    assert all(plane.dtype == np.uint16 and plane.max() < 2**bits for plane in planes)
    back = rgb_from_ycbcr(planes, bits).astype(int)
    assert np.abs(back - image).max() <= (2 if bits == 8 else 0)
    white, blue = planes[0][0, 1], planes[1][0, 3]
    assert white == 2**bits - 1 and blue == 2**bits - 1  # full range


def stretched(name, data):
    """A picture's bytes made to keep a decoder busy for long, or to make it take memory, as a forger would."""
    if name == "hevc":  # a second picture behind a start code
        return data + START_CODE + bytes([20 << 1, 1]) + data[1:]
    if name == "jpeg":  # the last scan again and again
        return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * 100 + data[-2:]
    if name == "jpeg2000":  # a coding style of its own for the tile: precincts of a single sample
        style = b"\xff\x52\x00\x0d\x01\x00\x00\x01\x01\x00\x04\x04\x00\x00\x00"
        return data[:6] + (len(data) + len(style) - 2).to_bytes(4, "big") + data[10:12] + style + data[12:]
    return data + data[:2] + data  # avif: a second one


@pytest.mark.parametrize("name", NAMES)
def test_forged_pictures_are_refused(crop, name):
    codec = picture_codec(name)
    whole = codec.encode(crop, codec.ladder[len(codec.ladder) // 2])
    assert codec.decode(whole, *crop.shape[:2]).shape == crop.shape
    with pytest.raises(DamagedPictureError, match="^not "):
        codec.decode(stretched(name, whole), *crop.shape[:2])


def test_a_size_within_av1_is_not_believed(crop):
    codec = picture_codec("avif")
    large = codec.encode(np.zeros((1000, 2000, 3), np.uint8), 0)
    with pytest.raises(DamagedPictureError, match="not an AV1 still picture"):
        codec.decode(large, *crop.shape[:2])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(1, 70_000), (70_000, 1), (8193, 8)])
def test_sizes_without_pictures_are_refused_or_decoded(crop, name, size):
    """libjpeg has none beyond 65500 pixels a side, x265 none of some shapes."""
    codec = picture_codec(name)
    data = codec.encode(crop, codec.ladder[0])
    with contextlib.suppress(DamagedPictureError):
        assert codec.decode(data, *size).shape == (*size, 3)
