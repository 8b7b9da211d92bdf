"""What a receiving host makes of its pictures and of what the transmitter tells, in any order."""

import numpy as np
import pytest

from gr_jscc.imaging import save_image
from gr_jscc.link.arrival import Arrival
from gr_jscc.reports.inbox import Inbox
from gr_jscc.reports.originals import finder
from gr_jscc.reports.report import Received
from gr_jscc.telling import told_by_program

pytestmark = pytest.mark.timeout(30)
ORIGINAL = np.full((16, 16, 3), 100, np.uint8)
SENT = {"event": "sent", "name": "a.png", "key": "aa" * 8, "codec": "toy", "weights": "toy-1", "cbr": 0.08,
        "encode_seconds": 0.1}  # fmt: skip
DONE = SENT | {
    "event": "done", "payload": 64, "side_info": 10, "header": 5, "air": 200, "rounds": 1, "bursts": 4, "repeated": 2,
    "papr_db": 9.0, "side_info_bytes": 0, "feedback_rounds": 0, "feedback_bytes": 0, "feedback_missed": 0,
}  # fmt: skip


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def inbox(clock):
    return Inbox("air", 1e6, lambda name: ORIGINAL if name == "a.png" else None, 20.0, clock)


@pytest.fixture
def lone(clock):
    """Of a receiver without a back-channel."""
    return Inbox("air", 1e6, patience=0.0, clock=clock)


def received(bursts=4, grey=101, picture=True):
    arrival = Arrival(0, 0, None, None, bursts, 4, 10.0, 0.0, -10.0)
    return Received(np.full((16, 16, 3), grey, np.uint8) if picture else None, arrival, 0.2, 5.0)


def final(results):
    return [result for result in results if result.final]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (0, 2, 1)])
def test_a_picture_is_final_when_all_is_known_in_any_order(inbox, order):
    inbox.connection(True)
    news = [lambda: inbox.told(7, SENT), lambda: inbox.received(7, 0, received()), lambda: inbox.told(7, DONE)]
    results = [final(news[i]()) for i in order]
    assert [len(r) for r in results] == [0, 0, 1]
    report = results[-1][0].report
    assert report["image"] == {"name": "a.png", "height": 16, "width": 16} and report["key"] == "aa" * 8
    assert report["psnr_db"] == pytest.approx(48.13, abs=0.01)
    assert report["bursts"] == {"sent": 4, "received": 4, "lost": 0, "repeated": 2}
    assert report["cbr"]["payload"] == pytest.approx(64 / 768, abs=1e-6) and report["uses"]["air"] == 200
    assert inbox.end() == []


def test_estimates_come_round_by_round(inbox):
    inbox.connection(True)
    inbox.told(1, SENT)
    first = inbox.received(1, 0, received(grey=120))
    assert [r.final for r in first] == [False]
    assert not final(inbox.told(1, DONE | {"rounds": 2}))
    second = inbox.received(1, 1, received(grey=100))
    assert [r.final for r in second] == [False, True]
    assert second[1].round == 1 and second[1].report["bursts"]["received"] == 8


def test_a_round_that_could_not_be_decoded_does_not_hold_the_rest_up(inbox):
    inbox.connection(True)
    inbox.told(1, DONE | {"rounds": 2})
    assert inbox.received(1, 0, received(picture=False)) == []
    assert len(final(inbox.received(1, 1, received()))) == 1


def test_a_picture_that_never_came_gives_no_result(inbox):
    inbox.connection(True)
    inbox.told(1, SENT)
    inbox.received(1, 0, received(picture=False))
    assert inbox.told(1, DONE) == [] and inbox.end() == []


def test_leftovers_of_a_transmitter_that_is_no_more_are_dropped(inbox, clock):
    inbox.connection(True)
    inbox.received(3, 0, received())
    clock.now = 15.0
    assert inbox.tick() == [] and inbox.end() == []


def test_a_transmitter_started_again_begins_anew(inbox):
    inbox.connection(True)
    inbox.told(3, SENT)
    inbox.received(3, 0, received())
    inbox.connection(True, restarted=True)
    assert inbox.end() == []


