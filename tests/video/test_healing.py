"""A stream that loses bursts is healed by the next frame whose bursts arrive; who joins sees the next whole one."""

import itertools

import numpy as np
import pytest

from gr_jscc.channel import BurstLoss, Scenario
from gr_jscc.codecs.registry import load_codec
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.video.frames import FrameForm
from gr_jscc.video.passage import MODEM_SILENCE, FrameSender, OnAir, Viewer, shortest_slot
from gr_jscc.video.sources import Source

pytestmark = pytest.mark.usefixtures("one_thread")
FPS, FRAMES, AIR = 10, 24, {"awgn": {"snr_db": 12.0}}


def losses(viewer):
    return sum(stage.lost for stage in viewer.scenario.chain.stages if isinstance(stage, BurstLoss))


def test_every_frame_whose_bursts_arrive_is_as_if_none_had_been_lost_before(codec):
    sender = FrameSender(codec, cbr=1 / 12)
    whole = Viewer(codec, Scenario(AIR, seed=3))
    holed = Viewer(codec, Scenario(AIR | {"loss": {"probability": 0.1}}, seed=3))
    harm, unhealed, longest = [], 0, 0
    for frame in itertools.islice(Source("pattern").frames(FrameForm(FPS, 160, 120)), FRAMES):
        sent, before = sender.send(len(harm), frame.image), losses(holed)
        for viewer in (whole, holed):
            viewer.receive(sent, shortest_slot(sent), (120, 160))
        harm.append(psnr_db(frame.image, whole.image) - psnr_db(frame.image, holed.image))
        lost = losses(holed) - before
        unhealed = unhealed + 1 if harm[-1] > 0.1 else 0
        longest = max(longest, unhealed)
        assert lost or np.array_equal(whole.image, holed.image)
    assert max(harm) > 1 and losses(holed) >= 3  # there was something to heal
    assert longest < FPS  # frames in a second


def test_where_frames_need_one_another_all_is_whole_from_the_next_that_needs_none():
    temporal, settings = load_codec("deepjscc-temporal"), LinkSettings(refresh=4)
    sender = FrameSender(temporal, 1 / 12, settings)
    whole = Viewer(temporal, Scenario(AIR, seed=3), settings)
    holed = Viewer(temporal, Scenario(AIR | {"loss": {"probability": 0.1}}, seed=3), settings)
    alike, lossy, is_healed = [], 0, True
    for number, frame in enumerate(itertools.islice(Source("pattern").frames(FrameForm(FPS, 160, 120)), FRAMES)):
        sent, before = sender.send(number, frame.image), losses(holed)
        for viewer in (whole, holed):
            viewer.receive(sent, shortest_slot(sent), (120, 160))
        lost = losses(holed) > before
        is_healed = not lost and (is_healed or number % 4 == 0)
        alike.append(np.array_equal(whole.image, holed.image))
        lossy += lost
        assert alike[-1] or not is_healed
    assert lossy >= 3 and any(alike) and not all(alike)


def test_a_receiver_that_joins_in_the_middle_of_a_frame_shows_the_next(codec):
    sender, viewer = FrameSender(codec, cbr=1 / 12), Viewer(codec, Scenario(AIR, seed=3))
    first, second = itertools.islice(Source("pattern").frames(FrameForm(FPS, 160, 120)), 2)
    missed, whole = sender.send(0, first.image), sender.send(1, second.image)
    cut = len(missed.samples) // 2
    heard = OnAir(
        np.concatenate([missed.samples[cut:], whole.samples]),
        [start - cut for start in missed.starts if start >= cut] + [cut + start for start in whole.starts],
        whole.uses,
    )
    assert viewer.receive(heard, len(heard.samples) + MODEM_SILENCE, (120, 160))
    assert psnr_db(second.image, viewer.image) > 25 > psnr_db(first.image, viewer.image)
