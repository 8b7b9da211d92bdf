"""Entropy coding: exact, near the entropy, the same everywhere, and never a crash or a hang."""

import hashlib

import numpy as np
import pytest

from gr_jscc.codecs.parts.entropy_coding import CodingError, Decoder, Encoder, mixture_frequencies, scaled, table
from gr_jscc.codecs.parts.rate_map_coding import decode_rate_map, encode_rate_map

pytestmark = pytest.mark.timeout(60)

MIXTURE = (
    np.array([-1.5, 0.25, 4.0], np.float32),
    np.array([0.1, -1.0, 0.7], np.float32),
    np.array([0.0, 0.5, -1.0], np.float32),
)


def map_bytes(index, rates=16):
    encoder = Encoder()
    encode_rate_map(index, rates, encoder)
    return encoder.bytes()


def smooth_map(rng, height, width):
    rough = rng.integers(0, 8, (-(-height // 6), -(-width // 6)))
    wide = np.kron(rough, np.ones((6, 6), int))[:height, :width]
    return np.clip(wide + rng.integers(0, 2, (height, width)), 0, 15)


def test_a_table_is_the_mixture_it_is_made_from():
    frequencies = mixture_frequencies(*MIXTURE, 31)
    assert frequencies.sum() == 1 << 16 and frequencies.min() >= 1
    mean, log_scale, log_weight = (x.astype(float) for x in MIXTURE)
    share = np.exp(log_weight) / np.exp(log_weight).sum()
    edges = np.arange(-31, 31) + 0.5
    below = (share / (1 + np.exp(-(edges[:, None] - mean) / np.exp(log_scale)))).sum(1)
    expected = np.diff(np.concatenate([[0], below, [1]]))
    assert np.abs(frequencies / 65536 - expected).max() < 1e-3


def test_tables_and_bytes_are_the_same_everywhere():
    """Golden: a change here makes pictures of older senders unreadable."""
    frequencies = mixture_frequencies(*MIXTURE, 31)
    assert hashlib.sha256(frequencies.astype("<i4").tobytes()).hexdigest()[:16] == "a144c4ccd5cae001"
    encoder = Encoder()
    encoder.encode((np.arange(200) * 7 % 63).astype(np.int32), table(frequencies))
    assert hashlib.sha256(encoder.bytes()).hexdigest()[:16] == "9a8ca0d7959fda96"
    rows, columns = np.mgrid[:20, :30]
    data = map_bytes((rows * columns // 37 + rows % 3) % 16)
    assert hashlib.sha256(data).hexdigest()[:16] == "e2430f164054e9ba"


def test_streams_come_back_and_are_near_the_entropy(rng):
    probability = rng.dirichlet(np.ones(40))
    frequencies = scaled((probability * 2**30).astype(np.int64))
    symbols = rng.choice(40, 20_000, p=probability).astype(np.int32)
    encoder = Encoder()
    encoder.encode(symbols, table(frequencies))
    data = encoder.bytes()
    assert np.array_equal(Decoder(data).decode(table(frequencies), len(symbols)), symbols)
    entropy = -(probability * np.log2(probability)).sum()
    assert 8 * len(data) < len(symbols) * entropy * 1.01 + 64


@pytest.mark.parametrize("frequencies", [[0, 1 << 16], [1, 2, 3], [-5, (1 << 16) + 5]])
def test_tables_that_no_coder_can_use_are_refused(frequencies):
    with pytest.raises(ValueError, match="add up"):
        table(np.array(frequencies, np.int64))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (7, 9), (32, 48)])
@pytest.mark.parametrize("rates", [2, 16])
def test_rate_maps_come_back(rng, size, rates):
    for index in (rng.integers(0, rates, size), np.zeros(size, int), np.full(size, rates - 1)):
        assert np.array_equal(decode_rate_map(*size, rates, Decoder(map_bytes(index, rates))), index)


def test_neighbourhood_saves_bits(rng):
    index = smooth_map(rng, 32, 48)
    counts = np.bincount(index.ravel(), minlength=16) / index.size
    alone = -(counts[counts > 0] * np.log2(counts[counts > 0])).sum() * index.size / 8
    assert len(map_bytes(index)) < 0.7 * alone
    assert len(map_bytes(np.full((32, 48), 5))) < 40


def test_bytes_of_nobody_never_hang_or_crash(rng):
    wrong = 0
    for _ in range(150):
        decoder = Decoder(rng.bytes(int(rng.integers(0, 40))))
        try:
            index = decode_rate_map(6, 7, 16, decoder)
            assert index.shape == (6, 7) and 0 <= index.min() and index.max() <= 15
        except CodingError:
            wrong += 1
    assert wrong < 150


@pytest.mark.parametrize("count", [None, 1, 7])
def test_an_alphabet_of_one_symbol_takes_no_bits(count):
    certain, other = table(scaled(np.array([3]))), table(scaled(np.array([1, 2, 5])))
    encoder = Encoder()
    encoder.encode(2, other)
    encoder.encode(0 if count is None else np.zeros(count, np.int32), certain)
    encoder.encode(1, other)
    alone = Encoder()
    alone.encode(2, other)
    alone.encode(1, other)
    assert encoder.bytes() == alone.bytes()
    decoder = Decoder(encoder.bytes())
    assert decoder.decode(other) == 2
    assert np.array_equal(decoder.decode(certain, count), 0 if count is None else np.zeros(count))
    assert decoder.decode(other) == 1


def test_a_map_of_one_rate_takes_no_bytes():
    data = map_bytes(np.zeros((5, 7), int), rates=1)
    assert data == b"" and (decode_rate_map(5, 7, 1, Decoder(data)) == 0).all()
