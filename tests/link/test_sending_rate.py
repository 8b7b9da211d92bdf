"""A stream's CBR follows the SNR that the receiver tells, in bounded steps, each of which is told twice."""

import numpy as np
import pytest
from hand_clock import HandClock

from gr_jscc.link.back_channel import BurstMap, ChannelState
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.link.policy import SendingPolicy
from gr_jscc.link.sending import SendingEnd
from gr_jscc.link.sending_rate import LARGEST_STEP, SteadyRate
from gr_jscc.modem import BurstKind

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_rate_goes_in_bounded_steps_and_does_not_follow_what_wavers():
    clock = HandClock()
    rate, taken = SteadyRate(0.08, clock), []
    for wanted in [0.085, 0.075, 0.02, 0.02, 0.02, 0.02, 0.021, 0.16, 0.16, 0.16, 0.16]:
        clock.now += 1.0
        taken.append(rate.towards(wanted))
        if taken[-1] != taken[-2:][0]:
            assert rate.towards(10 * wanted) == taken[-1]  # too soon
    steps = np.array(taken[1:]) / taken[:-1]
    assert taken[:2] == [0.08, 0.08] and taken[5] == taken[6] == 0.02
    assert taken[-1] > 0.1 and max(steps.max(), 1 / steps.min()) <= LARGEST_STEP * 1.0001


def test_frames_follow_the_snr_and_nothing_is_waited_for(codec, small_photo):
    clock = HandClock()
    policy, settings = SendingPolicy(adapt=True, listens_only=True), LinkSettings(manifest_seconds=1.0)
    end = SendingEnd(codec, 1 / 12, lambda task, *rest: task(*rest), lambda *event: None, settings, policy, clock=clock)
    trains = []

    def send(snr_db):
        end.submit("frame", small_photo)
        train = end.next_train()
        trains.append(train)
        clock.now += 0.5
        for message in (
            ChannelState(train[0].header.transfer ^ 1 << 15, 0, 60.0, 0.0, -60.0, 1, 1),  # another sender's frame
            ChannelState(train[0].header.transfer, 0, snr_db, 0.0, -snr_db, 1, 1),
            BurstMap(train[0].header.transfer, 0, False, np.zeros(1, bool)),
        ):
            end.message(message)

    def symbols(train):
        return sum(burst.header.symbols for burst in train if burst.header.kind == BurstKind.ANALOG)

    for snr_db in [3.0] * 6 + [20.0] * 6:
        send(snr_db)
    sizes = [symbols(train) for train in trains]
    assert sizes[0] == min(sizes[:6]) and max(sizes) > 1.9 * sizes[0] and sizes[-1] < 0.7 * sizes[0]
    for before, train, after in zip(trains, trains[1:], trains[2:]):
        if symbols(before) != symbols(train):  # nobody can read these without their manifest
            for told in (train, after):
                assert any(burst.header.kind == BurstKind.DIGITAL for burst in told)
    clock.now += 20.0  # nothing was heard of the receiver for so long
    end.submit("frame", small_photo)
    assert symbols(end.next_train()) == sizes[0]
    send(20.0)
    end.connection(False)
    send(20.0)
    assert symbols(trains[-1]) == sizes[0]  # nobody says how the channel is
    end.finish()
    assert end.finished and end.next_train() is None  # nothing is repeated
