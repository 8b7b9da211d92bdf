"""From a codec's round to bursts and back, whatever is lost on the way."""

import dataclasses

import numpy as np
import pytest

from gr_jscc.channel.noise import noise
from gr_jscc.codecs.base import Payload
from gr_jscc.link.assembly import Assembler
from gr_jscc.link.bursts import LinkError, LinkSettings, round_bursts, settings_of
from gr_jscc.link.incoming import IncomingRound
from gr_jscc.link.interleaver import KEPT, deinterleave, interleave, permutation
from gr_jscc.link.manifest import Manifest, ManifestError
from gr_jscc.link.session import Session
from gr_jscc.modem import HEADER_SYMBOLS, BurstHeader, BurstKind, HeaderSource, ReceivedBurst
from gr_jscc.modem.digital import decode_digital

pytestmark = pytest.mark.timeout(60)
HASH = b"\x01\x02\x03\x04"


def payload(rng, count, side_info=b"\x10\x80"):
    symbols = (rng.standard_normal(count) + 1j * rng.standard_normal(count)).astype(np.complex64) / np.sqrt(2)
    return Payload(symbols.astype(np.complex64), side_info)


def received(burst, noise_var=0.1):
    variance = np.full(len(burst.symbols), noise_var, np.float32)
    return ReceivedBurst(burst.header, burst.symbols, variance, 0, 0.001, 10.0, -10.0)


def arrivals(bursts):
    assembler = Assembler()
    out = [arrival for burst in bursts for arrival in assembler.push(received(burst))]
    return out + assembler.flush()


@pytest.mark.parametrize("count", [0, 1, 2, 7, 48, 2399, 2400, 2401, 12_345, 98_304])
@pytest.mark.parametrize("copies", [1, 2, 3, 5, None])
def test_a_round_arrives_as_it_was_sent(rng, count, copies):
    sent = payload(rng, count)
    bursts = round_bursts(sent, 161, 283, HASH, 7, 2, LinkSettings(manifest_copies=copies))
    (arrival,) = arrivals(bursts)
    assert (arrival.transfer, arrival.round) == (7, 2)
    assert arrival.manifest == Manifest(HASH, 161, 283, count, sent.side_info)
    assert np.array_equal(arrival.reception.symbols, sent.symbols)
    assert (arrival.reception.noise_var == np.float32(0.1)).all()
    assert arrival.reception.side_info == sent.side_info
    assert arrival.bursts_received == arrival.bursts_sent


def test_the_order_of_bursts_does_not_matter(rng):
    sent = payload(rng, 10_000)
    bursts = round_bursts(sent, 64, 64, HASH, 1)
    shuffled = [bursts[i] for i in rng.permutation(len(bursts))]
    assert np.array_equal(arrivals(shuffled)[0].reception.symbols, sent.symbols)


def test_lost_bursts_leave_holes_that_are_spread(rng):
    sent = payload(rng, 24_000)
    bursts = round_bursts(sent, 96, 96, HASH, 1)
    gone = {2, 5, 6}
    kept = [b for b in bursts if b.header.kind == BurstKind.DIGITAL or b.header.index not in gone]
    (arrival,) = arrivals(kept)
    reception = arrival.reception
    lost = np.isinf(reception.noise_var)
    assert lost.sum() == 3 * 2400 and (reception.symbols[lost] == 0).all()
    assert np.array_equal(reception.symbols[~lost], sent.symbols[~lost])
    assert arrival.bursts_sent - arrival.bursts_received == 3
    share = lost.reshape(100, -1).mean(axis=1)  # any 240 neighbours lose about as much as all
    assert share.min() > 0.2 and share.max() < 0.4


def test_large_pictures_have_more_copies_of_the_manifest_but_much_side_information_has_not(rng):
    def copies(count, side_info=b""):
        bursts = round_bursts(payload(rng, count, side_info), 64, 64, HASH, 1)
        return sum(burst.header.kind == BurstKind.DIGITAL and burst.header.index == 0 for burst in bursts)

    assert [copies(count) for count in (1000, 36_000, 98_304, 1_000_000)] == [3, 3, 8, 10]
    assert copies(98_304, bytes(1000)) == 3


