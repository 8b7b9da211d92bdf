"""Which codec, at which rate, and where its networks run."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from gr_jscc.codecs.registry import CODECS
from gr_jscc.errors import UserError
from gr_jscc.host.loading import loading
from gr_jscc.host.options import panels
from gr_jscc.host.options.common import completed
from gr_jscc.ratios import parse_ratio
from gr_jscc.weights import shipped_models


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


def check_device(device: str) -> str:
    """A torch device that is there: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises:
        UserError: unknown, or a GPU that PyTorch cannot use.
    """
    with loading("PyTorch"):
        import torch

    kind, colon, index = device.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (colon and (kind != "cuda" or not index.isdecimal())):
        raise UserError(f"--device must be cpu, cuda, cuda:NUMBER or mps, not {device!r}")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UserError("--device mps: PyTorch finds no Apple GPU")
    if kind == "cuda" and not torch.cuda.is_available():
        raise UserError(f"--device {device}: PyTorch finds no usable GPU; see gr-jscc doctor")
    if colon and int(index) >= torch.cuda.device_count():
        raise UserError(f"--device {device}: there are only {torch.cuda.device_count()} GPUs, from cuda:0")
    return device


CODEC_HELP = f"Codec: {', '.join(CODECS)}; or your own: path/to/file.py:Class, package.module:Class."
Codec = Annotated[
    str,
    typer.Option("--codec", rich_help_panel=panels.CODEC, help=CODEC_HELP, autocompletion=completed(lambda: CODECS)),
]
Weights = Annotated[
    str,
    typer.Option(
        "--weights",
        rich_help_panel=panels.CODEC,
        autocompletion=completed(shipped_models),
        help="A shipped model's name (gr-jscc models) or a .safetensors file; for separation its picture and channel "
        "code, such as hevc:ldpc-2/3:16qam, or hevc:5dB for the code that suits 5 dB.",
    ),
]
Cbr = Annotated[
    str,
    typer.Option(
        "--cbr",
        rich_help_panel=panels.CODEC,
        help="Complex channel uses per colour value (3·H·W), e.g. 1/24, 1/12, 1/6.",
    ),
]
CbrMax = Annotated[
    str,
    typer.Option(
        "--cbr-max",
        rich_help_panel=panels.CODEC,
        help="Instead of --cbr: a limit on everything that is charged, including side information and headers.",
        show_default=False,
    ),
]
Eta = Annotated[
    float | None,
    typer.Option(
        "--eta",
        rich_help_panel=panels.CODEC,
        help="For ntscc and hjscc: real channel values per bit of the source. Default: what fits the CBR.",
        show_default=False,
    ),
]
Refine = Annotated[
    int,
    typer.Option(
        "--refine",
        rich_help_panel=panels.CODEC,
        min=0,
        max=1000,
        help="For learned codecs: steps by which the transmitter improves the symbols of each round, through the "
        "receiver's network and a simulated channel. About 20 steps gain 0.3 dB; each takes about as long as "
        "two decodings.",
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        rich_help_panel=panels.CODEC,
        help="Of the networks: fp32, bf16 or fp16. bf16 is faster on GPUs and on processors with matrix units; the "
        "other end may have another.",
    ),
]
Device = Annotated[
    str, typer.Option("--device", rich_help_panel=panels.CODEC, help="Where networks run: cpu, cuda, cuda:1 …, mps.")
]
