"""The link waits for samples and not for seconds: on clean air nothing is asked for twice, at any pace."""

import numpy as np
import pytest
from simulated_link import SimulatedLink, ToyCodec, picture

from gr_jscc.link.air_clock import AirClock
from gr_jscc.link.back_channel import BurstMap, Report, RoundSent
from gr_jscc.link.policy import MANIFEST_REPEATS, SendingPolicy
from gr_jscc.modem import BurstKind

pytestmark = pytest.mark.timeout(60)
TOGETHER = 65_536  # samples that our demodulator works on at once
BUFFERED = 300_000  # samples between our modulator and the air


def finish(link, pictures=1, seconds=100_000.0):
    link.meet()
    for number in range(pictures):
        link.sending.submit(f"{number}.png", picture(number))
    link.sending.finish()
    end = link.clock.now + seconds
    while not link.sending.finished:
        link.step()
        assert link.clock.now < end, "the link hangs"
    return link.events_of("done")


@pytest.mark.parametrize("pace", [2e4, 5e4, 2e5, 1e6, 1e7])
@pytest.mark.parametrize("feedback", [False, True])
def test_on_clean_air_nothing_is_sent_twice_at_any_pace(pace, feedback):
    codec = ToyCodec(rounds=3 if feedback else 1, feedback=feedback)
    link = SimulatedLink(codec, SendingPolicy(), pace=pace, buffered=BUFFERED, together=TOGETHER)
    done = finish(link, 3)
    assert [d["repeated"] for d in done] == [0, 0, 0]
    assert [d["feedback_missed"] for d in done] == [0, 0, 0]
    assert not feedback or all(fed is not None for fed in codec.fed_back)
    assert len(link.events_of("stored")) == 3


@pytest.mark.parametrize("pace", [2e4, 1e6])
def test_without_a_back_channel_a_slow_round_stays_whole(pace):
    link = SimulatedLink(ToyCodec(symbols=60_000), pace=pace, buffered=BUFFERED, together=TOGETHER)
    for number in range(2):
        link.sending.submit(f"{number}.png", picture(number))
    link.run(40 * 1e5 / pace)
    assert [(a.transfer, a.bursts_received, a.manifest is not None) for a in link.arrivals] == [
        (0, 25, True), (1, 25, True)
    ]  # fmt: skip


def test_without_a_back_channel_a_round_waits_for_samples_that_stand_still():
    link = SimulatedLink(ToyCodec(symbols=60_000), pace=1e6, buffered=BUFFERED)
    link.sending.submit("a.png", picture(1))
    link.run(0.06)
    link.stuck = True
    link.run(6.0)
    assert link.arrivals == [] and not link.receiving.quiet
    link.stuck = False
    link.run(0.5)
    (arrival,) = link.arrivals
    assert arrival.bursts_received == 25
    link.run(2.5)
    assert link.receiving.quiet


@pytest.mark.parametrize("pictures", [1, 2])
@pytest.mark.parametrize("seconds", [0.02, 0.06, 0.2])
def test_a_train_that_stops_in_its_midst_is_waited_for(pictures, seconds):
    """The first of all, too, of which nothing before it tells how late it is."""
    link = SimulatedLink(ToyCodec(symbols=120_000), SendingPolicy(), pace=1e6, buffered=BUFFERED)
    link.meet()
    for number in range(pictures):
        link.sending.submit(f"{number}.png", picture(number))
    link.sending.finish()
    link.run(seconds)
    assert 0 < link.sent_bursts < 50
    link.stuck = True
    link.run(6.0)
    link.stuck = False
    link.run(5.0)
    assert [d["repeated"] for d in link.events_of("done")] == [0] * pictures


@pytest.mark.parametrize("pace", [1e5, 1e6, 1e7])
def test_a_first_train_that_lost_its_end_is_asked_for_a_moment_later(pace):
    link = SimulatedLink(
        ToyCodec(), SendingPolicy(), lambda h: h.kind == BurstKind.DIGITAL or h.index > 2, pace=pace,
        buffered=BUFFERED, together=TOGETHER,
    )  # fmt: skip
    link.meet()
    link.sending.submit("a.png", picture(1))
    while not any(isinstance(message, BurstMap) for message in link.to_sender):
        link.step()
        assert link.clock.now < 0.5 + 1.5e5 / pace


