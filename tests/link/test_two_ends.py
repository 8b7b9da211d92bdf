"""What the link does with a back-channel: repeats, combining, feedback, cuts and restarts; on a simulated clock."""

import numpy as np
import pytest
from simulated_link import SimulatedLink, ToyCodec, picture

from gr_jscc.link.back_channel import BurstMap, Have, SideInfo, Stop, Symbols
from gr_jscc.link.bursts import LinkError
from gr_jscc.link.incoming import combine
from gr_jscc.link.outgoing import adapted_cbr
from gr_jscc.link.policy import SendingPolicy
from gr_jscc.link.session import Session
from gr_jscc.modem import BurstHeader, BurstKind, ReceivedBurst

pytestmark = pytest.mark.timeout(60)


def lose_share(share, seed=1):
    rng = np.random.default_rng(seed)
    return lambda header: rng.random() < share


def lost(arrival):
    return int(np.isinf(arrival.reception.noise_var).sum())


def run_pictures(link, count, seconds=60.0, connected=True):
    if connected and link.policy:
        link.meet()
    for number in range(count):
        link.sending.submit(f"{number}.png", picture(number))
    link.sending.finish()
    for _ in range(int(seconds / 0.02)):
        link.step()
        if link.sending.finished and not link.air:
            break
    link.run(3.0)


def test_without_a_back_channel_every_burst_leaves_once():
    link = SimulatedLink(ToyCodec(), loss=lose_share(0.2))
    run_pictures(link, 6)
    assert link.sending.finished
    assert [a.transfer for a in link.arrivals] == list(range(6))
    assert sum(lost(a) for a in link.arrivals) > 0


def test_lost_bursts_are_repeated_until_nothing_is_missing():
    link = SimulatedLink(ToyCodec(), SendingPolicy(repeats=6), lose_share(0.3))
    run_pictures(link, 8)
    assert link.sending.finished
    assert sorted(a.transfer for a in link.arrivals) == list(range(8))
    assert all(lost(a) == 0 for a in link.arrivals)
    done = link.events_of("done")
    assert len(done) == len(link.events_of("stored")) == 8
    assert sum(d["repeated"] for d in done) > 0
    # all that was on the air is charged, repeats too
    assert sum(d["payload"] for d in done) > 8 * 12_000


def test_repeats_end_at_their_limit_and_the_picture_is_handed_over_with_holes():
    gone = 3

    def loss(header):
        return header.kind == BurstKind.ANALOG and header.index == gone

    link = SimulatedLink(ToyCodec(), SendingPolicy(repeats=2), loss)
    run_pictures(link, 2)
    assert link.sending.finished and len(link.arrivals) == 2
    assert [lost(a) for a in link.arrivals] == [2400, 2400]
    assert [d["repeated"] for d in link.events_of("done")] == [2, 2]


def test_lost_manifests_are_repeated_too():
    copies = 3

    class FirstManifests:
        def __init__(self):
            self.seen = 0

        def __call__(self, header):
            self.seen += header.kind == BurstKind.DIGITAL
            return header.kind == BurstKind.DIGITAL and self.seen <= copies

    link = SimulatedLink(ToyCodec(), SendingPolicy(), FirstManifests())
    run_pictures(link, 1)
    (arrival,) = link.arrivals
    assert arrival.manifest is not None and lost(arrival) == 0


def test_a_picture_of_which_nothing_comes_is_tried_again_and_given_up():
    link = SimulatedLink(ToyCodec(), SendingPolicy(repeats=1), lambda header: True)
    run_pictures(link, 1, seconds=120)  # where nothing was ever heard it may still lie in a buffer
    assert link.sending.finished and [a.manifest for a in link.arrivals] == [None] * 3
    assert len(link.events_of("again")) == 2 and len(link.events_of("failed")) == 1
    assert not link.events_of("stored")


