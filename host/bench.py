"""``gr-jscc bench …``: measures ratios side by side in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Annotated

import numpy as np
import typer

from gr_jscc.data import demo_image
from gr_jscc.evaluation.figures import Figure
from gr_jscc.imaging import load_image

from . import options
from .bench_air import air
from .bench_back_channel import back_channel
from .bench_calibration import calibration
from .bench_ldpc import ldpc
from .bench_modem import modem
from .printing import print_figures

app = typer.Typer(help="Measure the modem, the back-channel, the virtual air, radios and codecs.", no_args_is_help=True)
app.command()(modem)
app.command()(back_channel)
app.command()(air)
app.command()(calibration)
app.command()(ldpc)

OVERHEAD_BAR = 1.1


@app.callback()
def _bench() -> None:
    """Benchmarks; every figure is a ratio of two things measured in the same run."""


@app.command()
def codec(
    repeats: Annotated[int, typer.Option(min=3, help="Measurements of each.")] = 15,
    cbr: options.Cbr = "1/12",
    device: options.Device = "cpu",
    json_lines: options.Json = False,
) -> None:
    """Time of a codec's two halves (bytes in, bytes out) against the bare forward passes of its networks."""
    import torch

    from gr_jscc.channel.differentiable import awgn
    from gr_jscc.codecs.base import Reception
    from gr_jscc.codecs.deepjscc_network import STRIDE, from_symbols, to_symbols
    from gr_jscc.codecs.registry import load_codec

    loaded = load_codec("deepjscc", device=options.check_device(device))
    ratio = options.parse_cbr(cbr)
    image = load_image(demo_image())
    height, width = image.shape[:2]
    payload = loaded.transmitter(ratio).start(image)
    noise_var = np.full(len(payload.symbols), 0.1, np.float32)
    reception = Reception(payload.symbols, noise_var, payload.side_info)

    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float().to(device) / 255
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    positions = (height // STRIDE) * (width // STRIDE)
    rate = torch.tensor([2 * len(payload.symbols) // positions], device=device)
    with torch.inference_mode():
        symbols, scale = to_symbols(loaded.network.encode(pixels, rate), rate)
        received = from_symbols(*awgn(symbols, torch.full((1,), 10.0, device=device)), scale)

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    @torch.inference_mode()
    def bare() -> None:
        loaded.network.encode(pixels, rate)
        loaded.network.decode(*received, rate)
        wait()

    def halves() -> None:
        loaded.transmitter(ratio).start(image)
        loaded.receiver(height, width).push(reception)

    value, seconds = overhead(halves, bare, repeats)
    at = {"codec": loaded.name, "cbr": cbr, "device": device, "image": f"{width}x{height}"}
    figures = [
        Figure("codec_overhead_ratio", value, "1", at, most=OVERHEAD_BAR),
        Figure("forward_seconds", seconds, "s", at),
    ]
    print_figures(figures, "codec", json_lines)


def overhead(measured: Callable[[], None], bare: Callable[[], None], repeats: int) -> tuple[float, float]:
    """Median ratio of two run times, measured in turn, and the median of ``bare`` in seconds."""
    ratios, seconds = [], []
    for i in range(repeats + 2):  # the first two warm up
        times = []
        for function in (measured, bare):
            before = time.perf_counter()
            function()
            times.append(time.perf_counter() - before)
        if i >= 2:
            ratios.append(times[0] / times[1])
            seconds.append(times[1])
    return statistics.median(ratios), statistics.median(seconds)
