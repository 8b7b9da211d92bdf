"""What a second process must make of a codec: the same, from its name and the payload alone."""

from __future__ import annotations

import numpy as np
import torch

from gr_jscc.codecs.registry import load_codec
from gr_jscc.contract.apart import Apart, identity_of, measured_by, shown_by
from gr_jscc.contract.check import BreachError, SkippedError, held
from gr_jscc.contract.crossing import estimates, reception, rounds_of, same_pictures, threads
from gr_jscc.contract.subject import Subject
from gr_jscc.sweeps.cells import Cell
from gr_jscc.sweeps.pictures import picture_hash

SNR_DB = 10.0


def identity(subject: Subject) -> str:
    """Name, weights' name and four bytes of hash, the same in another process."""
    codec = subject.codec
    with held(codec, "weights_name or weights_hash"):
        here = codec.name, codec.weights_name, codec.weights_hash
    _, weights, tag = here
    if not isinstance(weights, str) or not weights or len(weights.splitlines()) != 1:
        raise BreachError(f"weights_name must be a line of text, not {weights!r}")
    if type(tag) is not bytes or len(tag) != 4:
        raise BreachError(f"weights_hash must be four bytes, not {tag!r}")
    there = subject.apart.ask(identity_of, subject.place)
    for what, ours, others in zip(("name", "weights_name", "weights_hash"), here, there):
        if ours != others:
            raise BreachError(f"{what} is {ours!r} here and {others!r} in another process")
    return f"{weights}, {tag.hex()}"


def _shown_apart(subject: Subject, apart: Apart) -> list[np.ndarray]:
    rounds = [(one.symbols.tobytes(), bytes(one.side_info)) for one in subject.rounds]
    return apart.ask(shown_by, subject.place, threads(), rounds, *subject.size)


def two_processes(subject: Subject) -> str:
    """A receiver in another process gives the picture that one beside the transmitter gives, to the bit."""
    if differ := same_pictures(subject.shown, _shown_apart(subject, subject.apart)):
        raise BreachError(f"in another process {differ}")
    return f"{len(subject.shown)} estimates"


def nothing_else(subject: Subject) -> str:
    """What a receiver shows depends on what it is given alone, not on what the transmitter does meanwhile."""
    first = _shown_apart(subject, subject.apart)
    with held(subject.codec, "encoding a second photo"):
        rounds_of(subject.codec, subject.other, subject.cbr)
    with Apart() as apart:  # so that nothing is left there of the first time
        second = _shown_apart(subject, apart)
    if differ := same_pictures(first, second):
        raise BreachError(f"after another picture was encoded in another process {differ}")
    return "also after another picture was encoded"


def sweep_worker(subject: Subject) -> str:
    """A worker of a sweep finds it by its name and measures a cell with it."""
    if subject.shown[-1].shape != subject.image.shape:
        raise SkippedError("its pictures are of another size than what was sent")
    cell = Cell(
        subject.place.name, subject.place.weights, subject.codec.weights_hash.hex(), "photo",
        picture_hash(subject.image), SNR_DB, subject.cbr, "awgn", "ideal", 1,
    )  # fmt: skip
    measured = subject.apart.ask(measured_by, cell, subject.image, subject.place.device)
    if measured.row["error"]:
        raise BreachError(f"the cell fails: {measured.row['error']}")
    return f"{measured.row['psnr_db']:.1f} dB at {SNR_DB:g} dB SNR"


def gpu(subject: Subject) -> str:
    """What one half does on the CPU and the other on a GPU is what both do on the CPU, within a grey level."""
    if not torch.cuda.is_available():
        raise SkippedError("PyTorch finds no GPU here")
    name, weights = subject.place.name, subject.place.weights or None
    with held(subject.codec, "loading it on the CPU and on the GPU"):
        halves = {device: load_codec(name, weights, device) for device in ("cpu", "cuda")}
    pictures = {}
    for sender, receiver in (("cpu", "cpu"), ("cpu", "cuda"), ("cuda", "cpu"), ("cuda", "cuda")):
        with held(subject.codec, f"encoding on {sender}, decoding on {receiver}"):
            rounds = rounds_of(halves[sender], subject.image, subject.cbr)
            receptions = [reception(one) for one in rounds]
            pictures[sender, receiver] = estimates(halves[receiver], receptions, *subject.size)
    for sender in ("cpu", "cuda"):  # two encoders may choose other rates where it hardly matters
        if differ := same_pictures(pictures[sender, sender], pictures[sender, "cuda" if sender == "cpu" else "cpu"], 1):
            raise BreachError(f"encoded on {sender} and decoded on the other {differ}")
    return "CPU to GPU, GPU to CPU"
