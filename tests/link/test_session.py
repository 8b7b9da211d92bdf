"""Whose a round is: senders that share the air, are started again, or lie."""

import dataclasses

import numpy as np
import pytest
from simulated_link import ToyCodec

from gr_jscc.codecs.base import Payload
from gr_jscc.link.assembly import PEAK, Assembler
from gr_jscc.link.back_channel import Report, RoundSent
from gr_jscc.link.bursts import LinkSettings, round_bursts
from gr_jscc.link.incoming import SYMBOL_BYTES
from gr_jscc.link.manifest import Manifest, ManifestError
from gr_jscc.link.reception import ReceivingEnd
from gr_jscc.link.session import MAC_BYTES, Session, sender_of, transfer_name
from gr_jscc.modem import BurstKind, ReceivedBurst

pytestmark = pytest.mark.timeout(60)
CODEC = ToyCodec()
COUNT = 5000  # symbols of a round
KEY = bytes(range(16))


def bursts_of(session, count=0, value=1.0, sent_as=None, round_=0):
    """A round of so many equal symbols; ``sent_as``: whose headers it has."""
    payload = Payload(np.full(COUNT, value, np.complex64), b"side")
    number = (sent_as or session).transfer(count)
    return round_bursts(payload, 64, 64, CODEC.weights_hash, number, round_, LinkSettings(session=session))


def received(bursts):
    return [
        ReceivedBurst(b.header, b.symbols, np.full(len(b.symbols), 0.1, np.float32), 0, 0.0, 10.0, -10.0)
        for b in bursts
    ]


def told(end, session):
    end.connection(True, False, session)
    return end


def with_back_channel(session):
    return told(ReceivingEnd(CODEC, lambda message: None), session)


def values(arrivals):
    """The mean symbol of each round that has a manifest."""
    return [complex(a.reception.symbols.mean()) for a in arrivals if a.reception is not None]


def test_numbers_of_two_senders_are_never_the_same():
    first, second = Session(3 << 15 | 5), Session(4 << 15 | 5)
    numbers = {session.transfer(count) for session in (first, second) for count in range(1024)}
    assert len(numbers) == 2048 and max(numbers) < 1 << 18
    assert {sender_of(first.transfer(count)) for count in range(3000)} == {first.sender}
    assert transfer_name(Session(0x3F << 15).transfer(7)) == "transfer-3f-0007"


@pytest.mark.parametrize("back_channel", [False, True])
def test_of_300_senders_one_after_the_other_every_picture_arrives_once(back_channel):
    """Some share the word in their headers, and nobody chooses numbers."""
    rng = np.random.default_rng(2)
    end = ReceivingEnd(CODEC, (lambda message: None) if back_channel else None)
    arrivals, shared = [], set()
    for number in range(300):
        session = Session(int(rng.integers(1 << 23)))
        shared.add(session.sender)
        if back_channel:
            arrivals += end.connection(True, number > 0, session)
            arrivals += end.message(Report(session.transfer(0), {"event": "sent"}))
        for burst in received(bursts_of(session, 0, 1 + number)):
            arrivals += end.burst(burst)
    arrivals += end.flush()
    assert len(shared) < 256  # as many words as headers have are not used by all
    assert sorted(v.real for v in values(arrivals)) == pytest.approx(np.arange(1, 301))
    assert not end.strangers and end.forged == 0


def test_two_senders_in_turns_are_not_mixed_without_a_back_channel():
    end, arrivals = ReceivingEnd(CODEC), []
    trains = [received(bursts_of(Session(word << 15 | 1), 0, value)) for word, value in ((9, 1.0), (200, -1j))]
    for pair in zip(*trains, strict=True):
        for burst in pair:
            arrivals += end.burst(burst)
    arrivals += end.flush()
    assert values(arrivals) == pytest.approx([1.0, -1j]) and {sender_of(a.transfer) for a in arrivals} == {9, 200}
    assert all(a.bursts_received == a.bursts_sent for a in arrivals)


@pytest.mark.parametrize("key", [b"", KEY])
def test_with_a_back_channel_only_its_own_sender_is_heard_and_strangers_are_counted(key):
    own, other = Session(9 << 15 | 1, key), Session(200 << 15 | 1, key)
    end, arrivals = with_back_channel(own), []
    end.message(Report(own.transfer(0), {"event": "sent"}))
    strange = received(bursts_of(other, 0, -1j))
    for pair in zip(received(bursts_of(own, 0, 1.0)), strange, strict=True):
        for burst in pair:
            arrivals += end.burst(burst)
    assert values(arrivals) == pytest.approx([1.0])
    assert end.strangers == {200: len(strange)}