def test_a_burst_received_twice_is_combined_by_maximum_ratio(rng):
    header = BurstHeader(BurstKind.ANALOG, 1, 0, 0, 1, 4000)
    truth = np.exp(2j * np.pi * rng.random(4000)).astype(np.complex64)

    def receive(variance):
        variance = np.broadcast_to(np.float32(variance), 4000).copy()
        noise = (rng.standard_normal((4000, 2)) @ [1, 1j]) * np.sqrt(np.where(np.isinf(variance), 0, variance) / 2)
        return ReceivedBurst(header, (truth + noise).astype(np.complex64), variance, 0, 0.0, 10.0, -10.0)

    both = combine(receive(0.1), receive(0.3))
    assert both.noise_var == pytest.approx(np.full(4000, 0.075))
    assert np.mean(np.abs(both.symbols - truth) ** 2) == pytest.approx(0.075, rel=0.08)
    holes = np.where(np.arange(4000) < 1000, np.inf, 0.1)
    one = combine(receive(holes), receive(np.where(np.arange(4000) < 500, np.inf, 0.3)))
    assert np.isinf(one.noise_var[:500]).all() and (one.symbols[:500] == 0).all()
    assert one.noise_var[500:1000] == pytest.approx(np.full(500, 0.3))
    assert one.noise_var[1000:] == pytest.approx(np.full(3000, 0.075))


def test_a_needless_repeat_makes_the_round_better():
    """The receiver's map was wrong, or came too soon: what arrives twice is not wasted."""
    link = SimulatedLink(ToyCodec(), SendingPolicy(), lambda h: h.kind == BurstKind.ANALOG and h.index == 4)
    link.meet()
    link.sending.submit("a.png", picture(1))
    link.run(0.2)
    link.sending.message(BurstMap(0, 0, True, np.array([True, False, True, True, False])))
    link.loss = lambda header: False
    link.run(3.0)
    (arrival,) = link.arrivals
    assert lost(arrival) == 0
    variances = np.unique(arrival.reception.noise_var.round(4))
    assert variances == pytest.approx([0.05, 0.1])


def test_the_next_picture_does_not_wait_for_repeats():
    link = SimulatedLink(ToyCodec(), SendingPolicy(repeats=5), lose_share(0.4), bursts_a_step=1)
    run_pictures(link, 10, seconds=120)
    order = [a.transfer for a in link.arrivals]
    assert sorted(order) == list(range(10)) and order != sorted(order)


def test_feedback_reaches_the_codec_as_the_receiver_had_it():
    codec = ToyCodec(rounds=3, feedback=True)
    link = SimulatedLink(codec, SendingPolicy())
    run_pictures(link, 1)
    assert [f is not None for f in codec.fed_back] == [True, True, True]
    for fed, pushed in zip(codec.fed_back, codec.pushed, strict=True):
        assert np.array_equal(fed.symbols, pushed.symbols) and np.array_equal(fed.noise_var, pushed.noise_var)
        assert fed.side_info == pushed.side_info
    (done,) = link.events_of("done")
    assert done["feedback_rounds"] == 3 and done["feedback_missed"] == 0
    assert done["feedback_bytes"] == 3 * (12_000 * 12 + 10)


def test_feedback_in_half_precision_is_the_same_on_both_sides_and_half_the_bytes():
    codec = ToyCodec(rounds=2, feedback=True)
    link = SimulatedLink(codec, SendingPolicy(), lambda h: h.kind == BurstKind.ANALOG and h.index == 1)
    link.receiving = link.new_receiver(feedback_format="float16")
    run_pictures(link, 1)
    assert np.array_equal(codec.fed_back[0].symbols, codec.pushed[0].symbols)
    assert np.isinf(codec.fed_back[0].noise_var).sum() == 2400
    assert link.events_of("done")[0]["feedback_bytes"] == 2 * (12_000 * 6 + 10)


def test_noise_of_a_feedback_channel_reaches_only_the_transmitter():
    codec = ToyCodec(rounds=2, feedback=True)
    link = SimulatedLink(codec, SendingPolicy())
    link.receiving = link.new_receiver(feedback_snr_db=13.0)
    run_pictures(link, 1)
    noise = codec.fed_back[0].symbols - codec.pushed[0].symbols
    assert 10 * np.log10(np.mean(np.abs(noise) ** 2)) == pytest.approx(-13, abs=0.2)
    assert abs(np.mean(noise)) < 0.01 and np.array_equal(codec.fed_back[0].noise_var, codec.pushed[0].noise_var)


def test_several_pictures_are_in_flight_while_feedback_is_awaited():
    codec = ToyCodec(rounds=4, feedback=True, symbols=4800)
    link = SimulatedLink(codec, SendingPolicy(in_flight=4))
    run_pictures(link, 6)
    rounds = [(a.transfer, a.round) for a in link.arrivals]
    assert sorted(rounds) == [(t, r) for t in range(6) for r in range(4)]
    assert rounds != sorted(rounds)  # interleaved
    assert all(fed is not None for fed in codec.fed_back)


