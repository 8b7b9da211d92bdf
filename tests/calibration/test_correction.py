"""What undoes offset and image, and where it is used."""

import numpy as np
import pytest
from faulty_link import mixer

from gr_jscc.channel import IqImbalance
from gr_jscc.channel.noise import noise
from gr_jscc.radio.conditioning import FromConverter, ToConverter
from gr_jscc.radio.correction import correct_receive, predistort
from gr_jscc.radio.profile import load_profile


@pytest.fixture
def signal(rng):
    return noise((10_000,), 0.1, rng)


def image_left(sent, received):
    """Power of what is no multiple of `sent`, relative."""
    gain = np.vdot(sent, received) / np.vdot(sent, sent)
    return np.mean(np.abs(received / gain - sent) ** 2) / np.mean(np.abs(sent) ** 2)


def test_the_formulas_undo_a_mixer_exactly(signal):
    mu, nu = mixer(1.0, 5.0)
    faulty = IqImbalance(1.0, 5.0)
    before = signal.copy()
    corrected = correct_receive(faulty.process(signal) + np.complex64(0.1j), 0.1j, -nu / np.conj(mu))
    sent = faulty.process(predistort(signal, 0j, -nu / mu))
    assert image_left(signal, faulty.process(signal)) > 1e-3
    assert image_left(signal, corrected) < 1e-12 and image_left(signal, sent) < 1e-12
    assert corrected.dtype == sent.dtype == np.complex64
    assert np.array_equal(signal, before)


def test_an_offset_that_the_transmitter_adds_is_taken_away_before(signal):
    assert predistort(signal, 0.02 - 0.01j, 0j) + np.complex64(0.02 - 0.01j) == pytest.approx(signal, abs=1e-6)


@pytest.mark.parametrize("direction", ["tx", "rx"])
@pytest.mark.parametrize(("lo_offset", "shift", "corrects"), [(0.0, 0.0, True), (1e5, 0.05, True), (1e5, 0.0, False)])
def test_where_the_device_shifts_itself_nothing_is_corrected(signal, direction, lo_offset, shift, corrects):
    profile = load_profile("virtual-b210")
    table = profile.direction(direction).model_copy(update={"lo_offset": lo_offset})
    plain = profile.model_copy(update={direction: table})
    known = {"date": "2026-01-01", direction: {"dc": (0.1, 0.0), "iq": (0.05, 0.0)}}
    faults = type(profile).model_validate(plain.model_dump() | {"calibration": known})
    out = []
    for one in (plain, faults):
        samples = signal.copy()
        converter = (ToConverter if direction == "tx" else FromConverter)(one, shift)
        out.append(converter.process(samples) if direction == "tx" else (converter.process(samples), samples)[1])
    assert np.array_equal(*out) == (not corrects)
