"""The LDPC codes: those of the standard, as strong as published, and sparing with what never arrived."""

import zlib
from pathlib import Path

import numpy as np
import pytest

from gr_jscc.modem import LdpcCode, decode_segments, encode_segments, ldpc_decoder
from gr_jscc.modem.ldpc_graph import LIFTING_SIZES, MAX_BITS, choose_graph, choose_lifting, lifted_graph
from gr_jscc.modem.prbs import random_signs

pytestmark = pytest.mark.timeout(60)


def noisy(rng, coded: np.ndarray, ebn0_db: float, rate: float) -> np.ndarray:
    """Log-likelihood ratios of bits sent as ±1 in white noise, float32."""
    variance = 1 / (2 * rate * 10 ** (ebn0_db / 10))  # of a real value
    received = 1.0 - 2.0 * coded + rng.normal(scale=np.sqrt(variance), size=coded.shape)
    return (2 * received / variance).astype(np.float32)


def lost(rng, k: int, n: int, ebn0_db: float, blocks: int) -> int:
    code = LdpcCode(k, n)
    bits = rng.integers(0, 2, (blocks, k), dtype=np.uint8)
    decoded, holds = code.decode(noisy(rng, code.encode(bits), ebn0_db, k / n))
    wrong = (decoded != bits).any(axis=1)
    assert not (wrong & holds).any()
    return int(wrong.sum())


def test_the_standard_s_tables():
    assert len(LIFTING_SIZES) == 51 and LIFTING_SIZES[:4] == (2, 3, 4, 5) and LIFTING_SIZES[-2:] == (352, 384)
    for graph, rows, entries in ((1, 46, 316), (2, 42, 197)):
        lifted = lifted_graph(graph, 384)
        assert (lifted.rows, len(lifted.column)) == (rows, entries)
        assert lifted.column.max() == lifted.info_columns + rows - 1
    for bits, rate, graph in ((292, 0.9, 2), (293, 0.68, 1), (3824, 0.67, 2), (3825, 0.5, 1), (9000, 0.25, 2)):
        assert choose_graph(bits, rate) == graph


@pytest.mark.parametrize("graph", [1, 2])
def test_code_words_satisfy_every_check_at_every_lifting_size(rng, graph):
    for z in LIFTING_SIZES:
        lifted = lifted_graph(graph, z)
        # A short block of graph 2 leaves some of its message columns empty.
        k = next(c * z for c in (22, 10, 9, 8, 6) if c * z <= MAX_BITS[graph] and choose_lifting(c * z, graph) == z)
        code = LdpcCode(k, k + (lifted.rows - 2) * z, graph)
        word = code.codewords(rng.integers(0, 2, (1, k), dtype=np.uint8))[0].reshape(-1, z)
        assert len(word) == lifted.info_columns + lifted.rows and word[lifted.info_columns :].any()
        for row in range(lifted.rows):
            total = np.zeros(z, np.uint8)
            for entry in range(lifted.first[row], lifted.first[row + 1]):
                total ^= np.roll(word[lifted.column[entry]], -lifted.shift[entry])
            assert not total.any()


@pytest.mark.parametrize(
    ("k", "n", "bits_per_symbol", "crc"),
    [
        (54, 162, 2, 0xE12A4D20),
        (292, 440, 4, 0x2C23F506),
        (294, 400, 4, 0xC72EC522),
        (512, 1024, 2, 0x3EF8AF21),
        (641, 960, 6, 0x96F32546),
        (3824, 5736, 6, 0x4CBFBD53),
        (3840, 7680, 2, 0x424D90B8),
        (4096, 8192, 4, 0x011553CA),
        (8448, 25344, 2, 0x627C808F),
        (8448, 10140, 6, 0xC0E77E8B),
    ],
)
def test_same_code_words_as_another_implementation_of_the_standard(k, n, bits_per_symbol, crc):
    """The CRC-32 values are of the code words of Sionna 2.2 for the same messages."""
    message = (random_signs(k, k) < 0).astype(np.uint8)
    assert zlib.crc32(np.packbits(encode_segments(message, n, bits_per_symbol)).tobytes()) == crc


