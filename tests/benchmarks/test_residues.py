"""The constants that training through the link reckons with are those of the modem."""

import numpy as np
import pytest

from gr_jscc.benchmarks.modem import exponential_fading, flat
from gr_jscc.benchmarks.residues import residue_of
from gr_jscc.training.link_channel import RESIDUES


@pytest.mark.parametrize(("kind", "channel"), [("flat", flat), ("faded", exponential_fading())])
def test_the_modem_still_leaves_what_was_measured(kind, channel):
    got = residue_of(channel, 40, np.random.default_rng(5))
    assert got.gain == pytest.approx(RESIDUES[kind].gain, abs=0.006)
    assert got.phase == pytest.approx(RESIDUES[kind].phase, abs=0.005)
    assert got.spread == pytest.approx(RESIDUES[kind].spread, rel=0.35)
