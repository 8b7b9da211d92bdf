"""What stays of the frame before: the blend that brings a decoded frame nearest to the one that was sent."""

import torch

from gr_jscc.codecs.parts.temporal_blend import BLENDS, NOISE, best_blend, blended


def random(seed, spread=1.0):
    return spread * torch.randn(1, 3, 48, 64, generator=torch.Generator().manual_seed(seed))


def test_the_best_is_the_one_with_the_least_error():
    frame = 0.5 + random(1, 0.1)
    for seed, noise, motion in ((2, 0.02, 0.0), (3, 0.02, 0.01), (4, 0.005, 0.05), (5, 0.05, 0.05)):
        decoded, before = frame + random(seed, noise), frame + random(seed + 10, motion)
        errors = [float((blended(decoded, before, blend) - frame).square().mean()) for blend in range(len(BLENDS))]
        assert errors[best_blend(decoded, before, frame)] < min(errors) + NOISE


def test_of_a_frame_that_stands_much_stays_and_of_another_scene_nothing():
    frame = 0.5 + random(1, 0.1)
    assert BLENDS[best_blend(frame + random(2, 0.01), frame, frame)][0] >= 0.85
    other = blended(frame, frame + random(3, 0.3), len(BLENDS) - 1)
    assert (other - frame).abs().max() < 0.01