@pytest.mark.parametrize(
    ("k", "n", "ebn0_db", "blocks", "most"),
    [
        (4096, 8192, 1.5, 200, 0),
        (512, 1024, 2.0, 2000, 2),
        (2730, 8190, 0.8, 100, 1),
        (4096, 6144, 2.1, 100, 1),
        (4096, 5462, 2.6, 100, 1),
        (4096, 4916, 3.4, 100, 1),
    ],
)
def test_blocks_lost_at_known_points(rng, k, n, ebn0_db, blocks, most):
    assert lost(rng, k, n, ebn0_db, blocks) <= most


def test_blocks_are_lost_where_no_code_works(rng):
    assert lost(rng, 4096, 8192, 0.0, 10) == 10


def test_missing_bits_up_to_the_code_s_ability(rng):
    code = LdpcCode(4096, 8192)
    bits = rng.integers(0, 2, (20, 4096), dtype=np.uint8)
    llr = noisy(rng, code.encode(bits), 20.0, 0.5)
    for share, arrives in ((0.42, True), (0.52, False)):
        gone = rng.random(llr.shape) < share
        decoded, holds = code.decode(np.where(gone, 0, llr))
        assert (decoded == bits).all() == arrives and holds.all() == arrives


def test_values_beyond_reason_do_no_harm(rng):
    code = LdpcCode(500, 1000)
    bits = rng.integers(0, 2, (1, 500), dtype=np.uint8)
    signs = 1.0 - 2.0 * code.encode(bits).astype(np.float64)
    for scale in (1e-3, 1e30, np.inf):
        assert scale < 1 or np.array_equal(code.decode(signs * scale)[0], bits)
    signs[0, ::7] = np.nan
    assert np.array_equal(code.decode(signs * 10)[0], bits)
    assert not code.decode(rng.normal(size=(5, 1000)) * 1e9)[1].any()


def test_more_coded_bits_than_the_code_has_repeat_it(rng):
    code = LdpcCode(40, 1000)
    bits = rng.integers(0, 2, (50, 40), dtype=np.uint8)
    decoded, _ = code.decode(noisy(rng, code.encode(bits), 5.0, 40 / 1000))
    assert (decoded == bits).all()


@pytest.mark.parametrize("bits_per_symbol", [1, 2, 4, 6])
def test_messages_of_any_length_in_segments(rng, bits_per_symbol):
    for k in (1, 2, 7, 100, 3840, 8449, 30001):
        coded = (k * 3 // 2 + 40) // bits_per_symbol * bits_per_symbol
        bits = rng.integers(0, 2, k, dtype=np.uint8)
        sent = encode_segments(bits, coded, bits_per_symbol)
        assert sent.dtype == np.uint8 and sent.shape == (coded,)
        decoded, holds = decode_segments(10.0 * (1 - 2.0 * sent), k, bits_per_symbol)
        assert holds and np.array_equal(decoded, bits)


def test_wrong_use_is_refused(rng):
    for k, n in ((0, 10), (9000, 20000), (100, 99)):
        with pytest.raises(ValueError):
            LdpcCode(k, n)
    code = LdpcCode(100, 200)
    with pytest.raises(ValueError):
        code.encode(np.zeros((2, 99), np.uint8))
    with pytest.raises(ValueError):
        code.decode(np.zeros(200, np.float32))
    with pytest.raises(ValueError):
        encode_segments(np.zeros(10, np.uint8), 31, 2)


def test_compiled_once_and_kept_on_disk(rng):
    code = LdpcCode(100, 200)
    sent = code.encode(np.zeros((3, 100), np.uint8))
    for llr in (np.zeros((3, 200)), np.ones((1, 200), np.float32), 1 - 2.0 * sent[:, ::-1], np.ones((0, 200))):
        code.decode(llr)
    assert len(ldpc_decoder.decode_blocks.signatures) == 1
    stats = ldpc_decoder.decode_blocks.stats
    assert sum(stats.cache_hits.values()) + sum(stats.cache_misses.values()) == 1
    assert any(Path(stats.cache_path).glob("ldpc_decoder.decode_blocks*.nbi"))
