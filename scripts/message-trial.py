"""Has a peer with the right key tell a receiver everything that it can, and looks at its memory and at what arrives.

    python scripts/message-trial.py --messages 100000

`rx` runs as a program, with keys. `tx`, as a program with other pictures each time, comes before, between and after
turns of a peer that speaks the protocol: messages of every kind, valid, odd and hostile, among them floods of
announcements, repeated names and side information of pictures of any size. Every honest picture must arrive, memory
must stay below the bound, and no line may tell of an exception. Pictures of names that the peer chose may be stored
(docs/reference/security.md).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from gr_jscc.codecs.registry import load_codec
from gr_jscc.data import demo_image
from gr_jscc.imaging import load_image, save_image
from gr_jscc.link.back_channel import (
    BackChannel,
    BurstMap,
    Bye,
    ChannelState,
    Connected,
    Have,
    Hello,
    Message,
    Report,
    RoundSent,
    Security,
    SideInfo,
    Stop,
    Symbols,
    make_keys,
)  # fmt: skip
from gr_jscc.link.manifest import Manifest
from gr_jscc.link.session import Session
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.ports import free_addresses
from gr_jscc.resident import resident_mb

TURNS = 2  # of the peer, between three of `tx`
PICTURES = 3  # of each
LEAST_PSNR_DB = 24.0
SIZES = (1, 16, 128, 255, 1024, 16384, 65535)
NAMES = ("p0-0.png", "../../p", "/etc/passwd", "", "\x1b[2J", "x" * 4000, "a/b", "CON", "[bold]", "p0-0.png/..", "\0")
VALUES = (None, True, -1, 0, 1, 2**31, 2**53, -(2**62), 1e308, 1e-308, 0.5, "", "1", "\u202e", [], {}, [[[]]], [0] * 99)
EVENTS = ("sent", "done", "air", "stored", "failed", "decoding", "receiving", "quiet", "end", "taken", "received", "")
FIELDS = (
    "event", "name", "key", "codec", "weights", "cbr", "encode_seconds", "round", "rounds", "attempt", "start",
    "payload", "side_info", "header", "air", "bursts", "repeated", "papr_db", "psnr_db", "side_info_bytes", "layered",
)  # fmt: skip


def message(rng: random.Random, session: Session, weights_hash: bytes) -> Message:
    """One that the protocol carries, of whatever content."""
    transfer = session.transfer(rng.randrange(1024)) if rng.random() < 0.9 else rng.randrange(1 << 32)
    round_ = rng.choice((0, 0, 0, 1, 63, 255))
    kind = rng.randrange(12)
    if kind < 4:
        content = {field: rng.choice(VALUES) for field in rng.sample(FIELDS, rng.randrange(len(FIELDS)))}
        content |= {"event": rng.choice(EVENTS), "name": rng.choice(NAMES), "key": rng.randbytes(8).hex()}
        return Report(transfer, content | {"y" * rng.randrange(300): "z" * rng.choice((0, 9, 60000))})
    if kind < 7:
        return RoundSent(transfer, round_, rng.choice((0, 1, 255)), rng.random() < 0.5)
    if kind == 7:
        size = (128, 192) if rng.random() < 0.99 else (rng.choice(SIZES), rng.choice(SIZES))
        manifest = Manifest(
            weights_hash, *size, rng.choice((0, 1, 6144, 1 << 20, 1 << 31)), rng.randbytes(2), session.rest
        )
        return SideInfo(
            transfer, round_, manifest.pack() if rng.random() < 0.7 else rng.randbytes(rng.choice((0, 99, 1 << 18)))
        )
    if kind == 8:
        count = rng.choice((0, 1, 999))
        return Symbols(
            transfer, round_, np.full(count, 1e38, np.complex64), np.full(count, np.inf, np.float32), "complex64"
        )
    if kind == 9:
        return BurstMap(transfer, round_, rng.random() < 0.5, np.ones(rng.choice((0, 1, 16384)), bool))
    if kind == 10:
        return ChannelState(transfer, round_, float("nan"), 3e38, -3e38, 65535, 0)
    return rng.choice((Stop(transfer), Bye(), Have(rng.randbytes(8), tuple(rng.randbytes(8) for _ in range(99)))))


def tell(address: str, security: Security, codec, count: int, rng: random.Random) -> tuple[int, float]:
    """A transmitter that says so many things; returns how many were acknowledged, and the seconds that they took."""
    session, there = Session(rng.randrange(1 << 23)), threading.Event()
    hello = Hello.of(
        "transmitter", codec.name, codec.weights_name, codec.weights_hash, run=rng.randbytes(8), session=session.word,
        air_key=rng.randbytes(16),
    )  # fmt: skip
    channel = BackChannel(
        address, hello, lambda heard: None, lambda state: isinstance(state, Connected) and there.set(), security
    )
    channel.start()
    try:
        if not there.wait(60):
            return 0, 60.0
        began = time.monotonic()
        for _ in range(count):
            one = message(rng, session, codec.weights_hash)
            while not channel.send(one):  # its queue is full
                time.sleep(0.01)
        while channel.waiting and time.monotonic() - began < 600:
            time.sleep(0.05)
        return count - channel.waiting, time.monotonic() - began
    finally:
        channel.close()


def watch(process: subprocess.Popen, most: list[float]) -> None:
    """Notes the most memory, MB, that a process holds until it ends."""
    with contextlib.suppress(OSError):
        while process.poll() is None:
            most[0] = max(most[0], resident_mb(process.pid))
            time.sleep(0.1)


def start(folder: Path, log: str, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "gr_jscc.host", *map(str, arguments), "--quiet"]
    with open(folder / log, "a") as file:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, stdout=file, stderr=file, cwd=folder, env=environment)


def trial(folder: Path, options: argparse.Namespace) -> int:
    """Runs all and prints how it went; returns how many things were not as they must be."""
    make_keys(folder / "keys")
    air, back = free_addresses(2)
    link = ("--radio", f"zmq:{air}", "--back-channel", back)
    photo, pictures = load_image(demo_image()), {}
    for turn in range(TURNS + 1):
        (folder / f"pictures{turn}").mkdir()
        for number in range(PICTURES):
            top, left = 100 * turn, 150 * number
            pictures[f"p{turn}-{number}.png"] = picture = photo[top : top + 128, left : left + 192]
            save_image(folder / f"pictures{turn}" / f"p{turn}-{number}.png", picture)
    codec, rng = load_codec("deepjscc"), random.Random(options.seed)
    keys = [folder / "keys" / f"{role}.key" for role in ("receiver", "transmitter")]
    receiver, most, bad = start(folder, "rx.log", "rx", *link, "--keys", keys[0], "--out", "out"), [0.0], []
    watching = threading.Thread(target=watch, args=(receiver, most))
    watching.start()
    try:
        for turn in range(TURNS + 1):
            sender = start(
                folder, "tx.log", "tx", folder / f"pictures{turn}", *link, "--keys", keys[1], "--patience", 120
            )
            code, held = sender.wait(), resident_mb(receiver.pid)
            print(f"tx ended with {code}; rx holds {held:.0f} MB", flush=True)
            bad += [f"tx ended with {code}"] * (code != 0)
            if turn < TURNS:
                count = options.messages // TURNS
                taken, seconds = tell(back, Security.load(keys[1]), codec, count, rng)
                print(f"{taken} of {count} messages were taken in {seconds:.0f} s", flush=True)
                bad += ["messages were not taken"] * (taken < count)
    finally:
        receiver.send_signal(signal.SIGTERM)
        receiver.wait(300)
    watching.join()
    stored = {}
    for path in (folder / "out").glob("*/report.json"):
        if path.with_name("received.png").exists():
            stored.setdefault(json.loads(path.read_text())["image"]["name"], []).append(path.with_name("received.png"))
    good = [
        name
        for name, picture in pictures.items()
        for there in map(load_image, stored.get(name, ()))
        if there.shape == picture.shape and psnr_db(picture, there) > LEAST_PSNR_DB
    ]
    missing = len(pictures.keys() - good)
    said = (folder / "rx.log").read_text().splitlines()
    count = sum(map(len, stored.values()))
    print(f"{len(pictures) - missing} of {len(pictures)} honest pictures arrived, {count} stored in all; rx held")
    print(f"{most[0]:.0f} MB at most, ended with {receiver.returncode}, and said {len(said)} lines")
    print("\n".join(said[:10]))
    bad += ["honest pictures are missing"] * (missing > 0)
    bad += ["too much memory"] * (most[0] > options.memory)
    bad += [line for line in said if "Traceback" in line or "Error" in line]
    print("\n".join(f"  {line}" for line in bad), end="\n" * bool(bad))
    return len(bad)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--memory", type=float, default=1500.0, help="MB that the receiver may hold")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the receiver ends, too
    with tempfile.TemporaryDirectory(prefix="gr-jscc-messages-") as scratch:
        sys.exit(1 if trial(Path(scratch), given) else 0)