@pytest.mark.parametrize(("count", "expected"), [(2000, 3), (60_000, 3), (98_304, 6), (400_000, 6)])
def test_a_few_long_bursts_have_as_many_copies_of_the_manifest_as_take_a_twentieth(rng, count, expected):
    bursts = round_bursts(payload(rng, count, bytes(2)), 512, 768, HASH, 1, settings=LinkSettings(burst_symbols=16384))
    digital = [burst for burst in bursts if burst.header.kind == BurstKind.DIGITAL]
    assert len(digital) == expected
    used = sum(burst.header.symbols + HEADER_SYMBOLS for burst in digital)
    assert expected == 3 or used <= count / 20


def test_one_copy_of_the_manifest_suffices_and_none_is_told(rng):
    bursts = round_bursts(payload(rng, 10_000), 64, 64, HASH, 1)
    places = [i for i, burst in enumerate(bursts) if burst.header.kind == BurstKind.DIGITAL]
    assert len(places) == 3 and places[0] == 0 and places[-1] == len(bursts) - 1
    for kept in places:
        some = [burst for i, burst in enumerate(bursts) if i == kept or i not in places]
        assert arrivals(some)[0].manifest is not None
    (arrival,) = arrivals([burst for i, burst in enumerate(bursts) if i not in places])
    assert arrival.manifest is None and arrival.reception is None
    assert arrival.bursts_received == arrival.bursts_sent == 5


def test_long_side_information_takes_several_bursts(rng):
    sent = payload(rng, 3000, rng.bytes(1000))
    bursts = round_bursts(sent, 64, 64, HASH, 1)
    assert max(burst.header.count for burst in bursts if burst.header.kind == BurstKind.DIGITAL) > 5
    assert arrivals(bursts)[0].reception.side_info == sent.side_info


def noisy(burst, snr_db, rng):
    """The burst as received in white noise."""
    variance = 10 ** (-snr_db / 10)
    seen = burst.symbols + noise(burst.symbols.shape, variance, rng)
    return dataclasses.replace(received(burst, variance), symbols=seen)


def test_copies_of_side_information_of_which_none_can_be_read_are_read_together(rng):
    # 16-QAM 2/3 needs 8.9 dB for so much, and each copy has 7; two have 10.
    settings = LinkSettings(mcs=7, manifest_copies=2)
    bursts = round_bursts(payload(rng, 3000, rng.bytes(640)), 64, 64, HASH, 1, settings=settings)
    copies = [noisy(burst, 7.0, rng) for burst in bursts if burst.header.kind == BurstKind.DIGITAL]
    assert len(copies) == 2
    assert all(decode_digital(copy.symbols, copy.noise_var, 7) is None for copy in copies)
    assembler = Assembler()
    got = [arrival for burst in copies for arrival in assembler.push(burst)]
    sizes = assembler.size
    got += [arrival for burst in bursts[1:-1] for arrival in assembler.push(received(burst))] + assembler.flush()
    assert [len(arrival.reception.side_info) for arrival in got] == [640]
    assert sizes < 12 * len(copies[0].symbols)  # once read, they are kept no longer


@pytest.mark.parametrize("wrong", ["bytes", "length"])
def test_side_information_that_is_another_spoils_no_copy_that_can_be_read(rng, wrong):
    settings = LinkSettings(mcs=7, manifest_copies=2)
    sent, other = (payload(rng, 3000, rng.bytes(n)) for n in (640, 600 if wrong == "length" else 640))
    bursts, others = (round_bursts(p, 64, 64, HASH, 1, settings=settings) for p in (sent, other))
    assembler = Assembler()
    for burst in others[0], bursts[0]:
        assert not assembler.push(noisy(burst, 6.0, rng))
    got = [arrival for burst in bursts[1:] for arrival in assembler.push(received(burst))] + assembler.flush()
    assert [arrival.reception.side_info for arrival in got] == [sent.side_info]


