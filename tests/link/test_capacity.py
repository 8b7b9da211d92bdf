"""A CBR that fills the time which each picture has on the air."""

import numpy as np
import pytest

from gr_jscc.codecs.registry import load_codec
from gr_jscc.link.budget import WithinTotal, round_uses
from gr_jscc.link.bursts import LinkError, LinkSettings
from gr_jscc.link.capacity import total_cbr_within
from gr_jscc.modem import numerology


@pytest.mark.parametrize("settings", [LinkSettings(), LinkSettings(600, numerology=numerology(128, 12))])
@pytest.mark.parametrize("samples", [20_000, 40_000])
def test_what_a_codec_makes_of_it_fits_and_nearly_fills_the_time(small_photo, settings, samples):
    height, width = small_photo.shape[:2]
    cbr = total_cbr_within(samples, height, width, settings)
    codec = WithinTotal(load_codec("separation", "jpeg2000:ldpc-1/2:qpsk"), settings)
    payload = codec.transmitter(cbr).start(small_photo)
    assert 0.85 * samples < round_uses(payload, height, width, settings).air <= samples


def test_more_air_carries_more_and_too_little_none():
    ratios = [total_cbr_within(samples, 240, 320, LinkSettings()) for samples in (10_000, 20_000, 100_000, 10**6)]
    assert np.all(np.diff(ratios) > 0) and ratios[-1] == 1
    with pytest.raises(LinkError, match="a frame has 800 samples of air"):
        total_cbr_within(800, 240, 320, LinkSettings())
