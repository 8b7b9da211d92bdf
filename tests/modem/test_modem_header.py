"""Headers survive what they should, and nothing else passes for one."""

import numpy as np
import pytest
from modem_streams import gaussian

from gr_jscc.modem import (
    HEADER_SYMBOLS,
    VERSION,
    BurstHeader,
    BurstKind,
    HeaderError,
    decode_header,
    header_code,
    header_symbols,
)
from gr_jscc.modem import header as header_module
from gr_jscc.modem.constellation import map_bits
from gr_jscc.modem.convolutional import conv_encode, viterbi_decode
from gr_jscc.modem.crc import crc24
from gr_jscc.modem.header import decode_header_llr
from gr_jscc.modem.header_code import coded_symbols, decoded_words

pytestmark = pytest.mark.timeout(60)

HEADER = BurstHeader(BurstKind.ANALOG, transfer=177777, round=5, index=40, count=41, symbols=2400)


def random_header(rng) -> BurstHeader:
    count = int(rng.integers(1, 16385))
    kind = BurstKind(int(rng.integers(0, 2)))
    return BurstHeader(
        kind=kind,
        transfer=int(rng.integers(0, 1 << 18)),
        round=int(rng.integers(0, 64)),
        index=int(rng.integers(0, count)),
        count=count,
        symbols=int(rng.integers(1, 16385)),
        mcs=int(rng.integers(0, 15)) if kind == BurstKind.DIGITAL else 0,
    )


def test_packing_round_trip(rng):
    for _ in range(500):
        header = random_header(rng)
        assert BurstHeader.unpack(header.pack()) == header


def test_on_air_round_trip(rng):
    for _ in range(50):
        header = random_header(rng)
        symbols = header_symbols(header)
        assert symbols.shape == (HEADER_SYMBOLS,) and symbols.dtype == np.complex64
        assert decode_header(symbols, 0.01) == header


def test_compiled_code_is_the_plain_one(rng):
    headers = [random_header(rng) for _ in range(20)]
    words = np.stack([np.frombuffer(h.pack() + crc24(h.pack()).to_bytes(3, "big"), np.uint8) for h in headers])

    def encoded(words):
        return header_code._CODE.encode(np.unpackbits(words ^ header_code._WHITENING, axis=1))

    coded = encoded(words)[:, header_code._INTERLEAVER]
    sent = coded_symbols(words)
    assert (sent == map_bits(coded.reshape(-1), 2).reshape(sent.shape)).all()
    damaged = words.copy()
    damaged[::2, rng.integers(0, 12)] ^= 1 << rng.integers(0, 8)
    _, sound = decoded_words(1.0 - 2.0 * encoded(damaged)[:, header_code._INTERLEAVER])
    assert sound.tolist() == 10 * [False, True]


@pytest.mark.parametrize(
    "change",
    [
        {"transfer": 1 << 18},
        {"round": 64},
        {"index": 41},
        {"index": -1},
        {"count": 0},
        {"count": 16385},
        {"symbols": 0},
        {"symbols": 16385},
        {"mcs": 1},
        {"kind": 3},
        {"kind": BurstKind.DIGITAL, "mcs": 15},
        {"symbols": 1.5},
    ],
)
def test_refuses_what_it_cannot_state(change):
    fields = {"kind": BurstKind.ANALOG, "transfer": 1, "round": 0, "index": 40, "count": 41, "symbols": 5} | change
    with pytest.raises(HeaderError):
        BurstHeader(**fields)


def test_random_bytes_are_a_valid_header_or_refused(rng):
    for _ in range(20000):
        word = rng.bytes(9)
        try:
            header = BurstHeader.unpack(word)
        except HeaderError:
            continue
        assert header.pack() == word
    for length in (0, 8, 10):
        with pytest.raises(HeaderError):
            BurstHeader.unpack(bytes(length))


def test_the_largest_values_are_stated():
    header = BurstHeader(BurstKind.DIGITAL, (1 << 18) - 1, 63, index=16383, count=16384, symbols=16384, mcs=14)
    assert decode_header(header_symbols(header), 0.01) == header


def test_a_header_of_another_version_is_known_for_one(monkeypatch):
    own = header_symbols(HEADER)
    monkeypatch.setattr(header_module, "_VERSION_FIELD", (VERSION + 1) % 4)
    other = header_symbols(HEADER)
    monkeypatch.undo()
    llr = np.stack([symbols.view(np.float32) for symbols in (own, other, -other)])
    headers, _, foreign = decode_header_llr(llr)
    assert headers == [HEADER, None, None] and foreign.tolist() == [False, True, False]


def test_crc_is_the_standard_one_but_for_what_it_starts_from():
    # That of OpenPGP (RFC 4880, section 6.1) starts from 0xB704CE; the CRC is linear in what it starts from.
    data = b"123456789"
    start = crc24((0xFFFFFF ^ 0xB704CE).to_bytes(3, "big") + bytes(6)) ^ crc24(bytes(9))
    assert crc24(data) ^ start == 0x21CF02


def test_crc_catches_every_flip_of_up_to_two_bits():
    word = np.unpackbits(np.frombuffer(HEADER.pack(), np.uint8))
    check = crc24(HEADER.pack())
    for first in range(len(word)):
        for second in range(first, len(word)):
            flipped = word.copy()
            flipped[[first, second]] ^= 1
            assert crc24(np.packbits(flipped).tobytes()) != check


def test_at_0_db_headers_arrive(rng):
    sent = header_symbols(HEADER)
    for _ in range(2000):
        assert decode_header(sent + gaussian(rng, len(sent)), 1.0) == HEADER


def test_noise_is_no_header(rng):
    for _ in range(5000):
        assert decode_header(gaussian(rng, HEADER_SYMBOLS), 1.0) is None


def test_flipped_symbols_give_the_header_or_none(rng):
    sent = header_symbols(HEADER)
    for _ in range(3000):
        flips = rng.random(len(sent)) < rng.uniform(0, 0.5)  # turns both bits of a symbol
        assert decode_header(np.where(flips, -sent, sent), 0.1) in (HEADER, None)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0])
def test_nonsense_does_no_harm(value):
    assert decode_header(np.full(HEADER_SYMBOLS, value, np.complex64), 1.0) is None
    sent = header_symbols(HEADER)
    sent[::17] = value
    assert decode_header(sent, 0.1) == HEADER


@pytest.mark.parametrize("inverse_rate", [2, 3])
def test_convolutional_code_corrects_scattered_errors(rng, inverse_rate):
    bits = rng.integers(0, 2, (20, 300)).astype(np.uint8)
    ratios = 1.0 - 2.0 * conv_encode(bits, inverse_rate).astype(np.float32)
    ratios[:, ::31] *= -1
    assert np.array_equal(viterbi_decode(ratios, inverse_rate), bits)
    with pytest.raises(ValueError):
        conv_encode(bits, 4)
    with pytest.raises(ValueError):
        viterbi_decode(np.zeros(7), inverse_rate)


def test_convolutional_code_is_the_standard_one():
    # The impulse response of a convolutional code is its generators: 133, 171 and 165 octal.
    response = conv_encode(np.array([1], np.uint8), 3).reshape(7, 3)
    assert [int("".join(map(str, column)), 2) for column in response.T] == [0o133, 0o171, 0o165]