def test_late_feedback_is_not_used_and_the_picture_goes_on_without():
    codec = ToyCodec(rounds=3, feedback=True)
    link = SimulatedLink(codec, SendingPolicy(feedback_seconds=0.5))
    link.meet()
    link.cut = True  # unnoticed as yet
    link.sending.submit("a.png", picture(1))
    link.sending.finish()
    link.run(3.0)
    assert codec.fed_back == [None, None, None]
    link.cut = False
    link.run(3.0)
    assert link.sending.finished and len(link.arrivals) == 3
    (done,) = link.events_of("done")
    assert done["feedback_rounds"] == 0 and done["feedback_missed"] >= 1


def test_feedback_of_the_wrong_round_is_ignored():
    codec = ToyCodec(rounds=3, feedback=True)
    link = SimulatedLink(codec, SendingPolicy())
    link.meet()
    link.sending.submit("a.png", picture(1))
    junk = np.ones(12_000, np.complex64), np.ones(12_000, np.float32)
    link.sending.message(Symbols(0, 2, *junk))
    link.sending.message(Symbols(9, 0, *junk))  # of no transfer
    assert codec.fed_back == []
    link.run(5.0)
    assert len(codec.fed_back) == 3 and not any(np.array_equal(f.symbols, junk[0]) for f in codec.fed_back)
    (done,) = link.events_of("done")
    assert done["feedback_missed"] == 0


def test_a_short_cut_costs_no_feedback():
    codec = ToyCodec(rounds=3, feedback=True)
    link = SimulatedLink(codec, SendingPolicy())
    link.meet()
    link.sending.submit("a.png", picture(1))
    link.sending.connection(False)
    link.sending.connection(True)
    link.run(5.0)
    assert len(codec.fed_back) == 3 and all(fed is not None for fed in codec.fed_back)


def test_a_cut_lets_transmission_go_on_and_afterwards_it_catches_up():
    link = SimulatedLink(ToyCodec(), SendingPolicy(repeats=6), lose_share(0.2))
    link.meet()
    for number in range(12):
        link.sending.submit(f"{number}.png", picture(number))
    link.sending.finish()
    link.run(0.3)
    link.connect(False)
    sent = link.sent_bursts
    link.run(20.0)
    assert link.sent_bursts > sent + 60  # the air was not idle
    assert not link.sending.finished
    link.connect(True)
    link.run(20.0)
    assert link.sending.finished
    assert sorted(a.transfer for a in link.arrivals) == list(range(12))
    assert all(lost(a) == 0 for a in link.arrivals)


def test_without_its_back_channel_for_good_pictures_still_arrive():
    link = SimulatedLink(ToyCodec(rounds=2, feedback=True), SendingPolicy(patience=5.0), lose_share(0.2))
    link.receiving = link.new_receiver(patience=5.0)
    link.meet()
    for number in range(6):
        link.sending.submit(f"{number}.png", picture(number))
    link.sending.finish()
    link.run(0.1)
    link.connect(False)
    link.run(40.0)
    assert link.sending.finished
    assert sorted((a.transfer, a.round) for a in link.arrivals) == [(t, r) for t in range(6) for r in range(2)]


def test_a_receiver_that_was_never_there_holds_nothing_up():
    link = SimulatedLink(ToyCodec(), SendingPolicy(patience=5.0))
    run_pictures(link, 3, connected=False)
    assert link.sending.finished and link.sent_bursts > 0


def test_pictures_that_are_not_kept_any_more_are_counted_until_the_receiver_says_that_it_has_them():
    link = SimulatedLink(ToyCodec(symbols=100), SendingPolicy(patience=1.0), bursts_a_step=20)
    link.cut = True
    run_pictures(link, 100, connected=False)
    keys = [bytes.fromhex(m.content["key"]) for m in link.to_receiver if getattr(m, "content", {}).get("key")]
    assert link.sending.finished and len(keys) == link.sending.unconfirmed == 100
    link.sending.message(Have(bytes(8), tuple(keys[:50])))
    assert link.sending.unconfirmed == 50


