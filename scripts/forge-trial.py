"""Sends a receiver forged and mutated bursts amid honest pictures, and looks at its memory and at what arrives.

    python scripts/forge-trial.py --bursts 20000 --codec ntscc

`rx` runs as a program, without a back-channel, so that nothing but the air tells it whom to believe. What it hears is a
recording of `tx`, into which bursts were put between the honest ones: manifests of that codec with bytes flipped, cut,
lengthened or replaced, sizes and numbers of symbols of any size, headers of any content that a header can have. Every
honest picture must arrive, memory must stay below the bound, and no line may tell of an exception.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from gr_jscc.codecs.registry import load_codec
from gr_jscc.data import demo_image
from gr_jscc.imaging import load_image
from gr_jscc.link.bursts import round_bursts
from gr_jscc.link.manifest import Manifest
from gr_jscc.link.session import Session
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.modem import BurstHeader, BurstKind, encode_digital, modulate
from gr_jscc.resident import resident_mb

ROOT = Path(__file__).parents[1]
PICTURES = 6
GAP = np.zeros(200, np.complex64)
NOISE = 10 ** (-20 / 20)
AT_ONCE = 200  # bursts written together
LEAST_PSNR_DB = 24.0
SIZES = (1, 2, 16, 100, 255, 1000, 4096, 16384, 65535)


def forged_manifest(rng: random.Random, honest: list[bytes]) -> bytes:
    """Bytes that look like a manifest of the codec, more or less."""
    data = bytearray(rng.choice(honest))
    kind = rng.randrange(6)
    if kind == 0:
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del data[rng.randrange(len(data)) :]
    elif kind == 2:
        data += rng.randbytes(rng.randint(1, 60))
    elif kind == 3:  # the sizes that it states
        struct.pack_into(">HHI", data, 6, rng.choice(SIZES), rng.choice(SIZES), rng.choice((0, 1, 9, 1 << 20, 1 << 31)))
    elif kind == 4:  # side information of anything
        data[14:] = rng.randbytes(rng.randint(0, 80))
    else:
        data = bytearray(rng.randbytes(rng.randint(0, 120)))
    return bytes(data[:120]) or b"\0"


def forged_burst(rng: random.Random, honest: list[bytes], sender: int) -> np.ndarray:
    """Samples of a burst that no transmitter made; some have the number of the honest one's transfers."""
    session = Session(sender << 15) if rng.random() < 0.5 else Session(rng.randrange(1 << 23))
    place = (session.transfer(rng.randrange(1024)), rng.choice((0, 0, 0, 1, 63)))
    if rng.random() < 0.8:
        symbols = encode_digital(forged_manifest(rng, honest), 3)
        count, mcs = rng.choice((1, 1, 1, 2, 16384)), rng.choice((3, 3, 3, 14))
        header = BurstHeader(BurstKind.DIGITAL, *place, rng.randrange(count), count, len(symbols), mcs)
    else:
        symbols = np.exp(2j * np.pi * np.random.default_rng(rng.randrange(1 << 30)).random(rng.randint(1, 600)))
        count = rng.choice((1, 3, 16384))
        header = BurstHeader(BurstKind.ANALOG, *place, rng.randrange(count), count, len(symbols))
    return modulate(header, symbols.astype(np.complex64))


def write_air(path: Path, codec_name: str, pictures: list[np.ndarray], bursts: int, seed: int) -> None:
    """The recording: honest pictures, evenly among so many forged bursts."""
    rng, noise = random.Random(seed), np.random.default_rng(seed)
    codec, session = load_codec(codec_name), Session(0x5A << 15 | 77)
    cbr = min(1 / 12, codec.cbr_range[1])
    rounds, honest = [], []
    for number, picture in enumerate(pictures):
        transmitter = codec.transmitter(cbr)
        payload, place = transmitter.start(picture), 0
        while payload is not None:
            size = picture.shape[:2]
            manifest = Manifest(codec.weights_hash, *size, len(payload.symbols), payload.side_info, session.rest)
            honest.append(manifest.pack())
            sent = round_bursts(payload, *size, codec.weights_hash, session.transfer(number), place)
            rounds.append([modulate(burst.header, burst.symbols) for burst in sent])
            payload, place = transmitter.next(None), place + 1
    with open(path, "wb") as file:

        def put(parts: list[np.ndarray]) -> None:
            samples = np.concatenate([GAP, *(piece for part in parts for piece in (part, GAP))])
            white = noise.standard_normal((len(samples), 2), np.float32).view(np.complex64)[:, 0]
            file.write((samples + white * NOISE / np.sqrt(2)).astype(np.complex64).tobytes())

        for part in rounds:
            left = bursts // len(rounds)
            while left > 0:
                put([forged_burst(rng, honest, session.sender) for _ in range(min(left, AT_ONCE))])
                left -= AT_ONCE
            put(part)


def watch(process: subprocess.Popen) -> float:
    """Waits for the end of a process; returns the most memory that it held, MB."""
    most = 0.0
    while process.poll() is None:
        with contextlib.suppress(OSError):  # it has just ended
            most = max(most, resident_mb(process.pid))
        time.sleep(0.1)
    process.wait()
    return most


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bursts", type=int, default=100_000, help="forged ones")
    parser.add_argument("--codec", default="ntscc")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--memory", type=float, default=1500.0, help="MB that the receiver may hold")
    options = parser.parse_args()
    photo = load_image(demo_image())
    pictures = [photo[40 * n : 40 * n + 128, 60 * n : 60 * n + 192] for n in range(PICTURES)]
    with tempfile.TemporaryDirectory(prefix="gr-jscc-forged-") as name:
        folder = Path(name)
        began = time.monotonic()
        write_air(folder / "air.cf32", options.codec, pictures, options.bursts, options.seed)
        size = (folder / "air.cf32").stat().st_size / 8e6
        print(f"{options.bursts} forged bursts, {size:.0f} million samples, made in {time.monotonic() - began:.0f} s")
        command = [sys.executable, "-m", "gr_jscc.host", "rx", "--radio", "file:air.cf32", "--codec", options.codec]
        began = time.monotonic()
        with open(folder / "log", "w") as log:
            process = subprocess.Popen([*command, "--out", "out", "--quiet"], stdout=log, stderr=log, cwd=folder)
            most = watch(process)
        seconds, text = time.monotonic() - began, (folder / "log").read_text()
        stored = [load_image(path) for path in (folder / "out").glob("*/received.png")]
        arrived = sum(
            any(other.shape == picture.shape and psnr_db(picture, other) > LEAST_PSNR_DB for other in stored)
            for picture in pictures
        )
    bad = [line for line in text.splitlines() if "Traceback" in line or "Error" in line]
    print(
        f"{options.codec}: {arrived} of {len(pictures)} honest pictures arrived, {len(stored)} stored in all; "
        f"rx took {seconds:.0f} s and {most:.0f} MB, and ended with {process.returncode}"
    )
    for line in bad[:20]:
        print(f"  {line}")
    ok = arrived == len(pictures) and not bad and process.returncode == 0 and most < options.memory
    if not ok and not bad:
        print("\n".join(text.splitlines()[-10:]))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
