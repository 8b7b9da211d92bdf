"""``gr-jscc bench codec``: what a codec's halves cost beside the networks in them."""

from __future__ import annotations

from typing import Annotated

import typer

from gr_jscc.data import demo_image
from gr_jscc.figures import Figure
from gr_jscc.host import options
from gr_jscc.host.printing import print_figures
from gr_jscc.imaging import load_image


def codec(
    name: Annotated[str, typer.Option("--codec", help="Any codec; deepjscc and ntscc have bars.")] = "deepjscc",
    weights: options.Weights = "",
    repeats: Annotated[int, typer.Option(min=3, help="Measurements of each.")] = 15,
    cbr: options.Cbr = "1/12",
    device: options.Device = "cpu",
    precision: options.Precision = "fp32",
    json_lines: options.Json = False,
) -> None:
    """Time of a codec's two halves, bytes in and bytes out, and against the bare passes of its networks if known.

    With --precision also what that gains and costs against fp32, measured in turn.
    """
    from gr_jscc.benchmarks.codec import BARS, codec_overhead, codec_seconds, precision_gain
    from gr_jscc.codecs.registry import load_codec

    loaded = load_codec(name, weights or None, options.check_device(device), precision)
    image = load_image(demo_image())
    ratio = options.parse_cbr(cbr)
    at = {
        "codec": loaded.name,
        "cbr": cbr,
        "device": device,
        "precision": precision,
        "image": f"{image.shape[1]}x{image.shape[0]}",
    }
    encoding, decoding = codec_seconds(loaded, image, ratio, repeats)
    figures = [Figure("encode_seconds", encoding, "s", at), Figure("decode_seconds", decoding, "s", at)]
    if overhead := codec_overhead(loaded, image, ratio, repeats):
        value, seconds = overhead
        figures.append(Figure("codec_overhead_ratio", value, "1", at, most=BARS.get(loaded.name)))
        figures.append(Figure("forward_seconds", seconds, "s", at))
    if precision != "fp32":
        exact = load_codec(name, weights or None, device)
        gain, cost = precision_gain(loaded, exact, image, ratio, repeats)
        figures += [Figure("precision_speed_ratio", gain, "1", at), Figure("precision_psnr_gain", cost, "dB", at)]
    print_figures(figures, "codec", json_lines)