def test_a_receiver_started_again_gets_unfinished_pictures_anew_and_no_others():
    link = SimulatedLink(ToyCodec(), SendingPolicy(in_flight=2))
    link.meet()
    for number in range(6):
        link.sending.submit(f"{number}.png", picture(number))
    link.sending.finish()
    while len(link.events_of("stored")) < 3:
        link.step()
    stored = {event["name"] for event in link.events_of("stored")}
    link.receiving = link.new_receiver()
    link.to_sender.clear()
    link.receiving.connection(True)
    link.sending.connection(True, restarted=True)
    before = len(link.arrivals)
    link.run(20.0)
    assert link.sending.finished
    names = [event["name"] for event in link.events_of("stored")]
    assert sorted(names) == sorted(f"{n}.png" for n in range(6))  # each once
    again = {event["name"] for event in link.events_of("again")}
    assert again and not again & stored
    assert len(link.arrivals) - before >= 3


def test_a_transmitter_started_again_skips_what_the_receiver_has():
    link = SimulatedLink(ToyCodec(), SendingPolicy())
    run_pictures(link, 2)
    keys = [bytes.fromhex(content["key"]) for _, content in link.reports if content["event"] == "sent"]
    link.sending = link.new_sender(Session(77 << 15))
    link.receiving.connection(True, restarted=True)
    link.connect()
    for number in range(4):
        link.sending.submit(f"{number}.png", picture(number))
    link.sending.finish()
    link.run(1.0)
    assert not link.air and len(link.events_of("sent")) == 2  # it waits to be told what is there
    link.sending.message(Have(bytes(8), tuple(keys)))
    link.run(10.0)
    assert link.sending.finished
    assert [event["name"] for event in link.events_of("skipped")] == ["0.png", "1.png"]
    assert [a.transfer for a in link.arrivals] == [0, 1, 77 << 10, (77 << 10) + 1]


def test_a_receiver_started_again_gets_pictures_in_their_order():
    link = SimulatedLink(ToyCodec(), SendingPolicy(in_flight=4))
    link.meet()
    for number in range(6):
        link.sending.submit(f"{number}.png", picture(number))
    link.step()
    link.sending.connection(True, restarted=True)
    link.run(10.0)
    names = [event["name"] for event in link.events_of("done")]
    assert len(link.events_of("again")) > 1 and names == [f"{n}.png" for n in range(6)]


def test_what_was_sent_without_a_key_is_sent_anew_when_there_is_one():
    """The receiver cannot believe its manifests any more, and would ask for them in vain."""
    session = Session(5 << 15 | 3, bytes(range(16)))
    link = SimulatedLink(ToyCodec(), SendingPolicy(patience=2.0))
    link.sending = link.new_sender(session)
    for number in range(4):
        link.sending.submit(f"{number}.png", picture(number))
    link.sending.finish()
    link.cut = True
    while len(link.events_of("sent")) < 3:
        link.step()
    before = len(link.arrivals)
    link.cut = False
    link.receiving.connection(True, session=session)
    link.sending.connection(True, encrypted=True)
    again = [event["name"] for event in link.events_of("again")]
    link.run(20.0)
    assert again == ["2.png", "1.png", "0.png"] == [event["name"] for event in link.events_of("again")]
    assert link.sending.finished and link.sending.unconfirmed == 0
    assert sorted(event["name"] for event in link.events_of("stored")) == [f"{n}.png" for n in range(4)]
    assert all(lost(arrival) == 0 for arrival in link.arrivals[before:] if arrival.reception is not None)


@pytest.mark.parametrize("feedback", [False, True])
def test_side_information_that_the_back_channel_loses_keeps_nobody_waiting(feedback):
    """There is no manifest that could be repeated over the air."""
    link = SimulatedLink(ToyCodec(feedback=feedback), SendingPolicy(side_info="back-channel"), lose_share(0.8))
    hear = link.receiving.message
    link.receiving.message = lambda message: [] if isinstance(message, SideInfo) else hear(message)
    run_pictures(link, 2)
    assert link.sending.finished and link.sending.unconfirmed == 0
    assert sorted(event["name"] for event in link.events_of("failed")) == ["0.png", "1.png"]


def test_two_equal_pictures_are_two():
    link = SimulatedLink(ToyCodec(), SendingPolicy())
    link.meet()
    for _ in range(2):
        link.sending.submit("same.png", picture(1))
    link.run(5.0)
    keys = {content["key"] for _, content in link.reports if content["event"] == "sent"}
    assert len(keys) == 2


