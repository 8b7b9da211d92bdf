"""Frames are intact or not taken; delivery loses nothing, repeats nothing and stays within its bounds."""

import struct
import zlib

import pytest
from hand_clock import HandClock

from gr_jscc.link.back_channel import delivery
from gr_jscc.link.back_channel.delivery import Inbox, Outbox
from gr_jscc.link.back_channel.wire import (
    HEADER_SIZE,
    MAX_BODY,
    MAX_FRAME,
    VERSION,
    Kind,
    OtherVersionError,
    WireError,
    decode,
    encode,
)

pytestmark = pytest.mark.timeout(60)
LIMITS = {Kind.SIDE_INFO: 3 * MAX_BODY, Kind.STOP: 2}


@pytest.fixture
def clock():
    return HandClock(100.0)


@pytest.fixture
def outbox(clock):
    return Outbox(0xABCD, clock)


def sent(outbox):
    return [decode(data).sequence for data in outbox.due()]


def test_a_frame_is_what_the_document_says():
    data = encode(Kind.STOP, 0x1122334455667788, 9, b"\x01\x02", more=True)
    head = b"JSCB" + bytes([VERSION, 21, 1]) + bytes.fromhex("1122334455667788") + struct.pack(">II", 9, 2)
    assert data == head + struct.pack(">I", zlib.crc32(head + b"\x01\x02")) + b"\x01\x02"
    frame = decode(data)
    assert (frame.kind, frame.more, frame.session) == (Kind.STOP, True, 0x1122334455667788)
    assert frame.sequence == 9 and bytes(frame.body) == b"\x01\x02"