def test_a_stranger_with_the_same_word_in_its_headers_is_not_believed():
    own, other = Session(9 << 15 | 1), Session(9 << 15 | 2)
    end = with_back_channel(own)
    end.message(Report(own.transfer(0), {"event": "sent"}))
    control = [b for b in received(bursts_of(other)) if b.header.kind == BurstKind.DIGITAL]
    for burst in control:
        assert not end.burst(burst)
    assert end.forged == len(control)
    arrivals = [arrival for burst in received(bursts_of(own, 0, 2.0)) for arrival in end.burst(burst)]
    assert values(arrivals) == pytest.approx([2.0])


def test_manifests_are_authenticated_where_the_back_channel_is_encrypted():
    own = Session(9 << 15 | 1, KEY)
    manifest = Manifest(CODEC.weights_hash, 64, 64, COUNT, b"side", own.rest)
    number = own.transfer(3)
    sealed = manifest.sealed(own, number, 1)
    assert len(sealed) == len(manifest.pack()) + MAC_BYTES
    assert Manifest.unpack(sealed, own, number, 1) == manifest
    assert Manifest.unpack(sealed) == manifest  # a receiver without a back-channel cannot tell, and does without
    forged = [
        manifest.pack(),
        manifest.sealed(Session(own.word, bytes(16)), number, 1),
        *(sealed[:i] + bytes([sealed[i] ^ 1]) + sealed[i + 1 :] for i in range(len(sealed))),
    ]
    for data in forged:
        with pytest.raises(ManifestError):
            Manifest.unpack(data, own, number, 1)
    for place in ((number, 0), (number + 1, 1)):  # heard before, and played again elsewhere
        with pytest.raises(ManifestError):
            Manifest.unpack(sealed, own, *place)


def test_a_forged_round_leaves_the_honest_one_alone():
    own = Session(9 << 15 | 1, KEY)
    end = with_back_channel(own)
    end.message(Report(own.transfer(0), {"event": "sent"}))
    liar = bursts_of(Session(own.word, bytes(16)), 0, -5.0, sent_as=own)
    for burst in received([b for b in liar if b.header.kind == BurstKind.DIGITAL]):
        assert not end.burst(burst)
    arrivals = [arrival for burst in received(bursts_of(own, 0, 2.0)) for arrival in end.burst(burst)]
    assert values(arrivals) == pytest.approx([2.0]) and end.forged > 0


def test_what_nobody_announced_waits_and_is_decoded_when_nobody_can():
    own = Session(9 << 15 | 1)
    for way in ("sent", "cut", "end"):
        end = with_back_channel(own)
        assert not [arrival for burst in received(bursts_of(own)) for arrival in end.burst(burst)]
        if way == "sent":
            arrivals = end.message(Report(own.transfer(0), {"event": "sent"}))
        elif way == "cut":
            arrivals = end.connection(False)
        else:
            arrivals = end.flush()
        assert values(arrivals) == pytest.approx([1.0])


def test_memory_is_bounded_and_what_nobody_announced_goes_first():
    limit = 4 * COUNT * SYMBOL_BYTES
    assembler = Assembler(64, CODEC, memory=limit)
    assembler.belong_to(Session(9 << 15))
    assembler.set_waits(True)
    own = assembler.session
    assembler.announce(own.transfer(0))
    ended = []
    for count in range(40):
        train = received(bursts_of(own, count))
        train.remove(next(burst for burst in train if burst.header.kind == BurstKind.ANALOG))
        for burst in train:
            ended += assembler.push(burst)
        assert assembler.size <= limit
    assert own.transfer(0) not in {arrival.transfer for arrival in ended} and len(ended) == 34
    assert (own.transfer(0), 0) in assembler.open_rounds()


@pytest.mark.parametrize("missing", [0, 1])
def test_a_round_that_takes_more_than_the_memory_is_left_out_and_counted(missing):
    assembler = Assembler(1, None, memory=PEAK * SYMBOL_BYTES * COUNT - missing)
    arrivals = [arrival for burst in received(bursts_of(Session())) for arrival in assembler.push(burst)]
    arrivals += assembler.flush()
    assert len(values(arrivals)) == 1 - missing
    assert (assembler.too_large > 0) == bool(missing) and assembler.forged == 0


def test_a_burst_with_a_number_that_comes_later_does_not_lose_the_round_that_has_it():
    """Somebody else's, or forged: of a round without a manifest nobody knows whose it was."""
    assembler, arrivals = Assembler(), []
    sender = Session(9 << 15 | 1)
    stray = next(b for b in received(bursts_of(sender, 5, -1.0)) if b.header.kind == BurstKind.ANALOG)
    arrivals += assembler.push(stray)
    for count in range(4, 7):
        for burst in received(bursts_of(sender, count, count)):
            arrivals += assembler.push(burst)
    arrivals += assembler.flush()
    assert values(arrivals) == pytest.approx([4, 5, 6])


