"""LDPC on QAM: bytes in, bytes out, at the SNR that the table says and not far below."""

from fractions import Fraction

import numpy as np
import pytest

from gr_jscc.benchmarks import ldpc as ldpc_benchmark
from gr_jscc.benchmarks.ldpc import ldpc_figures, lost_blocks, write_table
from gr_jscc.codecs.separation.channel_code import CHANNEL_CODES, MODULATIONS, RATES
from gr_jscc.codecs.separation.table import CSV_HEAD, best_code, thresholds_db

pytestmark = pytest.mark.timeout(60)


def test_every_rate_on_every_modulation():
    assert len(CHANNEL_CODES) == len(RATES) * len(MODULATIONS) == 15
    assert [str(rate) for rate in RATES] == ["1/3", "1/2", "2/3", "3/4", "5/6"]
    assert CHANNEL_CODES["ldpc-2/3:16qam"].bits_per_use == Fraction(8, 3)


@pytest.mark.parametrize("name", CHANNEL_CODES)
def test_messages_of_any_length_need_no_length_of_their_own(rng, name):
    code = CHANNEL_CODES[name]
    for length in (1, 2, 3, 7, 36, 100, 1055, 1056, 1057, 4000):
        count = code.symbols(length)
        assert code.message_bytes(count) == length and code.message_bytes(count - 1) < length
        message = rng.bytes(length)
        symbols = code.encode(message)
        assert symbols.dtype == np.complex64 and symbols.shape == (count,)
        assert code.decode(symbols, np.full(count, 1e-3, np.float32)) == message


@pytest.mark.parametrize("name", CHANNEL_CODES)
def test_plain_messages_look_random_too(name):
    symbols = CHANNEL_CODES[name].encode(bytes(3000))
    assert np.mean(np.abs(symbols) ** 2) == pytest.approx(1, abs=0.04) and abs(np.mean(symbols)) < 0.06


@pytest.mark.parametrize("name", CHANNEL_CODES)
def test_the_table_s_snr_is_where_blocks_begin_to_arrive(rng, name):
    code, need = CHANNEL_CODES[name], thresholds_db()[name]
    assert lost_blocks(code, need + 0.2, 15, rng) == 0
    assert lost_blocks(code, need - 0.8, 5, rng) >= 4
    shannon_db = 10 * np.log10(2 ** float(code.bits_per_use) - 1)
    assert shannon_db + 0.3 < need < shannon_db + 3.5


def test_the_choice_for_an_snr():
    needs = thresholds_db()
    chosen = [best_code(snr_db) for snr_db in np.arange(-5, 25, 0.5)]
    assert (np.diff([float(code.bits_per_use) for code in chosen]) >= 0).all()
    assert chosen[0].name == "ldpc-1/3:qpsk" and chosen[-1].name == "ldpc-5/6:64qam"
    assert best_code(10).name == "ldpc-2/3:16qam"
    for snr_db, code in zip(np.arange(-5, 25, 0.5), chosen):
        assert needs[code.name] <= snr_db or code is chosen[0]
        better = [c for c in CHANNEL_CODES.values() if c.bits_per_use > code.bits_per_use]
        assert all(needs[c.name] > snr_db for c in better)


def test_the_table_can_be_measured_again(tmp_path, monkeypatch):
    names = ["ldpc-5/6:qpsk", "ldpc-5/6:16qam"]
    monkeypatch.setattr(ldpc_benchmark, "CHANNEL_CODES", {name: CHANNEL_CODES[name] for name in names})
    path = tmp_path / "table.csv"
    figures = list(write_table(path, 40, seed=2))
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# ") and lines[1] == CSV_HEAD and len(lines) == 4
    for name, figure, line in zip(names, figures, lines[2:]):
        assert figure.value == pytest.approx(thresholds_db()[name], abs=0.31)
        assert line.endswith(f",{figure.value:.1f}")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_the_decoder_is_as_strong_as_published(monkeypatch):
    monkeypatch.setattr(ldpc_benchmark, "PUBLISHED", {(512, 1024): ldpc_benchmark.PUBLISHED[512, 1024]})
    figures = {figure.name: figure for figure in ldpc_figures(blocks=1000, seconds=0.2, seed=1)}
    assert figures["ldpc_block_error_rate"].holds and figures["ldpc_gap_db"].holds
    assert -0.3 < figures["ldpc_gap_db"].value and figures["ldpc_mbps"].value > 0.1
