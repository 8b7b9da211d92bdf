"""What a peer says is taken as far as it makes sense, and nothing of it ends anything."""

import math

import numpy as np
import pytest
from simulated_link import SimulatedLink, ToyCodec, picture

from gr_jscc.link import told
from gr_jscc.link.arrival import Arrival
from gr_jscc.link.back_channel import ChannelState, Have, Hello, RefusedPeer, Report, RoundSent
from gr_jscc.link.back_channel.messages import MAX_IMAGES, Refused
from gr_jscc.link.back_channel.protocol import Protocol
from gr_jscc.link.back_channel.wire import Kind, decode, encode
from gr_jscc.link.policy import SendingPolicy
from gr_jscc.link.reception import MOST_ANNOUNCED
from gr_jscc.link.session import Session
from gr_jscc.reports.archive import Archive
from gr_jscc.reports.inbox import MOST_KNOWN, Inbox
from gr_jscc.reports.report import Received

pytestmark = pytest.mark.timeout(60)

TEXTS = [
    "[red]x[/]", "[/nope]", "{0} {name} %s %n", "\x1b[2J\x07", "a\0b", "a\nb\r\x85c", "n" * 300, "\u202e\U0001f99c",
    "../../x", "/etc/x", "", "$\\frac$",
]  # fmt: skip
VALUES = [*TEXTS, None, True, 7, -7, 1 << 62, 1e308, -0.0, [1], {"a": 1}, [["x"]]]
KEY = "0123456789abcdef"


def received():
    arrival = Arrival(7, 0, None, None, 3, 4, 10.0, 0.0, -12.0)
    return Received(np.zeros((16, 16, 3), np.uint8), arrival, 0.1, 1.0, 10)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_whatever_a_report_says_a_picture_is_stored_once_and_in_its_place(tmp_path, value):
    """Each field in turn says something else than ours do."""
    archive = Archive(tmp_path / "deep" / "out")
    inbox = Inbox("zmq")
    inbox.connection(True)
    fields = {"name": "a.png", "key": KEY, "codec": "toy", "weights": "w", "cbr": 0.1, "encode_seconds": 1.0,
              "layered": False, "payload": 1, "air": 2, "rounds": 1, "bursts": 4, "papr_db": 10.0}  # fmt: skip
    for number, field in enumerate(fields):
        inbox.received(number, 0, received())
        said = fields | {field: value}
        results = inbox.told(number, {"event": "sent", **said}) + inbox.told(number, {"event": "done", **said})
        for result in [result for result in [*results, *inbox.end()] if result.final]:
            archive.save(result, fresh=True)
            report = result.report
            assert all(len(report[name]) <= told.LONGEST for name in ("codec", "weights", "key"))
            assert len(report["image"]["name"]) <= told.LONGEST
    assert len(list((tmp_path / "deep" / "out").glob("*/report.json"))) == len(fields)
    assert {path for path in tmp_path.rglob("*.json")} == set((tmp_path / "deep" / "out").glob("*/report.json"))
    assert archive.keys("") <= {KEY}


def test_fields_are_what_they_should_be_or_nothing():
    wrong = {"text": 7, "number": math.inf, "flag": True, "whole": 1.5, "key": "x" * 16}
    assert told.text(wrong, "text") == "" and told.key(wrong) == ""
    assert told.number(wrong, "number") is None and told.number(wrong, "flag") is None
    assert [told.whole(wrong, field, -1) for field in ("whole", "flag", "nowhere")] == [-1] * 3
    assert told.whole({"n": 1 << 53}, "n", 5) == 5 and told.whole({"n": (1 << 53) - 1}, "n", 5) == (1 << 53) - 1
    brief = told.brief({**{str(n): "x" * 1000 for n in range(100)}, "deep": [1], "k" * 300: 1})
    assert len(brief) == told.MOST_FIELDS and {len(text) for text in brief.values()} == {told.LONGEST}


def test_a_peer_that_tells_of_pictures_without_end_is_forgotten_in_part():
    inbox = Inbox("zmq")
    inbox.connection(True)
    inbox.received(1, 0, received())
    for number in range(10, 10 * MOST_KNOWN):
        inbox.told(number, {"event": "sent", "name": "x" * 60_000})
    assert len(inbox._transfers) == MOST_KNOWN
    (first, last) = inbox.told(1, {"event": "sent", "name": "a.png"}), inbox.told(1, {"event": "done", "rounds": 1})
    assert first == [] and last[0].final and last[0].report["image"]["name"] == "a.png"  # which had arrived


