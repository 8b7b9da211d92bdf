"""What the LDPC codes of the separation codec withstand, and how fast they are decoded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gr_jscc.codecs.separation.channel_code import CHANNEL_CODES, ChannelCode
from gr_jscc.codecs.separation.table import CSV_HEAD, csv_row
from gr_jscc.figures import Figure
from gr_jscc.files.whole import write_whole
from gr_jscc.modem import LdpcCode

__all__ = ["PUBLISHED", "ldpc_figures", "lost_blocks", "measure_threshold", "write_table"]

BLOCK_BYTES = 1056  # the longest code block of the standard, 8448 bits

#: (k, n) → Eb/N0 in dB at which 1 % of the code blocks are lost, interpolated in the logarithm of the error rate. Of
#: the same codes of 5G NR with BPSK in white noise and 20 iterations of the sum-product algorithm: the error rate
#: references of AFF3CT (Cassagne and others, "AFF3CT: A Fast Forward Error Correction Toolbox", SoftwareX 10, 2019),
#: github.com/aff3ct/error_rate_references, files LDPC_N1024_K512_flooding_SPA_i20_5G.txt and
#: LDPC_N12288_K6144_flooding_SPA_i20_5G.txt of June 2026.
PUBLISHED = {(512, 1024): 1.82, (6144, 12288): 1.23}
GAP_BAR_DB = 0.3
LOST_SHARE = 0.01  # of the blocks, at the published points
STEP_DB = 0.05
ENOUGH_LOST = 100  # blocks, to know an error rate by


def ldpc_figures(blocks: int, seconds: float, seed: int) -> Iterator[Figure]:
    """Speed and strength of the decoder.

    Args:
        blocks: code blocks a point.
        seconds: to time the decoder for.
        seed: of messages and noise.
    """
    rng = np.random.default_rng(seed)
    for (k, n), published_db in PUBLISHED.items():
        at = {"k": k, "n": n, "blocks": blocks, "published_db": published_db}
        share = _block_error_rate(k, n, published_db + GAP_BAR_DB, blocks, rng)
        yield Figure("ldpc_block_error_rate", share, "1", {**at, "ebn0_db": published_db + GAP_BAR_DB}, most=LOST_SHARE)
        yield Figure("ldpc_gap_db", _gap_db(k, n, published_db, blocks, rng), "dB", at, most=GAP_BAR_DB)
    for name, snr_db in (("ldpc-1/2:qpsk", 2.0), ("ldpc-2/3:16qam", 10.0)):
        yield _speed(CHANNEL_CODES[name], snr_db, seconds, rng)


def _speed(code: ChannelCode, snr_db: float, seconds: float, rng: np.random.Generator) -> Figure:
    """Message bits a second from symbols to bytes, on one core."""
    message = rng.bytes(16 * BLOCK_BYTES)
    noise_var = np.full(code.symbols(len(message)), 10 ** (-snr_db / 10), np.float32)
    received = _noisy(code.encode(message), noise_var[0], rng)
    code.decode(received, noise_var)  # compiled, or read from disk
    count, started = 0, time.process_time()
    while time.process_time() - started < seconds:
        code.decode(received, noise_var)
        count += 1
    mbps = 8 * len(message) * count / (time.process_time() - started) / 1e6
    return Figure("ldpc_mbps", mbps, "Mbit/s", {"code": code.name, "snr_db": snr_db})


def _block_error_rate(k: int, n: int, ebn0_db: float, blocks: int, rng: np.random.Generator) -> float:
    """Share of code blocks that are lost with BPSK in white noise, of so many or until enough are."""
    code = LdpcCode(k, n)
    variance = 1 / (2 * k / n * 10 ** (ebn0_db / 10))  # of a real value
    lost = done = 0
    while done < blocks and lost < ENOUGH_LOST:
        count = min(100, blocks - done)
        bits = rng.integers(0, 2, (count, k), dtype=np.uint8)
        received = 1.0 - 2.0 * code.encode(bits) + rng.normal(scale=np.sqrt(variance), size=(count, n))
        decoded, _ = code.decode((2 * received / variance).astype(np.float32))
        lost += int((decoded != bits).any(axis=1).sum())
        done += count
    return lost / done


def _gap_db(k: int, n: int, published_db: float, blocks: int, rng: np.random.Generator) -> float:
    """Eb/N0 at which 1 % of the blocks are lost, less the published one, dB."""
    ebn0_db = published_db - 12 * STEP_DB
    before = _block_error_rate(k, n, ebn0_db, blocks, rng)
    while ebn0_db < published_db + 2:
        share = _block_error_rate(k, n, ebn0_db + STEP_DB, blocks, rng)
        if share <= LOST_SHARE:
            if before <= LOST_SHARE:
                return ebn0_db - published_db  # better than where the search began
            steps = np.log(before / LOST_SHARE) / np.log(before / max(share, 0.5 / blocks))
            return float(ebn0_db + STEP_DB * steps - published_db)
        ebn0_db, before = ebn0_db + STEP_DB, share
    return float("nan")


def _noisy(symbols: np.ndarray, noise_var: float, rng: np.random.Generator) -> np.ndarray:
    noise = rng.normal(scale=np.sqrt(noise_var / 2), size=(len(symbols), 2)) @ (1, 1j)
    return symbols + noise


def lost_blocks(code: ChannelCode, snr_db: float, blocks: int, rng: np.random.Generator, enough: int = 0) -> int:
    """How many of so many of the longest code blocks do not arrive in white noise of an Es/N0 in dB.

    Args:
        enough: stop when so many are lost; 0 to send all.
    """
    noise_var = np.full(code.symbols(BLOCK_BYTES), 10 ** (-snr_db / 10), np.float32)
    lost = 0
    for _ in range(blocks):
        message = rng.bytes(BLOCK_BYTES)
        lost += code.decode(_noisy(code.encode(message), noise_var[0], rng), noise_var) != message
        if enough and lost >= enough:
            break
    return lost


def measure_threshold(code: ChannelCode, blocks: int, rng: np.random.Generator) -> float:
    """The lowest Es/N0, in steps of 0.1 dB, at which none of so many of the longest code blocks is lost."""
    snr_db = round(float(10 * np.log10(2 ** float(code.bits_per_use) - 1)), 1)  # no code works below
    while lost_blocks(code, snr_db, 40, rng, 4) >= 4:
        snr_db += 0.3
    snr_db -= 0.3
    while lost_blocks(code, snr_db, blocks, rng, 1):
        snr_db += 0.1
    return round(snr_db, 1) + 0.0  # no -0.0


def write_table(path: Path, blocks: int, seed: int) -> Iterator[Figure]:
    """Measures every code and writes the table that the codec chooses by; the file is whole or not there.

    Yields:
        the threshold of each code.
    """
    rng = np.random.default_rng(seed)
    lines = [f"# lowest Es/N0 at which none of {blocks} code blocks of {8 * BLOCK_BYTES} bits was lost", CSV_HEAD]
    for code in CHANNEL_CODES.values():
        threshold = measure_threshold(code, blocks, rng)
        lines.append(csv_row(code, threshold))
        yield Figure("ldpc_threshold_db", threshold, "dB", {"code": code.name, "blocks": blocks})
    write_whole(path, "\n".join(lines) + "\n")
