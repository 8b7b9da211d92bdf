"""Motion is found where there is some, and a picture that is moved by it is like the one that it is to predict."""

import numpy as np
import torch

from gr_jscc.codecs.parts.block_motion import motion, moved
from gr_jscc.codecs.parts.pixels import to_pixels

PENALTY = 20.0


def pixels(image):
    return to_pixels(np.ascontiguousarray(image), *image.shape[:2], "cpu")


def mse(one, other):
    return float((one - other).square().mean())


def test_a_part_of_the_picture_that_moves_is_found_and_the_rest_stands(photo):
    before, after = photo[150:278, 100:292].copy(), photo[150:278, 100:292].copy()
    after[32:80, 64:128] = before[35:83, 59:123]  # from three pixels below and five to the left
    vectors = motion(pixels(after), pixels(before), PENALTY)
    assert vectors[3, 5].tolist() == [6, -10]
    assert not vectors[-1].any() and not vectors[:, 0].any()
    assert mse(moved(pixels(before), vectors), pixels(after)) < mse(pixels(before), pixels(after)) / 2


def test_a_camera_that_pans_is_followed_to_half_a_pixel(photo):
    twice = photo[130:430, 60:460]
    before, after = pixels(twice[:256:2, :320:2]), pixels(twice[5:261:2, 9:329:2])
    vectors = motion(after, before, PENALTY)
    middle = vectors[1:-1, 1:-1].reshape(-1, 2)
    assert np.median(middle, axis=0).tolist() == [5, 9]


def test_what_cannot_be_found_costs_little_and_sides_need_be_no_multiples():
    generator = torch.Generator().manual_seed(1)
    one, other = torch.rand(2, 1, 3, 72, 88, generator=generator)
    vectors = motion(one, other, 1e6)
    assert vectors.shape == (5, 6, 2) and not vectors.any()
    assert torch.allclose(moved(one, vectors), one, atol=1e-5)