def test_a_sender_started_again_under_the_same_words_is_taken_for_what_it_was():
    """Late copies of a manifest open no round, though its number was used by others."""
    first, second = Session(9 << 15 | 1), Session(9 << 15 | 2)
    assembler, arrivals = Assembler(), []
    for session, value in ((first, 1.0), (second, 2.0), (first, 3.0)):
        train = received(bursts_of(session, 0, value))
        late = [dataclasses.replace(burst) for burst in train if burst.header.kind == BurstKind.DIGITAL]
        for burst in train + late:
            arrivals += assembler.push(burst)
    arrivals += assembler.flush()
    assert values(arrivals) == pytest.approx([1.0, 2.0, 3.0]) and len(arrivals) == 3


@pytest.mark.parametrize("back_channel", [False, True])
def test_senders_under_one_word_follow_each_other_where_none_is_on_the_back_channel(back_channel):
    """The receiver may have a back-channel that nobody uses, and the first copy of a manifest may be lost."""
    end, arrivals = ReceivingEnd(CODEC, (lambda message: None) if back_channel else None), []
    for word in range(1, 5):
        for burst in received(bursts_of(Session(9 << 15 | word), 0, word))[word > 1 :]:
            arrivals += end.burst(burst)
    arrivals += end.flush()
    assert values(arrivals) == pytest.approx([1, 2, 3, 4])
    assert all(a.bursts_received == a.bursts_sent for a in arrivals)


def test_a_round_that_another_senders_burst_ends_is_not_lost():
    first, second = Session(9 << 15 | 1), Session(9 << 15 | 2)
    end, arrivals = ReceivingEnd(CODEC), []
    for count in range(2):
        train = received(bursts_of(first, count, 1 + count))
        analog = [burst for burst in train if burst.header.kind == BurstKind.ANALOG]
        for burst in train[: None if count == 0 else train.index(analog[-1])]:
            arrivals += end.burst(burst)
    for burst in received(bursts_of(second, 0, 5.0))[1:]:
        arrivals += end.burst(burst)
    arrivals += end.flush()
    assert len(values(arrivals)) == 3 and np.allclose(np.array(values(arrivals))[[0, 2]], [1, 5])


@pytest.mark.parametrize("key", [b"", KEY])
def test_what_a_sender_sent_before_it_was_known_is_not_asked_for_again(key):
    own, messages = Session(9 << 15 | 1, key), []
    end = ReceivingEnd(CODEC, messages.append)
    for session in (own, Session(9 << 15 | 2)):  # the other had another number
        for burst in received(bursts_of(session, session.rest, 1.0)):
            end.burst(burst)
    end.connection(True, False, own)
    messages.clear()
    for count in (1, 2):
        end.message(RoundSent(own.transfer(count), 0, 0, False))
    assert [(m.transfer, m.manifest) for m in messages] == [(own.transfer(1), True)]


def test_what_a_sender_left_open_is_not_done_for_the_next_one_under_its_word():
    old, new, messages = Session(9 << 15 | 1), Session(9 << 15 | 2), []
    end = told(ReceivingEnd(CODEC, messages.append), old)
    end.burst(received(bursts_of(old))[0])
    end.connection(True, True, new)
    end.message(Report(new.transfer(0), {"event": "sent"}))
    arrivals = [arrival for burst in received(bursts_of(new, 0, 2.0)) for arrival in end.burst(burst)]
    assert values(arrivals) == pytest.approx([2.0])


def test_side_information_counts_as_memory_wherever_it_waits():
    payload = Payload(np.ones(10, np.complex64), bytes(20_000))
    limit, most = 100_000, 0
    assembler = Assembler(1, None, memory=limit)
    for sender in range(8):
        session = Session(sender << 15)
        number = session.transfer(0)
        for burst in received(bursts_of(session)):  # done: what comes next is kept as another's, perhaps
            assembler.push(burst)
        for count in (0, 1):
            number = session.transfer(count)
            settings = LinkSettings(session=Session(session.word + 1), manifest_copies=1)
            train = received(round_bursts(payload, 64, 64, CODEC.weights_hash, number, 0, settings))
            for burst in [burst for burst in train if burst.header.kind == BurstKind.DIGITAL][:-1]:
                assembler.push(burst)
                most = max(most, assembler.size)
    assert limit / 2 < most <= limit


def test_rounds_that_end_together_are_handed_over_one_by_one():
    """A forged manifest states sizes that take memory only when its round ends."""
    end = ReceivingEnd(CODEC)
    for sender in range(3):
        end.burst(received(bursts_of(Session(sender << 15)))[0])
    assert sender_of(next(end.flush()).transfer) == 0
    assert [sender_of(arrival.transfer) for arrival in end.flush()] == [1, 2] and not list(end.flush())
