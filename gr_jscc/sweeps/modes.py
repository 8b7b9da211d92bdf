"""How a sweep's cells are sent: over the ideal channel, through the flowgraph, or between two hosts."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from gr_jscc.codecs.refined import Refined
from gr_jscc.errors import UserError
from gr_jscc.flowgraphs.ideal import ideal_picture
from gr_jscc.imaging import load_image, save_image
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.link.loading import Encoding
from gr_jscc.modem.numerology_file import numerology_toml
from gr_jscc.ports import free_addresses
from gr_jscc.reports.archive import PICTURE, REPORT
from gr_jscc.reports.report import OnAir, Received, build_report
from gr_jscc.reports.report import Sent as Transmitted
from gr_jscc.sweeps.cells import Cell
from gr_jscc.sweeps.measurement import MODELS_KEPT, check_weights, kept_codec
from gr_jscc.sweeps.remembered import Remembered

CFO = 0.1  # subcarrier spacings, as loopback's and channel's
START_SECONDS = 120  # for three programs on a busy machine
PICTURE_SECONDS = 30  # for each picture between two hosts,
MEGAPIXEL_SECONDS = 180  # and for its network on a small share of a core

Sent = "list[tuple[dict, np.ndarray | None]]"


def send(device: str, cells: Sequence[Cell], pictures: Sequence[np.ndarray]) -> Sent:
    """Sends pictures as their cells say; see `gr_jscc.sweeps.measurement.Send`.

    Args:
        device: torch device of the networks.
        cells: of the same mode; more than one between two hosts only.
        pictures: uint8[H, W, 3] each.

    The seconds that encoding takes are those of the first cell that needed the encoding, see `Remembered`.
    """
    import torch

    torch.set_num_threads(1)  # a worker is one core's; and sums come out the same on machines with more cores
    check_weights(cells[0], kept_codec(cells[0].codec, cells[0].weights, device))
    if cells[0].mode == "ideal":
        return [_ideal(cell, picture, device) for cell, picture in zip(cells, pictures)]
    with tempfile.TemporaryDirectory(prefix="gr-jscc-sweep-") as name:
        sent = Path(name, "sent")
        files = [sent / f"{number:05d}.ppm" for number in range(len(cells))]
        for path, picture in zip(files, pictures):
            save_image(path, picture)
        modes = {"flowgraph": _flowgraph, "two-hosts": _two_hosts}
        return modes[cells[0].mode](cells[0], files, device)


def _ideal(cell: Cell, picture: np.ndarray, device: str) -> tuple[dict, np.ndarray | None]:
    codec = kept_codec(cell.codec, cell.weights, device)
    if cell.refine:
        codec = Refined(codec, cell.refine, cell.snr_db)
    elif not codec.uses_feedback:
        codec = _remembered(cell.codec, cell.weights, device)
    rng = np.random.default_rng(cell.noise_seed)
    results = ideal_picture(codec, (cell.image, picture), cell.cbr, cell.channel, cell.snr_db, rng, _settings(cell))
    (final,) = (result for result in results if result.final)
    if isinstance(codec, Remembered):
        seconds = final.report["seconds"]
        seconds["total"] = round(seconds["total"] - seconds["encode"] + codec.encode_seconds, 4)
        seconds["encode"] = round(codec.encode_seconds, 4)
    return final.report, final.received


@lru_cache(MODELS_KEPT)
def _remembered(name: str, weights: str, device: str) -> Remembered:
    return Remembered(kept_codec(name, weights, device))


def _flowgraph(cell: Cell, files: list[Path], device: str) -> Sent:
    from gr_jscc.flowgraphs.loopback import Air, LoopbackFlowgraph

    seed = max(1, cell.noise_seed)  # GNU Radio takes 0 for "another one each time"
    encoding = Encoding(cell.codec, cell.cbr, cell.weights, device, refine=cell.refine)
    graph = LoopbackFlowgraph(files, encoding, Air(cell.channel, cell.snr_db, CFO, seed=seed), _settings(cell))
    return [(result.report, result.received) for result in graph.results() if result.final]


def _settings(cell: Cell) -> LinkSettings:
    """Manifests and side information are coded for the cell's SNR, as the digital baseline's pictures are."""
    return LinkSettings(cell.burst_symbols, control_snr_db=cell.snr_db, numerology=cell.numerology)


def _two_hosts(cell: Cell, files: list[Path], device: str) -> Sent:
    """Three programs: `gr-jscc tx`, `channel` and `rx`."""
    folder = files[0].parent.parent
    out, log, told = folder / "received", folder / "log", folder / "told"
    layout = folder / "numerology.toml"
    layout.write_text(numerology_toml(cell.numerology))
    near, far, back = free_addresses(3)
    codec = ("--codec", cell.codec, "--weights", cell.weights, "--device", device, "--back-channel", back, "--quiet")
    air = ("--snr", cell.snr_db, "--channel", cell.channel, "--seed", cell.noise_seed, "--cfo", CFO, "--quiet")
    with contextlib.ExitStack() as running, open(log, "w") as stream, open(told, "w") as news:

        def start(program: str, *arguments: object, stdout=subprocess.DEVNULL) -> subprocess.Popen:
            command = [sys.executable, "-m", "gr_jscc.host", program, "--numerology", layout, *map(str, arguments)]
            process = subprocess.Popen(command, stdout=stdout, stderr=stream)
            running.callback(process.wait)
            running.callback(process.kill)
            return process

        start("channel", "--from", f"zmq:{near}", "--to", f"zmq:{far}", *air)
        receiver = start(
            "rx", "--radio", f"zmq:{far}", "--out", out, "--originals", files[0].parent, "--once", *codec
        )  # fmt: skip
        asked = ("--cbr", cell.cbr, "--refine", cell.refine, "--burst-symbols", cell.burst_symbols, "--json")
        transmitter = start("tx", *files, "--radio", f"zmq:{near}", *asked, *codec, stdout=news)
        megapixels = sum(path.stat().st_size for path in files) / 3e6  # of uncompressed files
        patience = round(START_SECONDS + PICTURE_SECONDS * len(files) + MEGAPIXEL_SECONDS * megapixels)
        try:
            failed = any([transmitter.wait(patience), receiver.wait(patience)])
        except subprocess.TimeoutExpired as error:
            raise UserError(f"tx and rx did not end within {patience} s") from error
    events = [json.loads(line) for line in told.read_text().splitlines()]
    lost = {event["name"] for event in events if event["event"] == "failed"}
    if failed and not all(path.name in lost or (out / path.stem / REPORT).is_file() for path in files):
        lines = log.read_text(errors="replace").strip().splitlines()
        raise UserError((lines or ["tx or rx failed without a message"])[-1])
    return [_lost(cell, path, device) if path.name in lost else _result(out / path.stem) for path in files]


def _lost(cell: Cell, file: Path, device: str) -> tuple[dict, None]:
    """The report of a picture that the receiver could make nothing of, however often it was sent."""
    codec = kept_codec(cell.codec, cell.weights, device)
    sent = Transmitted(file.name, load_image(file), codec.name, codec.weights_name, cell.cbr, None, None)
    return build_report(sent, OnAir(None), Received(None, None, 0.0, 0.0), cell.channel, cell.snr_db), None


def _result(folder: Path) -> tuple[dict, np.ndarray | None]:
    picture = folder / PICTURE
    report = json.loads((folder / REPORT).read_text())
    return report, load_image(picture) if picture.is_file() else None
