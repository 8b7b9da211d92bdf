"""Bytes cross as digital payloads, whole or not at all."""

import zlib

import numpy as np
import pytest
from modem_streams import gaussian, receive

from gr_jscc.modem import (
    MAX_SYMBOLS,
    MCS,
    BurstHeader,
    BurstKind,
    best_mcs,
    decode_digital,
    digital_symbol_count,
    encode_digital,
    map_bits,
    max_digital_bytes,
    modulate,
    prepare_digital,
    threshold_db,
)
from gr_jscc.modem.convolutional import _viterbi
from gr_jscc.modem.digital_thresholds import LENGTHS, THRESHOLDS, lost_blocks
from gr_jscc.modem.ldpc_decoder import decode_blocks

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("mcs", sorted(MCS))
@pytest.mark.parametrize("length", [0, 1, 2, 40, 333])
def test_round_trip(rng, mcs, length):
    data = rng.bytes(length)
    symbols = encode_digital(data, mcs)
    assert symbols.dtype == np.complex64 and len(symbols) == digital_symbol_count(length, mcs)
    # QPSK and below have one amplitude; the others have power 1 on the average.
    power_error = 1e-6 if MCS[mcs].bits_per_symbol <= 2 else 3 / np.sqrt(len(symbols))
    assert np.mean(np.abs(symbols) ** 2) == pytest.approx(1.0, abs=power_error)
    assert decode_digital(symbols, 0.001, mcs) == data