def test_side_information_over_the_back_channel_costs_no_channel_uses():
    results = {}
    for way in ("air", "back-channel"):
        link = SimulatedLink(ToyCodec(), SendingPolicy(side_info=way), lose_share(0.2))
        run_pictures(link, 3)
        assert all(a.manifest is not None and lost(a) == 0 for a in link.arrivals)
        results[way] = link.events_of("done")
    assert all(d["side_info"] > 0 and d["side_info_bytes"] == 0 for d in results["air"])
    assert all(d["side_info"] == 0 and d["side_info_bytes"] == 15 for d in results["back-channel"])


def test_the_receiver_can_say_that_it_is_enough():
    codec = ToyCodec(rounds=5, feedback=True)
    link = SimulatedLink(codec, SendingPolicy())
    link.meet()
    link.sending.submit("a.png", picture(1))
    link.sending.finish()
    while len(link.arrivals) < 1:
        link.step()
    link.to_sender.appendleft(Stop(0))
    link.run(5.0)
    assert link.sending.finished and len(link.arrivals) == 2
    assert link.events_of("done")[0]["rounds"] == 2


def test_layers_that_the_receiver_does_not_want_are_never_sent():
    codec = ToyCodec(rounds=4)
    link = SimulatedLink(codec, SendingPolicy())
    link.receiving = link.new_receiver(rounds=2)
    run_pictures(link, 3)
    assert sorted((a.transfer, a.round) for a in link.arrivals) == [(t, r) for t in range(3) for r in range(2)]
    assert [d["payload"] for d in link.events_of("done")] == [2 * 12_000] * 3
    assert link.sending.finished


@pytest.mark.parametrize("feedback", [False, True])
def test_the_transmitter_sends_no_more_layers_than_it_is_told(feedback):
    link = SimulatedLink(ToyCodec(rounds=5, feedback=feedback), SendingPolicy(rounds=3))
    run_pictures(link, 2)
    assert sorted((a.transfer, a.round) for a in link.arrivals) == [(t, r) for t in range(2) for r in range(3)]
    assert link.sending.finished and [d["rounds"] for d in link.events_of("done")] == [3, 3]


def test_a_lost_layer_does_not_stop_the_others():
    link = SimulatedLink(ToyCodec(rounds=3), SendingPolicy(repeats=1), lambda h: h.round == 1)
    run_pictures(link, 2)
    assert link.sending.finished and len(link.events_of("stored")) == 2
    assert sorted((a.transfer, a.round, a.manifest is not None) for a in link.arrivals) == [
        (t, r, r != 1) for t in range(2) for r in range(3)
    ]


def test_the_rate_follows_the_reported_snr():
    codec = ToyCodec()
    link = SimulatedLink(codec, SendingPolicy(adapt=True, in_flight=1))
    link.sending.rate.heard(20.0)
    run_pictures(link, 1)
    assert codec.cbrs[0] == pytest.approx(1 / 12 * np.log2(11) / np.log2(101))
    assert adapted_cbr(1 / 12, 10.0, 0, 1) == pytest.approx(1 / 12)
    assert adapted_cbr(1 / 12, -20.0, 0.01, 0.5) == 0.5 and adapted_cbr(1 / 12, 90.0, 0.01, 0.5) == 0.01


@pytest.mark.parametrize(
    "options", [{"repeats": -1}, {"repeats": 99}, {"side_info": "post"}, {"in_flight": 0}, {"in_flight": 65}]
)
def test_policies_that_make_no_sense_are_refused(options):
    with pytest.raises(LinkError):
        SendingPolicy(**options)


def test_side_information_is_coded_for_the_snr_that_the_receiver_reports():
    link = SimulatedLink(ToyCodec(), SendingPolicy(), noise_var=0.1)  # 10 dB
    run_pictures(link, 6)
    assert len(link.events_of("stored")) == 6
    costs = [done["side_info"] for done in link.events_of("done")]
    # BPSK 1/3 three times before anything was reported, then 16-QAM once.
    assert costs[-1] < costs[0] / 10 and max(costs) == costs[0]


def test_a_receiver_that_is_gone_is_not_believed_to_have_its_snr_still():
    heard = []
    link = SimulatedLink(ToyCodec(), SendingPolicy(patience=1.0), heard.append)
    link.meet()
    link.sending.rate.heard(20.0)
    link.sending.connection(False)
    link.sending.submit("0.png", picture(0))
    link.run(4.0)
    assert {header.mcs for header in heard if header.kind == BurstKind.DIGITAL} == {0}