def test_without_a_back_channel_quiet_air_makes_a_picture_final(lone, clock):
    lone.taken(3, 0)
    lone.received(3, 0, received())
    clock.now = 500.0  # as long as samples come, seconds say nothing
    assert lone.tick() == []
    (result,) = lone.quiet()
    assert result.final and result.report["image"]["name"] == "transfer-00-0003"
    assert result.report["psnr_db"] is None and result.report["uses"]["air"] is None


def test_a_receiver_that_finds_that_there_is_no_back_channel_waits_for_none(inbox):
    """As one from Companion, whose sinks are not told."""
    inbox.expect_no_back_channel()
    inbox.taken(3, 0)
    inbox.received(3, 0, received())
    assert len(inbox.quiet()) == 1


def test_without_a_back_channel_the_next_picture_makes_one_final(lone):
    lone.taken(3, 0)
    lone.received(3, 0, received())
    (result,) = final(lone.taken(4, 0))
    assert result.transfer == 3
    assert final(lone.received(4, 0, received())) == [] and len(lone.end()) == 1


def test_without_a_back_channel_a_picture_waits_for_its_decoder_and_the_next_does_not_hurry_it(lone, clock):
    lone.taken(3, 0)
    lone.taken(4, 0)
    assert lone.quiet() == []
    clock.now = 500.0
    assert lone.tick() == []
    assert [r.transfer for r in final(lone.received(3, 0, received()))] == [3]
    assert [r.transfer for r in final(lone.received(4, 0, received()))] == [4]


def test_a_cut_is_waited_for_and_then_no_longer(inbox, clock):
    inbox.connection(True)
    inbox.told(3, SENT)
    inbox.taken(3, 0)
    inbox.received(3, 0, received())
    inbox.connection(False)
    assert inbox.quiet() == []
    clock.now = 10.0
    assert inbox.tick() == []
    clock.now = 21.0
    (result,) = inbox.tick()
    assert result.report["image"]["name"] == "a.png" and result.report["psnr_db"] is not None


def test_a_back_channel_that_is_late_is_waited_for(inbox, clock):
    """As by a receiver that was started again: what it hears first may be left over from before."""
    for transfer in (3, 4):
        inbox.taken(transfer, 0)
        assert final(inbox.received(transfer, 0, received())) == []
    clock.now = 5.0
    assert inbox.quiet() == []
    inbox.connection(True)
    clock.now = 16.0
    assert inbox.tick() == [] and inbox.end() == []


def test_after_a_cut_pictures_whose_rounds_are_mixed_wait_for_quiet(inbox, clock):
    inbox.connection(True)
    inbox.connection(False)
    clock.now = 21.0
    for transfer, round_ in [(1, 0), (2, 0), (1, 1), (2, 1)]:
        assert final(inbox.taken(transfer, round_)) == []
        assert final(inbox.received(transfer, round_, received())) == []
    assert [(r.transfer, r.rounds) for r in inbox.quiet()] == [(1, (0, 1)), (2, (0, 1))]


def test_pictures_received_during_a_cut_are_not_dropped_when_it_ends(inbox, clock):
    """What the transmitter told meanwhile comes a moment after the connection does."""
    inbox.connection(True)
    inbox.connection(False)
    inbox.taken(3, 0)
    inbox.received(3, 0, received())
    clock.now = 15.0
    inbox.connection(True)
    assert inbox.tick() == []
    inbox.told(3, SENT)
    assert [r.transfer for r in final(inbox.told(3, DONE))] == [3]


@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_no_picture_ends_while_the_decoder_has_a_round_of_it_in_hand(inbox, clock, rounds):
    """However long the decoder takes, and however long the transmitter has been done."""
    inbox.connection(True)
    inbox.told(1, SENT)
    for round_ in range(rounds):
        inbox.taken(1, round_)
    inbox.told(1, DONE | {"rounds": rounds})
    for round_ in range(rounds):
        clock.now += 3600.0
        assert final(inbox.tick()) == [] and inbox.failed == []
        results = final(inbox.received(1, round_, received()))
    (result,) = results
    assert result.rounds == tuple(range(rounds)) and result.report["bursts"]["received"] == 4 * rounds
    assert inbox.failed == []


