"""``gr-jscc bench codec``: what a codec's halves cost beside the networks in them."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from gr_jscc.data import demo_image
from gr_jscc.figures import Figure
from gr_jscc.host import options
from gr_jscc.host.printing import print_figures
from gr_jscc.imaging import load_image

if TYPE_CHECKING:
    from gr_jscc.codecs.base import Codec, Payload

BARS = {"deepjscc": 1.1, "ntscc": 1.15}  # most of halves / forward passes


def codec(
    name: Annotated[str, typer.Option("--codec", help=f"One of {', '.join(BARS)}.")] = "deepjscc",
    weights: options.Weights = "",
    repeats: Annotated[int, typer.Option(min=3, help="Measurements of each.")] = 15,
    cbr: options.Cbr = "1/12",
    device: options.Device = "cpu",
    json_lines: options.Json = False,
) -> None:
    """Time of a codec's two halves (bytes in, bytes out) against the bare forward passes of its networks."""
    import torch

    from gr_jscc.codecs.base import Reception
    from gr_jscc.codecs.registry import load_codec

    if name not in BARS:
        raise typer.BadParameter(f"not {name!r}; known: {', '.join(BARS)}", param_hint="--codec")
    loaded = load_codec(name, weights or None, options.check_device(device))
    ratio = options.parse_cbr(cbr)
    image = load_image(demo_image())
    height, width = image.shape[:2]
    payload = loaded.transmitter(ratio).start(image)
    noise_var = np.full(len(payload.symbols), 0.1, np.float32)
    reception = Reception(payload.symbols, noise_var, payload.side_info)
    passes = {"deepjscc": _deepjscc, "ntscc": _ntscc}[name](loaded, image, payload)

    @torch.inference_mode()
    def bare() -> None:
        passes()
        if device == "cuda":
            torch.cuda.synchronize()

    # In turn with its mirror image, so that nothing helps that a codec remembers of the last picture.
    pictures = itertools.cycle([np.ascontiguousarray(image[:, ::-1]), image])

    def halves() -> None:
        loaded.transmitter(ratio).start(next(pictures))
        loaded.receiver(height, width).push(reception)

    value, seconds = overhead(halves, bare, repeats)
    at = {"codec": loaded.name, "cbr": cbr, "device": device, "image": f"{width}x{height}"}
    figures = [
        Figure("codec_overhead_ratio", value, "1", at, most=BARS[name]),
        Figure("forward_seconds", seconds, "s", at),
    ]
    print_figures(figures, "codec", json_lines)


def _deepjscc(loaded: Codec, image: np.ndarray, payload: Payload) -> Callable[[], None]:
    """Encoder and decoder."""
    import torch

    from gr_jscc.codecs.parts.deepjscc_network import STRIDE, from_symbols, to_symbols
    from gr_jscc.codecs.parts.pixels import to_pixels
    from gr_jscc.nn.channel import awgn

    network, pixels = loaded.network, to_pixels(image, *image.shape[:2], loaded.device)
    positions = (image.shape[0] // STRIDE) * (image.shape[1] // STRIDE)
    rate = torch.tensor([2 * len(payload.symbols) // positions], device=loaded.device)
    with torch.inference_mode():
        symbols, scale = to_symbols(network.encode(pixels, rate), rate)
        received = from_symbols(*awgn(symbols, torch.full((1,), 10.0, device=loaded.device)), scale)

    def passes() -> None:
        network.encode(pixels, rate)
        network.decode(*received, rate)

    return passes


def _ntscc(loaded: Codec, image: np.ndarray, payload: Payload) -> Callable[[], None]:
    """g_a, the entropy model once, f_e; h_s, f_d* and g_s."""
    import torch

    from gr_jscc.codecs.parts.pixels import to_pixels
    from gr_jscc.codecs.rate_adaptive import QUALITY_CODES
    from gr_jscc.nn.channel import awgn

    network, pixels = loaded.network, to_pixels(image, *image.shape[:2], loaded.device)
    with torch.inference_mode():
        latents = network.transforms.analyse(pixels)
        plan = loaded.plan(latents, len(payload.symbols))
        index = torch.from_numpy(plan.index).to(loaded.device)[None]
        quality = torch.tensor([plan.quality / QUALITY_CODES], device=loaded.device)
        symbols, _, scale = network.modulate(latents, index, loaded.prior(plan.hyper, index))
        received = awgn(symbols, torch.full((1,), 10.0, device=loaded.device))

    def passes() -> None:
        latents = network.transforms.analyse(pixels)
        modelled = network.model(latents, quality)
        prior = network.prior(latents, modelled.mean, modelled.scale)
        network.modulate(latents, index, prior)
        network.demodulate(*received, scale, index, prior)

    return passes


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
