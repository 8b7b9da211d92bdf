"""Every message crosses as it was, within its limits, and nothing else is taken for one."""

import json
import math
import struct

import numpy as np
import pytest

from gr_jscc.link.back_channel import (
    BurstMap,
    Bye,
    ChannelState,
    Have,
    Hello,
    MessageError,
    Report,
    RoundSent,
    SideInfo,
    Stop,
    Symbols,
    quantise,
)
from gr_jscc.link.back_channel.messages import DELIVERED, MAX_IMAGES, Refused
from gr_jscc.link.back_channel.symbols import MAX_SYMBOLS

pytestmark = pytest.mark.timeout(60)
HELLO = Hello(
    "receiver", "deepjscc", "deepjscc-photo", b"\x00\xff\x01\x02", b"run-0001", 1023, bytes(range(16)), "gr-jscc 0.1.0",
    "64 (FFT size 64)", b"\x80\x00\x01\xff", 255,
)  # fmt: skip

PLAIN = [
    HELLO,
    Hello("transmitter", "", "", bytes(4)),
    Hello("transmitter", "c" * 32, "w" * 64, bytes(4), software="ä" * 16, numerology="n" * 80),
    ChannelState(262143, 255, 10.5, -0.25, -17.0, 3, 65535),
    SideInfo(1, 2, b""),
    SideInfo(1, 2, bytes(range(256)) * 4096),
    RoundSent(7, 1, 255, True),
    RoundSent(7, 1, 0, False),
    Stop(65535),
    Report(3, {"psnr_db": 30.25, "bursts": {"sent": 41, "lost": []}, "name": "Papagei – 图", "ok": True, "none": None}),
    Report(3, {}),
    Have(b"run-0001", ()),
    Have(b"run-0001", (b"12345678", bytes(8))),
    Bye(),
    Refused("no"),
]


@pytest.mark.parametrize("message", PLAIN, ids=lambda message: type(message).__name__)
def test_messages_cross_as_they_were(message):
    body = message.pack()
    assert len(body) <= message.limit
    assert type(message).unpack(body) == message == type(message).unpack(memoryview(body))
    for wrong in (body + b"\0", body[:-1]):
        if isinstance(message, (SideInfo, Refused)) or (not body and not wrong):
            continue  # any bytes are side information
        with pytest.raises(MessageError):
            type(message).unpack(wrong)


def some_symbols(rng, count):
    symbols = (rng.standard_normal(count) + 1j * rng.standard_normal(count)).astype(np.complex64)
    noise_var = rng.uniform(0.01, 2, count).astype(np.float32)
    noise_var[::7], symbols[::7] = np.inf, 0
    return symbols, noise_var


@pytest.mark.parametrize("count", [0, 1, 10_001])
@pytest.mark.parametrize("format, size", [("complex64", 12), ("float16", 6), ("int8", 3)])
def test_symbols_cross_as_quantise_says(rng, count, format, size):
    symbols, noise_var = some_symbols(rng, count)
    body = Symbols(1023, 5, symbols, noise_var, format).pack()
    assert len(body) == 10 + size * count + (format == "int8")
    got = Symbols.unpack(body)
    expected = quantise(symbols, noise_var, format)
    assert (got.transfer, got.round, got.format) == (1023, 5, format)
    assert got.symbols.dtype == np.complex64 and got.noise_var.dtype == np.float32
    assert np.array_equal(got.symbols, expected[0]) and np.array_equal(got.noise_var, expected[1])
    assert np.array_equal(np.isinf(got.noise_var), np.isinf(noise_var))
    if format == "complex64":
        assert np.array_equal(got.symbols, symbols) and np.array_equal(got.noise_var, noise_var)
    else:
        closest, ratio = {"float16": (3e-3, 5e-4), "int8": (2**0.5 / 32 + 1e-6, 0.045)}[format]
        assert np.abs(got.symbols - symbols).max(initial=0) < closest
        finite = np.isfinite(noise_var)
        assert np.allclose(got.noise_var[finite], noise_var[finite], rtol=ratio)
    # What has crossed once crosses again unchanged: both codecs hold the same.
    assert Symbols(0, 0, got.symbols, got.noise_var, format).pack()[8:] == body[8:]