@pytest.mark.parametrize("mcs", sorted(MCS))
def test_longest_and_several_code_blocks(rng, mcs):
    most = max_digital_bytes(mcs)
    assert digital_symbol_count(most, mcs) <= MAX_SYMBOLS < digital_symbol_count(most + 1, mcs)
    for length in (most, most // 2 + 1):
        data = rng.bytes(length)
        assert decode_digital(encode_digital(data, mcs), 0.0, mcs) == data
    with pytest.raises(ValueError):
        encode_digital(bytes(most + 1), mcs)


def test_every_short_length(rng):
    for mcs in MCS:
        for length in range(mcs % 3, 120, 3):
            data = rng.bytes(length)
            assert decode_digital(encode_digital(data, mcs), 0.001, mcs) == data


def test_more_symbols_than_needed_hold_more(rng):
    """Whatever number of symbols a burst states, what fits in them is known on both sides."""
    for mcs in MCS:
        for symbols in rng.integers(150, 3000, 20):
            most = max_digital_bytes(mcs, int(symbols))
            data = rng.bytes(most)
            sent = encode_digital(data, mcs)
            assert len(sent) <= symbols and decode_digital(sent, 0.001, mcs) == data


@pytest.mark.parametrize(("mcs", "crc"), [(0, 0xD588EE26), (1, 0xDDFC43E0)])
def test_schemes_for_short_messages_stay_as_they_are_on_the_air(mcs, crc):
    symbols = encode_digital(bytes(range(100)), mcs)
    assert zlib.crc32(np.packbits(np.stack([symbols.real, symbols.imag]) < 0).tobytes()) == crc


def test_structure_of_the_data_does_not_show_on_the_air():
    for mcs, scheme in MCS.items():
        if scheme.bits_per_symbol > 2:
            symbols = encode_digital(bytes(1000), mcs)
            assert np.mean(np.abs(symbols) ** 2) == pytest.approx(1.0, abs=0.1)
            assert abs(np.mean(symbols)) < 0.1


@pytest.mark.parametrize(("mcs", "snr_db"), [(0, 0.0), (1, 5.0), (3, 3.0), (8, 12.5), (11, 17.5)])
def test_40_bytes_arrive(rng, mcs, snr_db):
    lost = 0
    for _ in range(200):
        data = rng.bytes(40)
        sent = encode_digital(data, mcs)
        noise = 10 ** (-snr_db / 10)
        received = decode_digital(sent + gaussian(rng, len(sent)) * np.sqrt(noise), noise, mcs)
        assert received in (data, None)
        lost += received is None
    assert lost <= 2


def test_erased_symbols_do_not_count(rng):
    data = rng.bytes(40)
    sent = encode_digital(data, 0)
    noise_var = np.full(len(sent), 0.1, np.float32)
    gone = rng.random(len(sent)) < 0.3
    noise_var[gone] = np.inf
    assert decode_digital(np.where(gone, np.nan, sent), noise_var, 0) == data


@pytest.mark.parametrize(
    ("mcs", "share", "arrives"), [(2, 0.6, True), (3, 0.4, True), (5, 0.18, True), (9, 0.1, True), (3, 0.55, False)]
)
def test_erasures_up_to_the_code_s_ability(rng, mcs, share, arrives):
    data = rng.bytes(1000)
    sent = encode_digital(data, mcs)
    noise_var = np.full(len(sent), 0.002, np.float32)
    received = sent + gaussian(rng, len(sent)) * np.sqrt(noise_var)
    gone = rng.permutation(len(sent)) < share * len(sent)
    noise_var[gone] = np.inf
    received[gone] = np.nan
    assert decode_digital(received, noise_var, mcs) == (data if arrives else None)


def test_a_lost_stretch_is_shared_among_the_code_blocks(rng):
    data = rng.bytes(4000)
    sent = encode_digital(data, 6)
    noise_var = np.full(len(sent), 0.01, np.float32)
    noise_var[2000:5000] = np.inf
    assert decode_digital(sent + gaussian(rng, len(sent)) * 0.1, noise_var, 6) == data


def test_unequal_noise_is_weighed(rng):
    """A third of the symbols drowned: worse than useless unless their variance counts."""
    data = rng.bytes(500)
    sent = encode_digital(data, 3)
    noise_var = np.where(rng.random(len(sent)) < 0.33, 100.0, 0.1).astype(np.float32)
    received = sent + gaussian(rng, len(sent)) * np.sqrt(noise_var)
    assert decode_digital(received, noise_var, 3) == data
    assert decode_digital(received, float(np.mean(noise_var)), 3) is None


def test_noise_is_never_taken_for_data(rng):
    for mcs in MCS:
        for count in rng.integers(30, 160, 250):
            assert decode_digital(gaussian(rng, count), 0.5, mcs) is None


def test_code_words_whose_crc_is_wrong_are_refused(rng):
    """Every parity check of the code holds; only the CRC can tell."""
    for mcs, scheme in MCS.items():
        symbols = digital_symbol_count(10, mcs)
        for _ in range(150):
            bits = rng.integers(0, 2, 8 * 16, dtype=np.uint8)
            coded = scheme.code.encode(bits, symbols * scheme.bits_per_symbol, scheme.bits_per_symbol)
            assert decode_digital(map_bits(coded, scheme.bits_per_symbol), 0.01, mcs) is None


@pytest.mark.parametrize(("mcs", "length"), [(0, 640), (2, 256), (6, 64), (8, 640), (12, 256)])
def test_thresholds_are_as_measured(rng, mcs, length):
    need = threshold_db(mcs, length)
    assert need == THRESHOLDS[mcs][LENGTHS.index(length)]
    blocks = 150
    assert lost_blocks(mcs, length, need + 0.1, blocks, rng) <= 0.03 * blocks
    assert lost_blocks(mcs, length, need - 0.7, blocks, rng) > 0.05 * blocks


def test_best_scheme_for_an_snr():
    assert set(THRESHOLDS) == set(MCS)
    for length in (1, 16, 100, 640, 5000):
        counts = [digital_symbol_count(length, best_mcs(snr_db, length)) for snr_db in np.arange(-10, 30, 0.5)]
        assert counts == sorted(counts, reverse=True)
        assert best_mcs(40.0, length) == 12
        for snr_db in np.arange(0, 30, 0.5):
            mcs = best_mcs(snr_db, length)
            assert threshold_db(mcs, length) <= snr_db
            assert all(threshold_db(m, length) > snr_db for m in MCS if MCS[m].efficiency > MCS[mcs].efficiency)
    assert best_mcs(-1.8, 16) == 0 and best_mcs(-30.0, 16) == 0 and best_mcs(-30.0) == 2


def test_prepared_ahead_of_the_first_burst():
    prepare_digital()
    before = len(decode_blocks.signatures), len(_viterbi.signatures)
    assert before == (1, 1)
    for mcs in MCS:
        decode_digital(gaussian(np.random.default_rng(1), 333), np.ones(333), mcs)
    assert (len(decode_blocks.signatures), len(_viterbi.signatures)) == before


def test_noise_and_scraps_are_refused(rng):
    for count in (0, 1, 2, 3, 17, 200, 1122, MAX_SYMBOLS):
        for mcs in MCS:
            assert decode_digital(gaussian(rng, count), 1.0, mcs) is None
            assert decode_digital(np.zeros(count), np.inf, mcs) is None
    with pytest.raises(ValueError):
        encode_digital(b"", 15)
    with pytest.raises(ValueError):
        encode_digital(bytes(max_digital_bytes(0) + 1), 0)
    assert digital_symbol_count(max_digital_bytes(0), 0) <= MAX_SYMBOLS


def test_over_the_modem_at_0_db(rng):
    stream, sent = [], []
    for number in range(30):
        data = rng.bytes(40)
        symbols = encode_digital(data)
        sent.append(data)
        stream.append(modulate(BurstHeader(BurstKind.DIGITAL, 1, 0, number, 30, len(symbols)), symbols))
    samples = np.concatenate(stream)
    bursts, _ = receive(samples + gaussian(rng, len(samples)))
    received = {b.header.index: decode_digital(b.symbols, b.noise_var, b.header.mcs) for b in bursts}
    assert sum(received.get(number) == data for number, data in enumerate(sent)) >= 29


@pytest.mark.parametrize(("mcs", "snr_db"), [(2, 0.0), (6, 8.0), (9, 14.0), (12, 20.0)])
def test_ldpc_schemes_over_the_modem(rng, mcs, snr_db):
    """A few dB above what the scheme needs in white noise; carriers are not all alike after equalisation."""
    data = [rng.bytes(700) for _ in range(6)]
    stream = []
    for number, part in enumerate(data):
        symbols = encode_digital(part, mcs)
        header = BurstHeader(BurstKind.DIGITAL, 1, 0, number, len(data), len(symbols), mcs)
        stream += [modulate(header, symbols), np.zeros(50, np.complex64)]
    samples = np.concatenate(stream)
    bursts, _ = receive(samples + gaussian(rng, len(samples)) * 10 ** (-snr_db / 20))
    assert [decode_digital(b.symbols, b.noise_var, b.header.mcs) for b in bursts] == data


def test_nonsense_is_refused(rng):
    wild = np.array([0, 1, -1j, 1e30, -1e38, np.nan, np.inf, 1e-40], np.complex64)
    variances = np.array([0.0, 1e-30, 0.1, 1e30, np.inf, np.nan, -1.0], np.float32)
    for mcs in MCS:
        for count in rng.integers(0, 400, 12):
            assert decode_digital(rng.choice(wild, count), rng.choice(variances, count), mcs) is None
