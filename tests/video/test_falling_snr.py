"""Where the SNR falls to 0 dB and rises again, a stream goes on: every frame is shown, softer."""

import itertools

import numpy as np
import pytest
from hand_clock import HandClock

from gr_jscc.channel import Scenario
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.link.reception import ReceivingEnd
from gr_jscc.link.sending import SendingEnd
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.modem import StreamDemodulator, modulate
from gr_jscc.scheduler.pacing import FRAME_SILENCE_SAMPLES, FRAME_STEP_SAMPLES
from gr_jscc.video.duel import ramp
from gr_jscc.video.frames import FrameForm
from gr_jscc.video.sources import Source

pytestmark = pytest.mark.usefixtures("one_thread")
FPS, FRAMES = 10, 31


def test_no_frame_is_missing_while_the_snr_falls_and_rises(codec):
    clock, news = HandClock(), []
    settings = LinkSettings(manifest_seconds=1.0)
    sending = SendingEnd(
        codec, 1 / 12, lambda task, *rest: task(*rest), lambda *event: news.append(event), settings, clock=clock
    )
    air = Scenario({"awgn": {"snr_db": 20.0}, "cfo": {"cycles_per_sample": 0.1 / 64}}, seed=4)
    demodulator, end = StreamDemodulator(step=FRAME_STEP_SAMPLES), ReceivingEnd(codec)
    end.expect_stream()
    silence, shown = np.zeros(FRAME_SILENCE_SAMPLES, np.complex64), {}
    frames = [frame.image for frame in itertools.islice(Source("pattern").frames(FrameForm(FPS, 160, 120)), FRAMES)]
    for image, snr_db in zip(frames, ramp([20.0, 0.0, 20.0], FRAMES)):
        sending.submit("frame", image)
        samples = [modulate(burst.header, burst.symbols) for burst in sending.next_train()]
        air.set("awgn", {"snr_db": snr_db})
        bursts = demodulator.push(air.process(np.concatenate([*samples, silence])))
        for arrival in itertools.chain.from_iterable(map(end.burst, bursts)):
            shown[arrival.transfer] = end.pictures.decode(arrival)
        clock.now += 1 / FPS
    numbers = [fields["transfer"] for fields, _ in news if fields["event"] == "sent"]
    assert list(shown) == numbers and all(image is not None for image in shown.values())
    qualities = [psnr_db(image, shown[number]) for image, number in zip(frames, numbers)]
    assert min(qualities) > 20 and qualities[0] > min(qualities) + 4
