"""``gr-jscc bench compressor``: NTSCC's compressor alone against BPG's core."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gr_jscc.data import demo_image
from gr_jscc.host import options
from gr_jscc.host.printing import print_figures


def compressor(
    pictures: Annotated[list[Path] | None, typer.Argument(help="Pictures or folders; default: the demo photo.")] = None,
    weights: options.Weights = "",
    device: options.Device = "cpu",
    json_lines: options.Json = False,
) -> None:
    """Bits of the compressor in NTSCC (transforms and entropy model, no channel) against BPG's at equal PSNR."""
    from gr_jscc.benchmarks.compressor import measure
    from gr_jscc.codecs.registry import load_codec
    from gr_jscc.imaging import expand_inputs, load_image

    codec = load_codec("ntscc", weights or None, options.check_device(device))
    images = [load_image(path) for path in expand_inputs(pictures or [demo_image()])]
    print_figures(measure(codec.network, images, codec.weights_name), "compressor", json_lines)