def test_no_flipped_bit_and_no_cut_gets_through(rng):
    data = encode(Kind.REPORT, 5, 6, rng.bytes(40))
    for bit in range(8 * len(data)):
        broken = bytearray(data)
        broken[bit // 8] ^= 1 << bit % 8
        with pytest.raises(WireError) as raised:
            decode(bytes(broken))
        assert not isinstance(raised.value, OtherVersionError)  # nor taken for a peer of another version
    for length in range(len(data)):
        with pytest.raises(WireError):
            decode(data[:length])
    for other in (data + b"\0", data + data, bytes(MAX_FRAME + 1), b""):
        with pytest.raises(WireError):
            decode(other)


def test_another_version_is_told_from_rubbish():
    data = bytearray(encode(Kind.HELLO, 5, 6, b"of the future"))
    data[4] = VERSION + 1
    head = bytes(data[: HEADER_SIZE - 4])
    data[HEADER_SIZE - 4 : HEADER_SIZE] = struct.pack(">I", zlib.crc32(head + data[HEADER_SIZE:]))
    with pytest.raises(OtherVersionError) as raised:
        decode(bytes(data))
    assert raised.value.version == VERSION + 1


def test_messages_wait_until_they_are_acknowledged(outbox):
    for _ in range(3):
        assert outbox.add(Kind.STOP, b"ab")
    assert sent(outbox) == [0, 1, 2] and sent(outbox) == []
    assert outbox.acknowledge(2) and len(outbox) == 1 and outbox.base == 2
    assert not outbox.acknowledge(2) and not outbox.acknowledge(1)  # old ones say nothing
    assert not outbox.acknowledge(4) and not outbox.acknowledge(2**31)  # nor do those of frames never sent
    assert outbox.acknowledge(3) and len(outbox) == 0 and outbox.expires() == float("inf")


def test_what_is_not_acknowledged_is_sent_again_later_and_later(outbox, clock):
    outbox.add(Kind.STOP, b"ab")
    outbox.add(Kind.STOP, b"cd")
    sent(outbox)
    waits = []
    for _ in range(6):
        before = clock.now
        clock.now = outbox.expires() - 1e-6
        assert sent(outbox) == []
        clock.now = outbox.expires()
        assert sent(outbox) == [0, 1]
        waits.append(round(clock.now - before, 2))
    assert waits == [0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert outbox.retransmissions == 12
    assert outbox.acknowledge(1)
    clock.now += 0.19
    assert sent(outbox) == []
    clock.now += 0.02  # progress makes it patient no longer
    assert sent(outbox) == [1]


def test_a_slow_network_is_not_taken_for_a_lost_frame(outbox, clock):
    for _ in range(4):
        outbox.add(Kind.SIDE_INFO, bytes(MAX_BODY))
    sent(outbox)
    for acknowledged in range(1, 5):
        clock.now += MAX_BODY / delivery.SLOWEST
        assert sent(outbox) == []
        assert outbox.acknowledge(acknowledged)
    assert outbox.retransmissions == 0


def test_a_peer_that_returns_gets_the_rest_and_a_new_one_whole_messages(outbox):
    outbox.add(Kind.STOP, b"ab")
    outbox.add(Kind.SIDE_INFO, bytes(2 * MAX_BODY + 1))  # frames 1, 2, 3
    outbox.add(Kind.STOP, b"cd")
    assert sent(outbox) == [0, 1, 2, 3, 4]
    outbox.acknowledge(3)
    assert outbox.base == 1 and len(outbox) == 2
    outbox.resume()
    assert sent(outbox) == [3, 4] and outbox.retransmissions == 2
    outbox.restart()
    assert sent(outbox) == [1, 2, 3, 4] and outbox.retransmissions == 2  # new to this peer
    assert outbox.acknowledge(5) and len(outbox) == 0


def test_the_window_bounds_what_is_under_way(outbox):
    for _ in range(delivery.WINDOW_FRAMES + 10):
        outbox.add(Kind.STOP, b"ab")
    assert len(sent(outbox)) == delivery.WINDOW_FRAMES
    outbox.acknowledge(4)
    assert len(sent(outbox)) == 4
    large = Outbox(1)
    large.add(Kind.SYMBOLS, bytes(10 * delivery.WINDOW_BYTES))
    total = sum(len(data) for data in large.due())
    assert delivery.WINDOW_BYTES - MAX_FRAME < total <= delivery.WINDOW_BYTES


def test_the_queue_is_bounded_by_count_and_by_bytes():
    outbox = Outbox(1)
    assert all(outbox.add(Kind.STOP, b"ab") for _ in range(delivery.QUEUE_MESSAGES))
    assert not outbox.add(Kind.STOP, b"ab")
    sent(outbox)
    outbox.acknowledge(1)
    assert outbox.add(Kind.STOP, b"ab") and not outbox.add(Kind.STOP, b"ab")
    outbox = Outbox(1)
    body = bytes(delivery.QUEUE_BYTES // 2)
    assert outbox.add(Kind.SYMBOLS, body)
    assert not outbox.add(Kind.SYMBOLS, body)  # headers count
    assert outbox.add(Kind.STOP, b"ab") and len(outbox) == 2


def test_numbers_wrap_round(clock):
    outbox, inbox = Outbox(1, clock, first=2**32 - 2), Inbox(LIMITS)
    inbox.restart(outbox.base)
    for i in range(4):
        outbox.add(Kind.STOP, bytes([0, i]))
    got = [inbox.take(decode(data)) for data in outbox.due()]
    assert [bytes(body) for _, body in got] == [bytes([0, i]) for i in range(4)] and inbox.expected == 2
    assert outbox.acknowledge(2) and len(outbox) == 0 and outbox.base == 2


def frame(sequence, kind=Kind.STOP, body=b"ab", more=False):
    return decode(encode(kind, 1, sequence, body, more))


def test_the_inbox_takes_each_frame_once_and_in_order():
    inbox = Inbox(LIMITS)
    inbox.restart(5)
    assert inbox.take(frame(6)) is None and inbox.gaps == 1 and inbox.owes_ack
    assert inbox.take(frame(5)) is not None
    assert inbox.take(frame(5)) is None and inbox.take(frame(4)) is None and inbox.duplicates == 2
    assert inbox.take(frame(6)) is not None and inbox.expected == 7


def test_the_inbox_puts_parts_together_and_bounds_them(rng):
    data = rng.bytes(3 * MAX_BODY)
    outbox, inbox = Outbox(1), Inbox(LIMITS)
    outbox.add(Kind.SIDE_INFO, data)
    outbox.add(Kind.SIDE_INFO, data + b"!")
    outbox.add(Kind.STOP, b"abc")
    outbox.add(Kind.HAVE, b"")  # not known to this inbox
    outbox.add(Kind.STOP, b"ab")
    got = [whole for frame_ in outbox.due() if (whole := inbox.take(decode(frame_))) is not None]
    assert got == [(Kind.SIDE_INFO, data), (Kind.STOP, b"ab")]
    assert inbox.malformed == 3
    assert inbox.expected == 3 + 4 + 1 + 1 + 1  # what is wrong holds nothing up


def test_parts_that_do_not_belong_together_are_dropped():
    inbox = Inbox(LIMITS)
    full = bytes(MAX_BODY)
    assert inbox.take(frame(0, Kind.SIDE_INFO, b"", more=True)) is None and inbox.malformed == 1  # endless parts
    assert inbox.take(frame(1, Kind.SIDE_INFO, full, more=True)) is None
    assert inbox.take(frame(2, Kind.STOP)) is None and inbox.malformed == 2
    assert inbox.take(frame(3, Kind.SIDE_INFO, b"x")) == (Kind.SIDE_INFO, b"x")
    inbox.take(frame(4, Kind.SIDE_INFO, full, more=True))
    inbox.restart(0)
    assert inbox.take(frame(0, Kind.SIDE_INFO, b"y")) == (Kind.SIDE_INFO, b"y")
