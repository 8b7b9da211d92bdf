"""The silence after a frame: as much as it takes for the frame to be seen before the next, and no more."""

import numpy as np
import pytest

from gr_jscc.channel.burst_finder import BurstFinder
from gr_jscc.modem import BurstHeader, BurstKind, StreamDemodulator, modulate
from gr_jscc.modem.numerology_file import load_numerology
from gr_jscc.scheduler.pacing import FRAME_SILENCE_SAMPLES, FRAME_STEP_SAMPLES

AIR = 37_760  # samples of a frame of 320x240 at CBR 1/12


@pytest.mark.parametrize("numerology", ["64", "128", "256", "512", "1024"])
@pytest.mark.parametrize("before", range(0, FRAME_STEP_SAMPLES, 5000))
def test_every_burst_comes_through_channel_and_demodulator_without_another_frame(numerology, before):
    layout, rng = load_numerology(numerology), np.random.default_rng(1)
    symbols = np.exp(2j * np.pi * rng.random(2400)).astype(np.complex64)
    bursts = [modulate(BurstHeader(BurstKind.ANALOG, 7, 0, i, 3, 2400), symbols, layout) for i in range(3)]
    pause = np.zeros(before, np.complex64), np.zeros(FRAME_SILENCE_SAMPLES, np.complex64)
    heard, _ = BurstFinder(layout).push(np.concatenate([pause[0], *bursts, pause[1]]))
    assert len(StreamDemodulator(layout, FRAME_STEP_SAMPLES).push(heard)) == 3


def test_the_air_of_a_million_samples_a_second_has_room_for_ten_frames():
    assert AIR + FRAME_SILENCE_SAMPLES < 1e6 / 10
