"""The rules that all codecs go by: which symbols are of use, how many a CBR allows, and which CBRs are served."""

import math

import numpy as np
import pytest
import torch

from gr_jscc.codecs.base import CodecError, Reception, channel_uses
from gr_jscc.codecs.registry import CODECS, load_codec
from gr_jscc.codecs.trained import heard


def reception(*noise_var):
    return Reception(np.ones(len(noise_var), np.complex64), np.array(noise_var, np.float32), b"")


def test_of_use_is_what_has_a_finite_noise_variance():
    came = reception(0.5, np.inf, 0.25, np.nan, -1.0)
    assert came.arrived.tolist() == [True, False, True, False, False]
    assert came.mean_noise_var == 0.375 and not heard(came, "cpu").is_lost
    for lost in (reception(), reception(np.inf, np.nan)):
        assert lost.mean_noise_var is None and heard(lost, "cpu").is_lost
    assert torch.equal(heard(came, "cpu").noise_var, torch.from_numpy(came.noise_var))


@pytest.mark.parametrize("denominator", [3, 6, 7, 12, 48])
def test_a_ratio_is_the_number_of_symbols_that_it_stands_for(denominator):
    for height, width in ((32, 32), (512, 768), (17, 1001), (8000, 8000)):
        assert channel_uses(1 / denominator, height, width) == 3 * height * width // denominator


@pytest.mark.parametrize("name", CODECS)
def test_what_is_not_served_is_told_in_one_line_that_says_what_is(name):
    codec = load_codec(name)
    lowest, highest = codec.cbr_range
    for cbr in (lowest or 1e-3, highest, highest * (1 + 1e-12)):
        codec.check_cbr(cbr)
    for cbr in (0.0, -1.0, math.nan, lowest / 1.001, highest * 1.001):
        with pytest.raises(CodecError, match=f"^{name} with .* supports a CBR .*, not [^\n]*$"):
            codec.transmitter(cbr)