@pytest.mark.parametrize("stuck_seconds", [3.0, 8.0])
def test_samples_that_lie_in_a_buffer_are_waited_for(stuck_seconds):
    """A busy machine: the transmitter has said that all left, and nothing moves for seconds."""
    link = SimulatedLink(ToyCodec(), SendingPolicy(), pace=1e6, buffered=BUFFERED)
    link.meet()
    for number in range(2):
        link.sending.submit(f"{number}.png", picture(number))
    link.sending.finish()
    while not link.arrivals:
        link.step()
    link.stuck = True
    link.run(stuck_seconds)
    link.stuck = False
    link.run(5.0)
    assert [d["repeated"] for d in link.events_of("done")] == [0, 0]


def test_samples_that_a_channel_took_with_it_are_sent_again():
    link = SimulatedLink(ToyCodec(), SendingPolicy(), pace=1e6, buffered=BUFFERED)
    link.meet()
    link.sending.submit("a.png", picture(1))
    link.step()
    link.air.clear()  # with the count of their samples
    link.passed -= 50_000
    link.made -= 50_000
    link.sending.finish()
    link.run(30.0)
    assert link.sending.finished and len(link.events_of("stored")) == 1


def test_what_is_missing_is_asked_for_a_moment_after_all_samples_came():
    """Patience costs nothing where losses are real."""
    link = SimulatedLink(ToyCodec(), SendingPolicy(), lambda h: h.kind == BurstKind.ANALOG and h.index == 4, pace=1e6)
    link.meet()
    link.sending.submit("a.png", picture(1))
    while not any(isinstance(message, BurstMap) for message in link.to_sender):
        link.step()
        assert link.clock.now < 1.0


def test_a_transmitter_that_counts_no_samples_is_served_too():
    """As one of an earlier version, on an air that is not slow."""
    rng = np.random.default_rng(3)
    link = SimulatedLink(ToyCodec(), SendingPolicy(repeats=6), lambda h: rng.random() < 0.2, counted=False)
    done = finish(link, 4, 200.0)
    assert len(link.events_of("stored")) == 4 and sum(d["repeated"] for d in done) > 0


@pytest.mark.parametrize("lost", [4, 6, MANIFEST_REPEATS + 2])
def test_with_feedback_a_manifest_is_asked_for_until_it_comes(lost):
    """Without it nothing is fed back, and all that follows is made for a receiver that has it."""

    class ManifestsOfTheSecondRound:
        def __init__(self):
            self.seen = 0

        def __call__(self, header):
            if header.kind != BurstKind.DIGITAL or header.round != 1:
                return False
            self.seen += 1
            return self.seen <= lost

    codec = ToyCodec(rounds=3, feedback=True)
    link = SimulatedLink(codec, SendingPolicy(repeats=0), ManifestsOfTheSecondRound())
    (done,) = finish(link)
    assert done["feedback_rounds"] == 3 and done["feedback_missed"] == 0
    assert all(fed is not None for fed in codec.fed_back)
    assert [(a.round, a.manifest is not None) for a in link.arrivals] == [(0, True), (1, True), (2, True)]
    assert done["repeated"] == lost - 3 + 1  # three copies go with the round; then one at a time


def test_with_feedback_holes_are_left_when_repeats_are_over_though_a_manifest_could_still_be_asked_for():
    codec = ToyCodec(rounds=2, feedback=True)
    link = SimulatedLink(codec, SendingPolicy(repeats=1), lambda h: h.kind == BurstKind.ANALOG and h.index == 2)
    (done,) = finish(link)
    assert done["repeated"] == 2 and done["feedback_missed"] == 0
    assert [int(np.isinf(a.reception.noise_var).sum()) for a in link.arrivals] == [2400, 2400]


def test_a_repeat_that_never_left_is_not_charged():
    """The bursts came while it was queued: the receiver had been hasty, or the air late."""
    link = SimulatedLink(ToyCodec(), SendingPolicy())
    link.meet()
    link.sending.submit("a.png", picture(1))
    link.step()
    train = [burst for burst, _ in link.air]
    link.air.clear()
    link.passed = link.made
    link.step()  # it is announced, and nothing of it was heard
    link.sending.message(BurstMap(0, 0, False, np.zeros(0, bool)))
    for start, burst in enumerate(train):  # now it is
        link._arrived(link.receiving.burst(link._received(burst, 5000 * start)))
    link._hear(RoundSent(0, 0, 0, False))
    for message in list(link.to_sender):
        link.sending.message(message)
    assert link.sending.next_train() is None
    (done,) = link.events_of("done")
    assert done["repeated"] == 0 and done["bursts"] == 5


