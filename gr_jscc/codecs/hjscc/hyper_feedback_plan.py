"""How many channel uses the rounds of HJSCC over hyperlatents will take, before they are sent.

What variances noise will leave is known but for the noise's amount, so nothing is imitated.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gr_jscc.codecs.hjscc.hyper_feedback_end import End
from gr_jscc.codecs.hjscc.hyper_feedback_network import Belief, HyperFeedbackNetwork, power_scale
from gr_jscc.codecs.parts.hyper import Hyperprior
from gr_jscc.codecs.parts.picture_sample import sample_of
from gr_jscc.codecs.rate_adaptive import QUALITY_CODES, finest_level, quality_code

QUALITIES = 17  # levels that are tried, from 0 to 1
USUAL_THRESHOLD = 0.4  # of the first round with latents
LOOSE = 64.0  # times as much, or as little, it can be
RISE = 1.2  # from a round's threshold to the next one's
TRIALS = 9  # of thresholds, each of which halves what is left in question
PLANNED_POSITIONS = 150  # of a larger picture's a part tells how many latents rounds will send


def finest_quality(
    network: HyperFeedbackNetwork, exact: Hyperprior, latents: Tensor, symbols: int, snr_db: float
) -> int:
    """The code of the finest quality at which all rounds, at the usual thresholds, fit into so many complex symbols.

    Of a large picture it is about that, by a sample: thresholds make up for the rest.

    Args:
        network, exact: as an `End` has them.
        latents: float32[1, C, h, w].
        symbols: there are.
        snr_db: Es/N0 that is expected.
    """
    (latents,), times = sample_of([latents], network.transforms.stride)

    def expected(level: int) -> float:
        quality = torch.tensor([quality_code(level, QUALITIES) / QUALITY_CODES], device=latents.device)
        of_hyper, count = _hyper_round(network, network.hyper(latents, quality), quality, snr_db)
        start = network.described(of_hyper, exact, *latents.shape[2:])
        return times * (count + sum(_counts(network, start, quality, USUAL_THRESHOLD, snr_db)))

    return quality_code(finest_level(QUALITIES, expected, symbols), QUALITIES)


def planned_counts(end: End, symbols: int, snr_db: float) -> list[int]:
    """How rounds with latents share so many complex symbols: as at thresholds of which each is above the last one's.

    Args:
        end: that knows what arrived of hyperlatents.
        symbols: that are left.
        snr_db: Es/N0 that is expected.
    """
    low, high = USUAL_THRESHOLD / LOOSE, USUAL_THRESHOLD * LOOSE
    for _ in range(TRIALS):
        middle = (low * high) ** 0.5
        fits = sum(_counts(end.network, end.latents, end.quality, middle, snr_db)) <= symbols
        low, high = (low, middle) if fits else (middle, high)
    counts = _counts(end.network, end.latents, end.quality, high, snr_db)
    return [int(count / max(sum(counts), 1) * symbols) for count in counts]


def _hyper_round(network: HyperFeedbackNetwork, hyper: Tensor, quality: Tensor, snr_db: float) -> tuple[Belief, int]:
    """About what will be known of hyperlatents float32[1, Z, h', w'], and how many complex symbols they take."""
    size, gain = hyper.shape[2:], network.hyper_gain(quality)
    before, mask = network.of_hyper(quality, *size), network.hyper_mask(quality, *size)
    values, noise_var = network.values(hyper, before, gain), torch.full_like(hyper, 10 ** (-snr_db / 10))
    after = network.after(before, before, gain, mask, values, noise_var, power_scale(values, mask))
    return after, int(mask.sum()) // 2


def _counts(
    network: HyperFeedbackNetwork, start: Belief, quality: Tensor, threshold: float, snr_db: float
) -> list[float]:
    """About how many complex symbols each round with latents takes, the first of a threshold."""
    belief, counts = _part(start), []
    share = start.variance.numel() / belief.variance.numel()
    nothing = torch.zeros_like(belief.estimate)
    noise_var = torch.full_like(nothing, 10 ** (-snr_db / 10))
    for number in range(network.rounds):
        limit = torch.full_like(quality, threshold * RISE**number, dtype=torch.float64)
        mask, gain = network.lacking(belief, quality, limit), network.gain(belief, number)
        values = torch.where(mask, gain * belief.variance.sqrt(), 0).float()
        belief = network.after(belief, belief, gain, mask, nothing, noise_var, power_scale(values, mask))
        counts.append(float(mask.sum()) / 2 * share)
    return counts


def _part(belief: Belief) -> Belief:
    """Of a large picture some positions, evenly spread."""
    rows, columns = belief.variance.shape[2:]
    apart = max(1, int((rows * columns / PLANNED_POSITIONS) ** 0.5))
    parts = (belief.prior, belief.estimate, belief.variance)
    return Belief(*(x[:, :, ::apart, ::apart].contiguous() for x in parts))
