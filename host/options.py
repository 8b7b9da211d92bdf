"""Options that several programs share, and their checks."""

from __future__ import annotations

import contextlib
import math
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from gr_jscc.channel.profiles import PROFILES
from gr_jscc.codecs.registry import CODECS
from gr_jscc.errors import UserError
from gr_jscc.ratios import parse_ratio

SNR_RANGE_DB = (-20.0, 60.0)
HIGHEST_HZ = 1e12  # of rates and frequencies, as SigMF has them; bounds keep "inf" and "nan" out as well


def parse_cbr(text: str) -> float:
    """A channel bandwidth ratio such as ``1/12`` or ``0.0833``.

    Raises:
        UserError: not a number, or not above 0 and at most 1.
    """
    try:
        value = parse_ratio(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise UserError(f"--cbr must be a ratio above 0 and at most 1, such as 1/12, not {text!r}")
    return value


def check_snr(snr_db: float) -> float:
    """An Es/N0 in dB that makes sense.

    Raises:
        UserError: not a number or out of `SNR_RANGE_DB`.
    """
    low, high = SNR_RANGE_DB
    if not low <= snr_db <= high:
        raise UserError(f"--snr must be from {low:g} to {high:g} dB, not {snr_db}")
    return snr_db


def check_device(device: str) -> str:
    """A torch device that is there.

    Raises:
        UserError: unknown, or ``cuda`` without a usable GPU.
    """
    import torch

    if device not in ("cpu", "cuda"):
        raise UserError(f"--device must be cpu or cuda, not {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: PyTorch finds no usable GPU; see gr-jscc doctor")
    return device


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """One of a few words.

    Raises:
        UserError: another.
    """
    if value not in choices:
        raise UserError(f"{name} must be {' or '.join(choices)}, not {value!r}")
    return value


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Lets SIGTERM end a program as Ctrl-C does, and both with what was under way put in order."""
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


Codec = Annotated[str, typer.Option("--codec", help=f"Codec: {', '.join(CODECS)}.")]
Weights = Annotated[
    str,
    typer.Option(
        "--weights",
        help="A shipped model's name (gr-jscc models) or a .safetensors file; for separation what it is made of, such "
        "as hevc:ldpc-2/3:16qam, or hevc:5dB for what suits 5 dB.",
    ),
]
Cbr = Annotated[str, typer.Option("--cbr", help="Complex channel uses per colour value (3·H·W), e.g. 1/24, 1/12, 1/6.")]
CbrMax = Annotated[
    str,
    typer.Option(
        "--cbr-max",
        help="In place of --cbr: a bound on all that is charged, with side information and headers.",
        show_default=False,
    ),
]
Eta = Annotated[
    float | None,
    typer.Option(
        "--eta",
        help="For ntscc and hjscc: real channel values per bit of the source. Unless given, what fits the CBR.",
        show_default=False,
    ),
]
Refine = Annotated[
    int,
    typer.Option(
        "--refine",
        min=0,
        max=1000,
        help="For learned codecs: steps by which the transmitter improves the symbols of each round, through the "
        "receiver's network and a simulated channel. Some 20 gain 0.3 dB, and cost as many times a decoding, twice.",
    ),
]
ControlSnr = Annotated[
    float | None,
    typer.Option(
        "--control-snr",
        min=SNR_RANGE_DB[0],
        max=SNR_RANGE_DB[1],
        help="Es/N0 in dB for which manifests and side information are coded, once and as densely as it allows. Unless "
        "given: robustly, until a receiver reports its SNR over the back-channel.",
        show_default=False,
    ),
]
Snr = Annotated[float, typer.Option("--snr", help="Es/N0 per data subcarrier, dB.")]
Channel = Annotated[str, typer.Option("--channel", help=f"Simulated channel: {', '.join(PROFILES)}.")]
Cfo = Annotated[float, typer.Option("--cfo", min=-2, max=2, help="Carrier frequency offset, subcarrier spacings.")]
Loss = Annotated[
    float, typer.Option("--loss", min=0, max=1, help="Share of the bursts that are erased in the air, at random.")
]
Scenario = Annotated[
    Path | None,
    typer.Option(
        "--scenario",
        help="TOML file of a channel with more faults, which may vary with time; see docs/reference/channel.md. "
        "What it does not set is as the other options say.",
        show_default=False,
    ),
]
Device = Annotated[str, typer.Option("--device", help="Where networks run: cpu or cuda.")]
Json = Annotated[bool, typer.Option("--json", help="Print figures as JSON, one object a line, and nothing else.")]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**31 - 1, help="Of the simulated noise.")]
Images = Annotated[list[Path], typer.Argument(help="Image files, or folders of them.", show_default=False)]
BackChannel = Annotated[
    str,
    typer.Option(
        "--back-channel",
        help="Address of the receiving host, tcp://HOST:PORT: the receiver listens there, the transmitter connects.",
        show_default=False,
    ),
]
Keys = Annotated[
    str,
    typer.Option(
        "--keys", help="This host's key file, from gr-jscc keys make; needed between machines.", show_default=False
    ),
]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Use a back-channel between machines without encryption or authentication.")
]
Patience = Annotated[
    float,
    typer.Option("--patience", min=0, help="Seconds that a lost back-channel is waited for before going on without."),
]
SampleRate = Annotated[
    float, typer.Option("--sample-rate", min=1.0, max=HIGHEST_HZ, help="Samples per second, for Hz and seconds.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show nothing but errors.")]