def test_a_later_round_ends_the_one_in_progress(rng):
    first = round_bursts(payload(rng, 10_000), 64, 64, HASH, 1, 0)[:-3]
    second = round_bursts(payload(rng, 10_000), 64, 64, HASH, 1, 1)
    third = round_bursts(payload(rng, 10_000), 64, 64, HASH, 2, 0)
    got = arrivals(first + second + third)
    assert [(a.transfer, a.round, a.bursts_received) for a in got] == [(1, 0, 3), (1, 1, 5), (2, 0, 5)]


@pytest.mark.parametrize(("word", "count"), [(1, 2), (0, 1)])
def test_a_transmitter_that_starts_again_is_heard_and_what_is_played_again_is_not(rng, word, count):
    made = payload(rng, 10_000)
    bursts = [round_bursts(made, 64, 64, HASH, 0, 0, LinkSettings(session=Session(w))) for w in (0, word)]
    heard = arrivals(bursts[0] + bursts[1])
    assert len(heard) == count and all(arrival.reception is not None for arrival in heard)


def test_bursts_that_contradict_the_manifest_do_no_harm(rng):
    bursts = round_bursts(payload(rng, 10_000), 64, 64, HASH, 1)
    odd = BurstHeader(BurstKind.ANALOG, 1, 0, 3, 9000, 100)
    liar = type(bursts[0])(odd, np.ones(100, np.complex64))
    (arrival,) = arrivals(bursts[:2] + [liar] + bursts[2:])
    assert len(arrival.reception.symbols) == 10_000


def test_a_burst_of_a_scheme_that_none_of_ours_sends_does_no_harm(rng):
    bursts = round_bursts(payload(rng, 10_000), 64, 64, HASH, 1)
    forged = BurstHeader(BurstKind.DIGITAL, 1, 0, 0, 1, 100, mcs=14)
    (arrival,) = arrivals([type(bursts[0])(forged, np.ones(100, np.complex64)), *bursts])
    assert len(arrival.reception.symbols) == 10_000


def test_interleaving_is_undone_and_spreads():
    for count in (1, 2, 3, 10, 97, 98_304):
        values = np.arange(count)
        assert sorted(permutation(count)) == list(values)
        assert np.array_equal(deinterleave(interleave(values)), values)
    order = np.argsort(permutation(98_304))  # where on the air each symbol goes
    assert np.abs(np.diff(order)).min() > 2400  # neighbours never share a burst


@pytest.mark.parametrize("data", [b"", b"short", HASH + bytes(8)])
def test_bytes_that_are_no_manifest(data):
    with pytest.raises(ManifestError):
        Manifest.unpack(data)


def test_what_headers_cannot_say_is_refused(rng):
    with pytest.raises(LinkError, match="cannot be described"):
        round_bursts(payload(rng, 10), 70_000, 10, HASH, 0)
    with pytest.raises(LinkError, match="burst_symbols"):
        LinkSettings(burst_symbols=0)
    with pytest.raises(LinkError, match="manifest_copies"):
        LinkSettings(manifest_copies=0)


def test_a_burst_that_was_cut_is_missing_where_it_can_be_repeated(rng):
    sent = payload(rng, 9600)
    bursts = [b for b in round_bursts(sent, 64, 64, HASH, 1, settings=LinkSettings(manifest_copies=1))]
    cut = received(bursts[-1])
    cut.noise_var[800:], cut.symbols[800:] = np.inf, 0
    patient, hasty = Assembler(8), Assembler()
    for assembler in (patient, hasty):
        for burst in bursts[:-1]:
            assert assembler.push(received(burst)) == []
    assert len(hasty.push(cut)) == 1
    assert patient.push(cut) == []
    assert patient.progress(1, 0).received.tolist() == [True] * 3 + [False]
    (arrival,) = patient.push(received(bursts[-1]))
    assert np.isfinite(arrival.reception.noise_var).all()