def test_a_repeat_of_a_picture_that_begins_anew_is_not_charged():
    link = SimulatedLink(ToyCodec(), SendingPolicy(), pace=1e5, buffered=BUFFERED)
    link.meet()
    link.sending.submit("a.png", picture(1))
    link.step()
    (flight,) = link.sending._flights.all()
    link.sending.message(BurstMap(0, 0, True, np.array([True, False, True, True, True])))
    assert flight.rounds[0].attempt == 1 and flight.repeated_bursts == 0
    link.receiving = link.new_receiver()
    link.to_sender.clear()
    link.receiving.connection(True)
    link.sending.connection(True, restarted=True)
    link.sending.finish()
    link.run(10.0)
    (done,) = link.events_of("done")
    assert (done["transfer"], done["repeated"], done["tries"]) == (1, 0, 2)
    assert done["payload"] == 2 * 12_000  # what was given up has cost as much


def test_pictures_that_fail_are_charged_for_every_try():
    """The last word on a picture has all that it took, however late a train of what was given up left."""
    link = SimulatedLink(ToyCodec(), SendingPolicy())
    link.meet()
    for number in range(3):
        link.sending.submit(f"{number}.png", picture(number))
    link.sending.finish()
    failed = 0
    hear = link.sending.message

    def hears(message):
        nonlocal failed
        if isinstance(message, Report) and message.content["event"] == "stored" and failed < 2:
            failed += 1
            message = Report(message.transfer, {"event": "failed"})
        hear(message)

    link.sending.message = hears
    link.run(30.0)
    last = {d["name"]: d for d in link.events_of("done")}
    assert link.sending.finished and sum(d["tries"] for d in last.values()) == 5
    assert sum(d["payload"] for d in last.values()) == 5 * 12_000


def test_the_transmitter_is_told_what_is_still_coming_in_and_its_codec_waits():
    codec = ToyCodec(rounds=2, feedback=True)
    link = SimulatedLink(codec, SendingPolicy(feedback_seconds=2.0), pace=2e4, buffered=BUFFERED, together=TOGETHER)
    seen = []
    hear = link.sending.message
    link.sending.message = lambda message: (seen.append(message), hear(message))
    finish(link)
    told = [m.content for m in seen if isinstance(m, Report) and m.content["event"] == "receiving"]
    assert len(told) > 2 and {content["round"] for content in told} == {0, 1}
    assert len(codec.fed_back) == 2 and all(fed is not None for fed in codec.fed_back)
    assert link.events_of("late") == []


@pytest.mark.parametrize(
    "content",
    [
        {"event": "air"}, {"event": "air", "round": "0", "attempt": 0, "start": 5},
        {"event": "air", "round": 0, "attempt": True, "start": 5},
        {"event": "air", "round": 0, "attempt": 0, "start": -5},
        {"event": "air", "round": 0, "attempt": 0, "start": 1 << 62},
    ],
)  # fmt: skip
def test_nonsense_about_samples_harms_nothing(content):
    link = SimulatedLink(ToyCodec(), SendingPolicy())
    link.meet()
    assert link.receiving.message(Report(0, content)) == []
    done = finish(link)
    assert [d["repeated"] for d in done] == [0]


@pytest.mark.parametrize(
    "content", [{"event": "receiving"}, {"event": "receiving", "round": "x"}, {"event": "dancing"}]
)
def test_signs_of_life_that_make_no_sense_are_ignored(content):
    link = SimulatedLink(ToyCodec(), SendingPolicy())
    link.meet()
    link.sending.submit("a.png", picture(1))
    link.step()
    link.sending.message(Report(0, content))
    link.run(5.0)
    assert len(link.events_of("stored")) == 1