def test_half_precision_keeps_lost_noisy_and_clean_apart():
    symbols, noise_var = quantise([1e6 - 1e6j, 1e-9, 0], [1e6, 1e-12, np.inf], "float16")
    assert symbols[0] == 65504 - 65504j and noise_var[0] == 65504
    assert 0 < noise_var[1] < 1e-7 and np.isinf(noise_var[2])
    assert quantise([0j], [0.0], "float16")[1][0] == 0


def test_eight_bits_follow_the_peak_and_keep_lost_noisy_and_clean_apart():
    symbols, noise_var = quantise([1e6 - 1e6j, 1e-9, 0], [1e6, 1e-12, np.inf], "int8")
    assert symbols[0] == 127 / 16 * (1 - 1j) and symbols[1] == 0 and noise_var[0] == pytest.approx(2**11.75)
    assert 0 < noise_var[1] < 2e-6 and np.isinf(noise_var[2])
    small = np.array([3e-3 + 1e-3j, -1e-3], np.complex64)
    assert np.abs(quantise(small, [0.0, 0.0], "int8")[0] - small).max() < 3e-3 / 63 / 2**0.5
    assert (quantise(small, [0.0, 0.0], "int8")[1] == 0).all()


@pytest.mark.parametrize(
    "symbols, noise_var, format",
    [
        ([np.nan], [1], "complex64"),
        ([np.inf * 1j], [1], "float16"),
        ([1], [np.nan], "complex64"),
        ([1], [-1], "float16"),
        ([1], [1, 1], "complex64"),
        ([[1]], [[1]], "complex64"),
        ([1], [1], "float32"),
    ],
)
def test_symbols_that_make_no_sense_do_not_leave(symbols, noise_var, format):
    with np.errstate(invalid="ignore"), pytest.raises(MessageError):
        Symbols(0, 0, np.array(symbols), np.array(noise_var), format).pack()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_symbols_that_make_no_sense_do_not_enter(bad):
    good = Symbols(0, 0, np.ones(2, np.complex64), np.ones(2, np.float32)).pack()
    with pytest.raises(MessageError):
        Symbols.unpack(good[:10] + struct.pack(">f", bad) + good[14:])
    with pytest.raises(MessageError):  # the variances follow the symbols
        Symbols.unpack(good[:-4] + struct.pack(">f", -1.0 if bad == np.inf else bad))


@pytest.mark.parametrize("count", [3, MAX_SYMBOLS, MAX_SYMBOLS + 1, 2**32 - 1])
def test_a_count_that_lies_costs_nothing(count):
    with pytest.raises(MessageError):
        Symbols.unpack(struct.pack(">HBBI", 0, 0, 0, count) + bytes(24))


def test_the_largest_symbols_fit():
    body = Symbols(0, 0, np.zeros(MAX_SYMBOLS, np.complex64), np.zeros(MAX_SYMBOLS, np.float32), "float16").pack()
    assert len(Symbols.unpack(body).symbols) == MAX_SYMBOLS and len(body) <= Symbols.limit
    too_many = MAX_SYMBOLS + 1
    with pytest.raises(MessageError):
        Symbols(0, 0, np.zeros(too_many, np.complex64), np.zeros(too_many, np.float32)).pack()


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 16384])
def test_burst_maps_cross(rng, count):
    received = rng.random(count) < 0.5
    body = BurstMap(9, 1, True, received).pack()
    got = BurstMap.unpack(body)
    assert (got.transfer, got.round, got.manifest, got.count) == (9, 1, True, count)
    assert got.received.dtype == bool and np.array_equal(got.received, received)
    assert len(body) == 8 + (count + 7) // 8 <= BurstMap.limit


def test_burst_maps_that_lie():
    good = BurstMap(9, 1, False, np.ones(9, bool)).pack()
    assert not BurstMap.unpack(good).manifest
    for bad in (good[:-1], good + b"\0", good[:-1] + b"\xff", good[:5] + b"\2" + good[6:]):
        with pytest.raises(MessageError):
            BurstMap.unpack(bad)
    with pytest.raises(MessageError):
        BurstMap.unpack(struct.pack(">HBBH", 9, 1, 0, 16385) + bytes(2049))
    for received in (np.ones(16385, bool), np.ones(3), np.ones((2, 2), bool)):
        with pytest.raises(MessageError):
            BurstMap(9, 1, False, received).pack()