@pytest.mark.parametrize("length", [0, 300, 1500])
def test_a_known_snr_saves_copies_and_symbols_and_what_is_sent_arrives_there(rng, length):
    sent, robust = payload(rng, 24_000, bytes(length)), LinkSettings(mcs=3, manifest_copies=2)
    cost = {}
    for snr_db in (None, 0.0, 5.0, 10.0, 20.0):
        settings = dataclasses.replace(robust, control_snr_db=snr_db)
        bursts = round_bursts(sent, 512, 768, HASH, 1, settings=settings)
        digital = [b for b in bursts if b.header.kind == BurstKind.DIGITAL]
        cost[snr_db] = sum(b.header.symbols for b in digital)
        if snr_db is not None:
            assert len(digital) == digital[0].header.count  # once
            noisy = [b.symbols + noise(b.symbols.shape, np.float32(10 ** (-snr_db / 10)), rng) for b in digital]
            parts = [decode_digital(s, 10 ** (-snr_db / 10), b.header.mcs) for s, b in zip(noisy, digital)]
            assert Manifest.unpack(b"".join(parts)).side_info == sent.side_info
    assert cost[20.0] < cost[10.0] < cost[5.0] < cost[0.0]
    assert cost[10.0] < 0.27 * cost[None]  # 16-QAM 2/3 once for QPSK 1/2 twice


def test_what_nobody_asked_for_is_as_the_codec_wants_it():
    class Asks:
        side_info_mcs, side_info_copies = 3, 2

    assert settings_of(Asks) == LinkSettings(mcs=3, manifest_copies=2)
    # As GNU Radio Companion's block makes them: a shorter burst does not cost NTSCC its coding.
    assert settings_of(Asks, LinkSettings(burst_symbols=500)) == LinkSettings(500, 3, 2)
    assert settings_of(Asks, LinkSettings(mcs=0, manifest_copies=5)) == LinkSettings(mcs=0, manifest_copies=5)


def test_the_order_of_rounds_of_any_size_is_not_kept():
    """Sixteen forged manifests would take gigabytes for good."""
    assert permutation(KEPT) is permutation(KEPT) and permutation(KEPT + 1) is not permutation(KEPT + 1)


@pytest.mark.parametrize(
    ("source", "noisy", "asked_again"),
    [("READ", 0.5, False), ("BETWEEN", 0.2, False), ("BETWEEN", 0.5, True), ("BEFORE", 0.0, True)],
)
def test_a_burst_whose_header_was_drowned_is_asked_for_again_unless_most_of_it_is_sound(source, noisy, asked_again):
    header = BurstHeader(BurstKind.ANALOG, transfer=7, round=0, index=0, count=1, symbols=100)
    noise_var = np.where(np.arange(100) < 100 * noisy, np.float32(30), np.float32(0.1))
    symbols = np.ones(100, np.complex64)
    burst = ReceivedBurst(header, symbols, noise_var, 0, 0.0, 10.0, -10.0, HeaderSource[source])
    repeatable, once = (IncomingRound(transfer=7, number=0, repeatable=again) for again in (True, False))
    for incoming in (repeatable, once):
        incoming.add(burst)
    assert (not repeatable.received().all() or not len(repeatable.received())) == asked_again
    assert once.received().tolist() == [True]


def test_a_rounds_last_burst_whose_header_was_drowned_is_cut_to_what_the_manifest_says():
    incoming = IncomingRound(transfer=7, number=0, repeatable=False)
    for index, source in ((0, HeaderSource.READ), (1, HeaderSource.BETWEEN)):
        header = BurstHeader(BurstKind.ANALOG, transfer=7, round=0, index=index, count=2, symbols=10)
        symbols, noise_var = np.full(10, 1 + index, np.complex64), np.full(10, 0.1, np.float32)
        incoming.add(ReceivedBurst(header, symbols, noise_var, 0, 0.0, 10.0, -10.0, source))
    incoming.manifest = Manifest(HASH, 32, 32, 19, b"", b"")
    reception = incoming.arrival(None).reception
    assert np.isfinite(reception.noise_var).all() and sorted(reception.symbols.real) == [1] * 10 + [2] * 9