def looked_at(link, monkeypatch):
    """How often a round is looked at from now on."""
    counted = []
    real = link.receiving._air.is_over
    monkeypatch.setattr(link.receiving._air, "is_over", lambda *a: counted.append(a) or real(*a))
    return counted


@pytest.mark.parametrize("count", [1000, 4000])
def test_floods_of_announcements_cost_no_more_each_than_a_few(count, monkeypatch):
    link = SimulatedLink(ToyCodec(), SendingPolicy())
    session = Session(5 << 15 | 3)
    link.receiving.connection(True, False, session)
    counted = looked_at(link, monkeypatch)
    for number in range(count):
        link.receiving.message(RoundSent(session.transfer(number), number // 1024, 0, False))
        link.receiving.message(RoundSent(number, 0, 0, True))  # of another sender: passed over
    assert len(counted) == count and len(link.receiving._air.announced) == MOST_ANNOUNCED
    assert len(link.receiving._answered) <= MOST_ANNOUNCED and len(link.receiving._assembler._announced) <= 1024
    assert len(link.to_sender) == count - MOST_ANNOUNCED  # those were answered as they stood


def test_more_pictures_than_a_message_takes_are_told_in_parts():
    keys = [number.to_bytes(8, "big") for number in range(2 * MAX_IMAGES)]
    parts = [Have.unpack(part.pack()) for part in Have.parts(b"run-0001", keys)]
    assert [len(part.images) for part in parts] == [MAX_IMAGES, MAX_IMAGES, 0]
    assert [key for part in parts for key in part.images] == keys
    assert [part.is_last for part in parts] == [False, False, True]
    assert [len(part.images) for part in Have.parts(bytes(8), keys[:1])] == [1]
    assert [part.images for part in Have.parts(bytes(8), [])] == [()]


def test_a_transmitter_begins_when_it_knows_all_that_the_receiver_has():
    link = SimulatedLink(ToyCodec(), SendingPolicy())
    link.connect()
    link.sending.submit("a.png", picture(1))
    first, last = Have.parts(bytes(8), [number.to_bytes(8, "big") for number in range(MAX_IMAGES)])
    link.sending.message(first)
    assert link.sending.next_train() is None
    link.sending.message(last)
    assert link.sending.next_train()


@pytest.mark.parametrize("snr_db", [3e38, -3e38, 1e4, -1e4])
def test_an_snr_that_nobody_can_have_is_not_believed(snr_db):
    link = SimulatedLink(ToyCodec(), SendingPolicy(adapt=True))
    link.meet()
    for number in range(3):
        link.sending.submit(f"{number}.png", picture(number))
        link.run(0.1)
        link.sending.message(ChannelState(link.sending._session.transfer(number), 0, snr_db, 0.0, 0.0, 1, 1))
    lowest, highest = ToyCodec.cbr_range
    assert link.codec.cbrs[-1] == (lowest if snr_db > 0 else highest)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_whatever_a_receiver_reports_pictures_go_on(value):
    link = SimulatedLink(ToyCodec(), SendingPolicy())
    link.meet()
    link.sending.submit("a.png", picture(1))
    link.run(0.1)
    for event in ("receiving", "decoding", "working", value):
        for field in ("round", "psnr_db", "attempt", "start"):
            link.sending.message(Report(0, {"event": event, field: value}))
            link.receiving.message(Report(0, {"event": "air", "round": 0, "attempt": 0, "start": 0, field: value}))
    link.run(3)
    assert link.events_of("stored")


@pytest.mark.parametrize("name", [*TEXTS, "\U0001f99c" * 40])
def test_weights_of_any_name_can_be_told_of(name):
    hello = Hello.of("receiver", name, name, bytes(4), software="gr-jscc")
    assert Hello.unpack(hello.pack()) == hello and (name == "" or hello.weights)
    transmitter, lines = Hello.of("transmitter", name, name, b"othr"), []
    sent = []
    protocol = Protocol(hello, lambda connection, data: sent.append(data) or True)
    protocol.received(b"1", encode(Kind.HELLO, 5, 0, transmitter.pack()))
    lines = [event.line for event in protocol.events if isinstance(event, RefusedPeer)]
    assert len(lines) == 1 and lines[0].isprintable() and lines[0].startswith("the transmitter uses codec")
    assert Refused.unpack(decode(sent[-1]).body).text == lines[0]
