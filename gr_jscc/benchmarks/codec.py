"""What a codec's halves cost beside the networks in them."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

from gr_jscc.codecs.base import Codec, Payload, Reception
from gr_jscc.codecs.parts.deepjscc_network import STRIDE, from_symbols, to_symbols
from gr_jscc.codecs.parts.pixels import to_pixels
from gr_jscc.codecs.rate_adaptive import QUALITY_CODES
from gr_jscc.codecs.torch_codec import TorchCodec
from gr_jscc.link.ideal import ideal_transfer
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.nn.noise import awgn

SNR_DB = 10.0
BARS = {"deepjscc": 1.1, "ntscc": 1.15}  # most of halves / forward passes


def codec_overhead(loaded: Codec, image: np.ndarray, cbr: float, repeats: int) -> tuple[float, float] | None:
    """Time of a codec's two halves, bytes in and bytes out, against the bare forward passes of its networks.

    Args:
        loaded: any.
        image: uint8[H, W, 3].
        cbr: of the picture.
        repeats: measurements of each, in turn.

    Returns:
        The median ratio, and the median of the forward passes in seconds; None where those are not known.
    """
    height, width = image.shape[:2]
    payload = loaded.transmitter(cbr).start(image)
    noise_var = np.full(len(payload.symbols), 0.1, np.float32)
    reception = Reception(payload.symbols, noise_var, payload.side_info)
    passes = _bare_passes(loaded, image, payload)
    if passes is None:
        return None

    @torch.inference_mode()
    def bare() -> None:
        passes()
        if str(loaded.device).startswith("cuda"):
            torch.cuda.synchronize()

    pictures = _in_turn(image)

    def halves() -> None:
        loaded.transmitter(cbr).start(next(pictures))
        loaded.receiver(height, width).push(reception)

    return overhead(halves, bare, repeats)


def codec_seconds(loaded: Codec, image: np.ndarray, cbr: float, repeats: int) -> tuple[float, float]:
    """Median seconds in which the two halves of any codec send uint8[H, W, 3], all rounds without feedback."""
    flat, rng = np.ones(1, np.complex64), np.random.default_rng(1)
    sent = [ideal_transfer(loaded, image, cbr, SNR_DB, flat, rng, told=False) for _ in range(repeats)]
    encoding = statistics.median(sum(one.encode_seconds for one in rounds) for rounds in sent)
    decoding = statistics.median(sum(one.decode_seconds for one in rounds) for rounds in sent)
    return encoding, decoding


def precision_gain(codec: Codec, exact: Codec, image: np.ndarray, cbr: float, repeats: int) -> tuple[float, float]:
    """What a codec gains by a lower precision than that of another one, otherwise equal, and what it costs.

    Args:
        codec: with `Codec.compute_in` called.
        exact: with another precision.
        image: uint8[H, W, 3].
        cbr: of the picture.
        repeats: measurements of each, in turn.

    Returns:
        The ratio of the median times of both halves, above 1 where ``codec`` is the faster one; and the PSNR in dB by
        which its picture is the better one, over the same noise.
    """
    flat = np.ones(1, np.complex64)
    seconds: dict[Codec, list[float]] = {codec: [], exact: []}
    quality = {}
    pictures = _in_turn(image)
    for _ in range(repeats + 1):  # the first warms up
        picture = next(pictures)
        for one, taken in seconds.items():
            rounds = ideal_transfer(one, picture, cbr, SNR_DB, flat, np.random.default_rng(1))
            taken.append(sum(crossed.encode_seconds + crossed.decode_seconds for crossed in rounds))
            quality[one] = psnr_db(picture, rounds[-1].picture)
    times = {one: statistics.median(taken[1:]) for one, taken in seconds.items()}
    return times[exact] / times[codec], quality[codec] - quality[exact]


def _in_turn(image: np.ndarray) -> Iterator[np.ndarray]:
    """A picture's mirror image and itself by turns: so nothing helps that a codec remembers of the last picture."""
    return itertools.cycle([np.ascontiguousarray(image[:, ::-1]), image])


def _bare_passes(loaded: Codec, image: np.ndarray, payload: Payload) -> Callable[[], None] | None:
    """The forward passes of a codec's networks for a picture and nothing else; None where they are not known."""
    if isinstance(loaded, TorchCodec):
        return _torch_codec(loaded, image)
    known = {"deepjscc": _deepjscc, "ntscc": _ntscc}.get(loaded.name)
    return known and known(loaded, image, payload)


def _torch_codec(loaded: TorchCodec, image: np.ndarray) -> Callable[[], None]:
    """Encoder and decoder."""
    pixels = loaded.layout.cut(to_pixels(image, *loaded.layout.padded(*image.shape[:2]), loaded.device))
    with torch.inference_mode():
        z = loaded.encode(pixels)
    noise_var, snr_db = torch.full(z.shape, 0.1, device=z.device), torch.full((len(z),), 10.0, device=z.device)

    def passes() -> None:
        loaded.encode(pixels)
        loaded.decode(z, noise_var, snr_db)

    return passes


def _deepjscc(loaded: Codec, image: np.ndarray, payload: Payload) -> Callable[[], None]:
    """Encoder and decoder."""

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