def test_what_is_unknown_of_the_channel_is_nan():
    got = ChannelState.unpack(ChannelState(1, 0, math.nan, 0.0, -3.0, 0, 5).pack())
    assert math.isnan(got.snr_db) and got.evm_db == -3
    with pytest.raises(MessageError):
        ChannelState(1, 0, math.inf, 0, 0, 0, 0).pack()
    with pytest.raises(MessageError):
        ChannelState.unpack(struct.pack(">HBfffHH", 1, 0, 1.0, -math.inf, 0, 0, 0))


@pytest.mark.parametrize(
    "message",
    [
        Hello("sender", "c", "w", bytes(4)),
        Hello("receiver", "c" * 33, "w", bytes(4)),
        Hello("receiver", "c", "ü" * 33, bytes(4)),
        Hello("receiver", "c", "w\n", bytes(4)),
        Hello("receiver", "c", "w", bytes(3)),
        Hello("receiver", "c", "w", bytes(4), run=bytes(9)),
        Hello("receiver", "c", "w", bytes(4), session=1 << 32),
        Hello("receiver", "c", "w", bytes(4), software="\x1b[2J"),
        Hello("receiver", "c", "w", bytes(4), numerology="n" * 81),
        Hello("receiver", "c", "w", bytes(4), numerology_hash=bytes(5)),
        Hello("receiver", "c", "w", bytes(4), air=256),
        SideInfo(0, 0, bytes((1 << 20) + 1)),
        SideInfo(0, 256, b""),
        RoundSent(0, 0, 256, True),
        Stop(-1),
        Have(bytes(7), ()),
        Have(bytes(8), (bytes(7),)),
        Have(bytes(8), (bytes(8),) * (MAX_IMAGES + 1)),
        Refused("x" * 513),
        Refused("two\nlines"),
    ],
    ids=repr,
)
def test_what_a_message_cannot_carry(message):
    with pytest.raises(MessageError):
        message.pack()


@pytest.mark.parametrize(
    "content",
    [
        [],
        "text",
        {"x": math.nan},
        {"x": [math.inf]},
        {1: 2},
        {"x": {1: 2}},
        {"x": ...},
        {"x": np.float32(1)},
        {"x": 1 << 64},
        {"x": "\ud800"},
        {"x": "y" * 65536},
        {"x": [[[[[[[[1]]]]]]]]},
    ],
    ids=lambda content: repr(content)[:30],
)
def test_reports_that_do_not_leave(content):
    with pytest.raises(MessageError):
        Report(0, content).pack()


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"[]", b"1", b"null", b'{"x":NaN}', b'{"x":Infinity}', b'{"x":-Infinity}', b'{"x":1e999}',
        b'{"x":"\\ud800"}', b'{"\\ud800":1}', b'{"x":' + b"9" * 60_000 + b"}", b'{"x":99999999999999999999}',
        b'{"x":' + b"[" * 8 + b"]" * 8 + b"}", b'{"x":' + b"[" * 60_000, b'{"x":' * 9 + b"1" + b"}" * 9,
        b'{"x":"\xff"}', b'\xff\xfe{\0}\0', b'{"x":"' + b"y" * 65536 + b'"}',
    ],
    ids=lambda text: repr(text)[:30],
)  # fmt: skip
def test_reports_that_do_not_enter(text):
    with pytest.raises(MessageError):
        Report.unpack(b"\0\0\0\1" + text)


def test_reports_may_be_nested_a_little():
    content = {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": 1}}}}}}}}
    assert Report.unpack(Report(1, content).pack()).content == content
    assert Report.unpack(b"\0\0\0\1" + json.dumps({"x": 1e300, "y": -(2**63)}).encode()).content["x"] == 1e300


@pytest.mark.parametrize("cls", [Hello, Refused, *DELIVERED.values()], ids=lambda cls: cls.__name__)
def test_random_bytes_are_refused_or_a_message_and_raise_nothing_else(rng, cls):
    for _ in range(2000):
        data = rng.bytes(int(rng.integers(0, 40)))
        try:
            message = cls.unpack(data)
        except MessageError:
            continue
        assert len(message.pack()) == len(data) or isinstance(message, Report)


def test_a_hello_of_another_role_or_alphabet_is_refused():
    body = bytearray(HELLO.pack())
    assert Hello.unpack(bytes(body)) == HELLO
    for place, value in ((0, 4), (38, 33), (len(body) - 1, 0xFF), (len(body) - 1, 0x1B)):
        bad = bytearray(body)
        bad[place] = value
        with pytest.raises(MessageError):
            Hello.unpack(bytes(bad))