class TestAirClock:
    def test_bursts_that_were_heard_tell_where_others_lie(self):
        air = AirClock(lambda: 0.0)
        air.sent((1, 0), 40_000, True)
        assert air.knows((1, 0)) and not air.has_come((1, 0))
        air.heard((1, 0), 47_000)  # 7000 samples later than it was counted
        air.sent((2, 0), 100_000, True)
        air.progress(107_000, 107_000, False)
        assert not air.has_come((2, 0))
        air.progress(110_000, 108_000, False)
        assert air.has_come((2, 0))

    def test_a_round_sent_later_shows_that_one_before_is_over(self):
        air = AirClock(lambda: 0.0)
        air.sent((1, 0), 40_000, True)
        air.sent((2, 0), 90_000, True)
        assert air.is_after((2, 0), (1, 0)) and not air.is_after((1, 0), (2, 0))
        air.sent((1, 0), 120_000, False)  # repeated since
        assert not air.is_after((2, 0), (1, 0))

    def test_nothing_stands_still_while_samples_are_searched(self):
        now = [0.0]
        air = AirClock(lambda: now[0])
        air.progress(100, 0, True)
        self.let_pass(50.0, air, now)
        assert air.still_seconds == 0.0
        air.progress(100, 100, False)
        self.let_pass(2.0, air, now)
        assert air.still_seconds == pytest.approx(2.0)
        air.progress(101, 100, False)
        assert air.still_seconds == 0.0

    def test_a_process_that_had_no_turn_does_not_blame_the_air(self):
        now = [0.0]
        air = AirClock(lambda: now[0])
        now[0] = 60.0  # frozen, and what came meanwhile is not taken in yet
        air.tick()
        assert air.still_seconds < 1.0

    @staticmethod
    def let_pass(seconds, air, now):
        for _ in range(round(seconds / 0.1)):
            now[0] += 0.1
            air.tick()

    def test_another_transmitter_counts_anew(self):
        air = AirClock(lambda: 0.0)
        air.sent((1, 0), 1_000_000, True)
        air.heard((1, 0), 500)
        air.forget()
        assert not air.knows((1, 0))
        air.sent((2, 0), 40_000, True)
        assert not air.has_come((2, 0))


@pytest.mark.parametrize("hears_of_life", [False, True])
def test_a_receiver_that_is_there_and_says_nothing_is_not_waited_for_without_end(hears_of_life):
    """As one whose flowgraph hangs while its back-channel's thread lives on."""
    link = SimulatedLink(ToyCodec(), SendingPolicy(patience=20.0))
    link.connect()
    heard, link.sending.message = link.sending.message, lambda message: None  # not even which pictures it has
    for number in range(12):
        link.sending.submit(f"{number}.png", picture(number))
    link.sending.finish()
    for _ in range(8):
        for _ in range(500):  # 10 s
            link.step()
        if hears_of_life:
            heard(Report(0, {"event": "working"}))
    assert link.sending.finished != hears_of_life
    assert hears_of_life or (link.sending.unconfirmed == 12 and len(link.events_of("sent")) == 12)


def test_a_transmitter_that_had_nothing_to_send_for_long_still_waits_for_the_answer():
    link = SimulatedLink(ToyCodec(), SendingPolicy(patience=20.0))
    link.meet()
    link.run(100.0)
    link.sending.submit("late.png", picture(1))
    link.sending.finish()
    link.run(15.0)
    assert link.sending.finished and link.sending.unconfirmed == 0 and len(link.events_of("stored")) == 1


def test_a_receiver_that_comes_back_is_waited_for_though_it_had_said_nothing():
    link = SimulatedLink(ToyCodec(), SendingPolicy(patience=20.0))
    link.connect()
    link.sending.message = lambda message: None
    link.sending.submit("0.png", picture(0))
    link.sending.finish()
    link.run(60.0)
    assert link.sending.finished
    link.connect(False)  # started again, faster than the transmitter looks at its clock
    link.connect()
    link.run(15.0)
    assert not link.sending.finished
    link.run(10.0)
    assert link.sending.finished


def test_a_receiver_that_comes_after_all_patience_still_takes_and_confirms():
    link = SimulatedLink(ToyCodec(), SendingPolicy(patience=5.0))
    link.connect(False)
    link.stuck = True  # nobody takes samples from the radio either
    link.sending.submit("a.png", picture(1))
    link.sending.finish()
    link.run(30.0)
    assert link.events_of("sent") and not link.sending.finished
    link.stuck = False
    link.run(1.0)  # the radio is found sooner than the back-channel
    assert not link.sending.finished
    link.meet()
    link.run(10.0)
    assert len(link.events_of("stored")) == 1 and link.sending.finished and link.sending.unconfirmed == 0