def test_a_round_that_nobody_works_on_does_not_hold_a_picture_for_ever(inbox, clock):
    inbox.connection(True)
    inbox.told(1, SENT)
    inbox.taken(1, 0)
    inbox.received(1, 0, received())
    inbox.told(1, DONE | {"rounds": 2})
    clock.now = 11.0
    (result,) = inbox.tick()
    assert result.final and result.rounds == (0,)


def test_a_number_used_again_is_another_picture(inbox):
    inbox.connection(True)
    inbox.told(3, SENT)
    inbox.received(3, 0, received())
    inbox.told(3, SENT | {"name": "b.png", "key": "bb"})
    assert inbox.told(3, DONE | {"name": "b.png"}) == []
    assert len(final(inbox.received(3, 0, received()))) == 1


@pytest.mark.parametrize(
    "bad",
    [
        {"name": 5}, {"name": "x" * 5000}, {"cbr": "1/12"}, {"encode_seconds": True}, {"payload": -4},
        {"payload": 10**30}, {"rounds": "two"}, {"papr_db": [1]}, {"bursts": 1.5}, {"codec": None},
    ],
)  # fmt: skip
def test_nonsense_from_the_peer_harms_nothing(inbox, bad):
    inbox.connection(True)
    inbox.told(1, SENT | bad)
    inbox.received(1, 0, received())
    inbox.told(1, DONE | bad)
    inbox.told(1, {"event": 7})
    assert len(inbox.end()) <= 1


@pytest.mark.parametrize("trouble", ["cut", "empty", "folder", "another size"])
def test_an_original_that_is_not_to_be_had_costs_its_psnr_alone_and_is_told(tmp_path, trouble):
    good, bad = tmp_path / "a.png", tmp_path / "b.png"
    save_image(good, ORIGINAL)
    if trouble == "folder":
        bad.mkdir()
    elif trouble == "another size":
        save_image(bad, np.zeros((24, 16, 3), np.uint8))
    else:
        bad.write_bytes(good.read_bytes()[: 40 if trouble == "cut" else 0])
    inbox, told = Inbox("air", 1e6, finder(str(tmp_path)), 20.0), []
    inbox.connection(True)
    reports = []
    with told_by_program(told.append):
        for transfer, name in enumerate(["b.png", "a.png"]):
            inbox.told(transfer, SENT | {"name": name})
            inbox.received(transfer, 0, received())
            (result,) = final(inbox.told(transfer, DONE | {"name": name}))
            reports.append(result.report)
    assert [report["arrived"] for report in reports] == [True, True]
    assert [report["psnr_db"] is None for report in reports] == [True, False]
    assert reports[0]["image"] == {"name": "b.png", "height": 16, "width": 16}
    assert set(told) == {told[0]} and told[0].startswith("no PSNR: ") and "b.png" in told[0]


def test_a_picture_whose_end_is_never_told_is_stored_as_it_stands():
    now = [0.0]
    inbox = Inbox("air", patience=60.0, clock=lambda: now[0])
    inbox.connection(True)
    inbox.told(3, {"event": "sent", "name": "a.png"})
    inbox.taken(3, 0)
    results = inbox.received(3, 0, Received(np.full((8, 8, 3), 7, np.uint8), None, 0.1, 1.0))
    assert [result.final for result in results] == [False]
    waited = 0.0
    while not (results := inbox.tick()):
        now[0] += 1.0
        waited += 1.0
        assert waited < 1000
    (result,) = results
    assert result.final and result.report["image"]["name"] == "a.png" and waited > 120


def test_pictures_of_many_senders_do_not_wait_all_for_a_quiet_air():
    """Without a back-channel anybody can be heard, and each picture that is held takes memory."""
    inbox, final = Inbox("air", patience=0.0), []
    image = np.zeros((8, 8, 3), np.uint8)
    for sender in range(100):
        transfer = sender << 10
        final += [result for result in inbox.taken(transfer, 0) if result.final]
        final += [result for result in inbox.received(transfer, 0, Received(image, None, 0.1, 1.0)) if result.final]
    assert [result.transfer >> 10 for result in final] == list(range(95))
    assert len([result for result in inbox.end() if result.final]) == 5
