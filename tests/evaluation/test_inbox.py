"""What a receiving host makes of its pictures and of what the transmitter tells, in any order."""

import numpy as np
import pytest

from gr_jscc.evaluation.inbox import Inbox
from gr_jscc.evaluation.report import Received
from gr_jscc.link.assembly import Arrival

pytestmark = pytest.mark.timeout(30)
ORIGINAL = np.full((16, 16, 3), 100, np.uint8)
SENT = {"event": "sent", "name": "a.png", "key": "aa", "codec": "toy", "weights": "toy-1", "cbr": 0.08,
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
    assert report["image"] == {"name": "a.png", "height": 16, "width": 16} and report["key"] == "aa"
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


def test_without_a_back_channel_quiet_makes_a_picture_final(inbox, clock):
    inbox.received(3, 0, received())
    assert inbox.tick() == []
    clock.now = 3.0
    (result,) = inbox.tick()
    assert result.final and result.report["image"]["name"] == "transfer-0003"
    assert result.report["psnr_db"] is None and result.report["uses"]["air"] is None


def test_a_cut_is_waited_for_and_then_no_longer(inbox, clock):
    inbox.connection(True)
    inbox.told(3, SENT)
    inbox.received(3, 0, received())
    inbox.connection(False)
    clock.now = 10.0
    assert inbox.tick() == []
    clock.now = 21.0
    (result,) = inbox.tick()
    assert result.report["image"]["name"] == "a.png" and result.report["psnr_db"] is not None


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
