"""A receiver's run is done again from its recording: the same rounds, the same symbols, the same reports."""

import json
import sqlite3

import numpy as np
import pytest
import sigmf
from hand_clock import HandClock

from gr_jscc.codecs.base import Codec, Payload, Receiver
from gr_jscc.link.back_channel import RoundSent, SideInfo
from gr_jscc.link.bursts import LinkSettings, manifest_of, round_bursts
from gr_jscc.link.reception import ReceivingEnd
from gr_jscc.link.session import Session
from gr_jscc.modem import DEFAULT_NUMEROLOGY, VERSION, BurstKind, StreamDemodulator, header, modulate, numerology
from gr_jscc.radio.sigmf_file import EXTENSION, SigmfFile, read_recording
from gr_jscc.recordings.annotations import Annotations, RecordError, picture_digest
from gr_jscc.recordings.replay import Replay, ReplayError
from gr_jscc.reports.inbox import Inbox
from gr_jscc.reports.report import Received

pytestmark = pytest.mark.timeout(120)
STEP = 8192
RATE = 1e6
SETTINGS = LinkSettings(burst_symbols=600)
DONE = {
    "event": "done", "payload": 2400, "side_info": 300, "header": 2000, "air": 20_000, "rounds": 2, "bursts": 8,
    "repeated": 0, "papr_db": 9.0, "side_info_bytes": 0, "feedback_rounds": 0, "feedback_bytes": 0,
    "feedback_missed": 0, "encode_seconds": 0.1,
}  # fmt: skip


class EchoCodec(Codec):
    """Its pictures show the symbols of the latest round, to the last bit."""

    name, weights_name, weights_hash = "echo", "echo-1", b"echo"
    uses_feedback = True
    cbr_range = (0.01, 0.9)

    def transmitter(self, cbr):
        raise NotImplementedError

    def receiver(self, height, width):
        return _EchoReceiver()


class _EchoReceiver(Receiver):
    def push(self, reception):
        symbols = np.where(np.isinf(reception.noise_var), 9, reception.symbols).astype(np.complex64)
        return symbols.view(np.uint8)[:9600].reshape(40, 80, 3).copy()


def payload(transfer, round_):
    rng = np.random.default_rng([transfer, round_])
    symbols = np.exp(2j * np.pi * rng.random(1200)).astype(np.complex64)
    return Payload(symbols, bytes([round_]))


class Live:
    """A receiver that records, on samples that are made here.

    Args:
        path: of the recording.
        back_channel: whether there is one.
    """

    def __init__(self, path, back_channel=True):
        self.clock = HandClock()
        fields = {
            "core:extensions": [EXTENSION], "jscc:codec": "echo", "jscc:weights": "echo-1", "jscc:radio": "the air",
            "jscc:weights_hash": EchoCodec.weights_hash.hex(), "jscc:fft_size": 64, "jscc:cp_len": 16,
            "jscc:air_version": VERSION, "jscc:step_samples": STEP,
            "jscc:back_channel": back_channel, "jscc:feedback_format": "float16",
        }  # fmt: skip
        self.path = path
        self.file = SigmfFile(path, "test", RATE, 433e6, fields=fields)
        self.annotations = Annotations(path.with_name("scratch"), DEFAULT_NUMEROLOGY, RATE, 433e6)
        self.demodulator = StreamDemodulator(step=STEP)
        send = (lambda message: None) if back_channel else None
        self.end = ReceivingEnd(EchoCodec(), send, "float16", clock=self.clock)
        self.end.journal = self.annotations
        self.inbox = Inbox("the air", RATE, clock=self.clock)
        if back_channel:
            self.inbox.connection(True)
        self.noise = np.random.default_rng(5)
        self.results = []
        self.busy = False  # whether decoding lags behind
        self.waiting = []

    def air(self, transfer, round_, lost=(), manifest=True, gap=400):
        """A round goes over the air, but for the bursts of these numbers."""
        bursts = round_bursts(payload(transfer, round_), 40, 80, EchoCodec.weights_hash, transfer, round_, SETTINGS)
        parts = []
        for burst in bursts:
            analog = burst.header.kind == BurstKind.ANALOG
            samples = modulate(burst.header, burst.symbols)
            if burst.header.index in lost if analog else not manifest:
                samples = np.zeros_like(samples)
            parts += [samples, np.zeros(gap)]
        self.samples(np.concatenate(parts))

    def samples(self, samples):
        noise = self.noise.standard_normal((len(samples), 2)).view(np.complex128)[:, 0] * 0.1
        samples = (samples + noise).astype(np.complex64)
        self.file.write(samples)
        for part in np.array_split(samples, 3):  # as the scheduler likes
            for burst in self.demodulator.push(part):
                self.take(self.end.burst(burst))
            self.end.samples(self.demodulator.counters.samples, self.demodulator.settled, False)

    def silence(self):
        """Enough for the demodulator to hand out what it holds."""
        self.samples(np.zeros(3 * STEP))

    def message(self, message):
        self.take(self.end.message(message))

    def wait(self, seconds):
        for _ in range(round(seconds / 0.1)):
            self.clock.now += 0.1
            self.take(self.end.tick())
            self.keep((self.inbox.quiet() if self.end.quiet else []) + self.inbox.tick())

    def take(self, arrivals):
        for arrival in arrivals:
            self.keep(self.inbox.taken(arrival.transfer, arrival.round))
        self.waiting += arrivals
        while self.waiting and not self.busy:
            arrival = self.waiting.pop(0)
            received = Received(
                self.end.pictures.decode(arrival), arrival, 0.1, self.clock.now, arrival.side_info_bytes
            )
            self.keep(self.inbox.received(arrival.transfer, arrival.round, received))

    def told(self, transfer, content):
        self.annotations.told(transfer, content)
        self.keep(self.inbox.told(transfer, content))

    def keep(self, results):
        for result in results:
            self.annotations.result(result)
            self.results.append(result)

    def restart(self):
        self.end.connection(True, restarted=True)
        self.inbox.connection(True, restarted=True)

    def finish(self):
        self.file.fields["jscc:samples"] = self.file.samples
        self.annotations.conclude()
        self.file.finish(self.annotations)
        self.annotations.close()
        return read_recording(self.path)

    def check(self):
        """Whatever was decided live comes out again."""
        recording = self.finish()
        sigmf.fromfile(str(recording.meta)).validate()
        again = [picture for picture in Replay(recording, EchoCodec()).run() if picture.result.final]
        live = [result for result in self.results if result.final]
        assert [p.result.report | {"seconds": 0} for p in again] == [r.report | {"seconds": 0} for r in live]
        for picture, result in zip(again, live, strict=True):
            assert np.array_equal(picture.result.received, result.received)
            assert picture.same and picture.live == result.report
        return again


@pytest.fixture
def live(tmp_path):
    return Live(tmp_path / "air")


def sent(name):
    return {
        "event": "sent",
        "name": name,
        "codec": "echo",
        "weights": "echo-1",
        "cbr": 0.1,
        "key": name,
        "layered": True,
    }


def test_complete_rounds(live):
    for transfer in range(2):
        live.told(transfer, sent(f"p{transfer}.png"))
        live.air(transfer, 0)
        live.air(transfer, 1)
        live.silence()
        live.told(transfer, sent(f"p{transfer}.png") | DONE)
    names = [picture.result.report["image"]["name"] for picture in live.check()]
    assert names == ["p0.png", "p1.png"]


def test_rounds_that_the_clock_ended_with_what_had_come(live):
    live.told(3, sent("p.png"))
    live.air(3, 0, lost={0})
    live.message(RoundSent(3, 0, 0, True))
    live.silence()
    live.wait(2.5)  # quiet: over, and nothing will be repeated
    live.air(3, 0)  # what comes now is late
    live.air(3, 1, lost={1})
    live.silence()
    live.message(RoundSent(3, 1, 0, True))
    live.wait(2.5)
    live.told(3, sent("p.png") | DONE)
    (again,) = live.check()
    assert again.result.report["bursts"]["lost"] == 6


def test_manifests_over_the_back_channel_and_repeats(live):
    live.told(4, sent("p.png"))
    for round_ in range(2):
        live.air(4, round_, lost={round_}, manifest=False)
        live.silence()
        manifest = manifest_of(payload(4, round_), 40, 80, EchoCodec.weights_hash, Session())
        live.message(SideInfo(4, round_, manifest.pack()))
        live.message(RoundSent(4, round_, 0, False))
        live.wait(2.5)
        live.air(4, round_, manifest=False)
        live.silence()
    live.told(4, sent("p.png") | DONE)
    (again,) = live.check()
    assert again.result.report["bursts"]["received"] == 4


def test_a_round_of_which_nothing_came(live):
    live.told(5, sent("p.png"))
    live.air(5, 0)
    live.silence()
    live.message(RoundSent(5, 1, 0, True))
    live.wait(5)
    live.told(5, sent("p.png") | DONE)
    live.check()


def test_a_transmitter_that_was_started_again(live):
    live.told(6, sent("p.png"))
    live.air(6, 0, lost={0})
    live.silence()
    live.restart()
    for transfer in (7, 6):  # of a number that was dropped before, round 0 is taken for a late copy
        live.told(transfer, sent(f"p{transfer}.png"))
        live.air(transfer, 0)
        live.air(transfer, 1)
        live.silence()
        live.told(transfer, sent(f"p{transfer}.png") | DONE)
        live.wait(11)
    assert [picture.result.report["bursts"]["received"] for picture in live.check()] == [4, 2]


def test_without_a_back_channel_and_a_round_that_came_too_late(tmp_path):
    live = Live(tmp_path / "air", back_channel=False)
    live.air(0, 0, lost={1})
    live.silence()
    live.wait(3)
    live.wait(70)  # the picture is given as it is
    live.air(0, 1)
    live.silence()
    live.wait(3)
    live.wait(70)
    assert len(live.check()) == 2


def test_a_round_whose_decoding_takes_long(tmp_path):
    live = Live(tmp_path / "air", back_channel=False)
    live.air(0, 0)
    live.silence()
    live.busy = True
    live.air(0, 1)
    live.silence()
    live.wait(3)
    live.wait(70)  # the picture is waited for
    live.busy = False
    live.air(1, 0)
    live.silence()
    live.wait(70)
    again = live.check()
    assert [(picture.result.transfer, picture.result.rounds) for picture in again] == [(0, (0, 1)), (1, (0,))]


def test_a_burst_that_is_found_no_more_moves_no_decision(live):
    """As it may be with another version of the modem."""
    live.told(3, sent("p.png"))
    live.air(3, 0, lost={0})
    live.message(RoundSent(3, 0, 0, True))
    live.silence()
    live.wait(2.5)
    live.air(3, 0, manifest=False)  # late
    live.silence()
    live.told(3, sent("p.png") | DONE | {"rounds": 1, "bursts": 2})
    recording = live.finish()
    samples = np.memmap(recording.data, np.complex64, "r+")
    (end,) = [mark["jscc:after"] for mark in recording.annotations() if mark["jscc:mark"] == "round"]
    samples[end : end + 1500] = 0
    samples.flush()
    (again,) = [p for p in Replay(recording, EchoCodec()).run() if p.result.final]
    assert again.same and again.result.report["bursts"]["lost"] == 1


def test_what_an_interrupted_receiver_could_not_conclude_comes_out_too(live):
    live.told(8, sent("p.png"))
    live.air(8, 0)
    live.silence()
    assert [result for result in live.results if result.final] == []
    (again,) = [p for p in Replay(live.finish(), EchoCodec()).run() if p.result.final]
    assert again.live is None and again.same is None
    assert again.result.report["image"]["name"] == "p.png"


def test_a_recording_of_another_program_is_received_as_it_stands(live, tmp_path):
    live.air(0, 0, lost={0})
    live.air(1, 0)
    live.finish()
    meta = tmp_path / "air.sigmf-meta"
    content = json.loads(meta.read_text())
    fields = {"core:datatype": "ci16_le", "core:version": "1.0.0"}
    meta.write_text(json.dumps(content | {"global": fields, "annotations": []}))
    samples = np.fromfile(tmp_path / "air.sigmf-data", np.float32)
    (samples * 5000).round().astype("<i2").tofile(tmp_path / "air.sigmf-data")
    first, second = (p.result for p in Replay(read_recording(tmp_path / "air"), EchoCodec()).run() if p.result.final)
    assert (first.report["bursts"]["lost"], second.report["bursts"]["lost"]) == (1, 0)
    exact = payload(1, 0).symbols
    shown = np.zeros(1200, np.complex64)
    shown.view(np.uint8)[:] = second.received.reshape(-1)
    assert np.mean(abs(shown - exact) ** 2) < 0.1  # 10 dB would be 0.1; here 17 dB and an equaliser


def test_annotations_say_where_and_what(live):
    live.told(9, sent("a-name-that-is-far-too-long-for-labels.png"))
    live.air(9, 0, lost={1})
    live.silence()
    live.message(RoundSent(9, 0, 0, True))
    live.wait(2.5)
    live.told(9, sent("a-name-that-is-far-too-long-for-labels.png") | DONE | {"rounds": 1, "bursts": 2})
    marks = list(live.finish().annotations())
    starts = [mark["core:sample_start"] for mark in marks]
    assert starts == sorted(starts)
    bursts = [mark for mark in marks if mark["jscc:mark"] == "burst"]
    assert {mark["core:label"] for mark in bursts} == {"9.0 side 1/1", "9.0 1/2"}
    for mark in bursts:
        low, high = mark["core:freq_lower_edge"], mark["core:freq_upper_edge"]
        assert low == pytest.approx(433e6 - 26.5 / 64 * RATE, abs=200)
        assert high == pytest.approx(433e6 + 26.5 / 64 * RATE, abs=200)
        assert mark["jscc:snr_db"] == pytest.approx(17, abs=1.5)
        assert f"{mark['jscc:snr_db']:.1f} dB" in mark["core:comment"]
    first = bursts[0]
    assert abs(first["core:sample_start"]) <= 2
    (picture,) = [mark for mark in marks if mark["jscc:mark"] == "picture"]
    assert len(picture["core:label"]) == 20 and "1 of 2 bursts" in picture["core:comment"]
    last = max(mark["core:sample_start"] + mark["core:sample_count"] for mark in bursts)
    assert picture["core:sample_start"] + picture["core:sample_count"] == last
    assert picture["jscc:picture_sha256"] == picture_digest(live.results[-1].received)


class OtherCodec(EchoCodec):
    weights_name, weights_hash = "echo-2", b"ohce"


@pytest.mark.parametrize(
    ("change", "codec", "message"),
    [
        ({}, OtherCodec, "weights echo-1 .* not echo with echo-2"),
        ({"jscc:samples": 10**9}, EchoCodec, "truncated"),
        ({"jscc:air_version": 3}, EchoCodec, "of version 3 of the air interface"),
        ({"core:extensions": [EXTENSION | {"version": "2.0.0"}]}, EchoCodec, "version 2.0.0"),
        ({"jscc:fft_size": 65}, EchoCodec, "power of two"),
        ({"jscc:pilot_carriers": [-7, "7"]}, EchoCodec, "numerology: pilot_carriers.1: "),
    ],
)
def test_what_cannot_be_replayed_is_told_in_one_line(live, change, codec, message):
    live.air(0, 0)
    live.file.fields |= change
    live.file.finish(live.annotations)
    with pytest.raises(ReplayError, match=message) as refused:
        list(Replay(read_recording(live.path), codec()).run())
    assert "\n" not in str(refused.value)


def test_a_recording_of_samples_alone_is_replayed_with_the_numerology_that_is_named(tmp_path):
    layout = numerology(128, 12, 100)
    bursts = round_bursts(payload(0, 0), 40, 80, EchoCodec.weights_hash, 0, 0, SETTINGS)
    file = SigmfFile(tmp_path / "bare", "Samples alone", RATE)
    file.write(np.concatenate([modulate(burst.header, burst.symbols, layout) for burst in bursts]))
    file.finish()
    recording = read_recording(tmp_path / "bare")
    *_, replayed = Replay(recording, EchoCodec(), layout=layout).run()
    assert replayed.result.received.shape == (40, 80, 3)
    assert list(Replay(recording, EchoCodec()).run()) == []


def test_bursts_of_another_version_are_told_in_one_line(tmp_path, monkeypatch):
    bursts = round_bursts(payload(0, 0), 40, 80, EchoCodec.weights_hash, 0, 0, SETTINGS)
    file = SigmfFile(tmp_path / "bare", "Samples alone", RATE)
    monkeypatch.setattr(header, "_VERSION_FIELD", (VERSION + 1) % 4)
    file.write(np.concatenate([modulate(burst.header, burst.symbols) for burst in bursts]))
    monkeypatch.undo()
    file.finish()
    with pytest.raises(ReplayError, match=f"its {len(bursts)} bursts are of another version of the air interface"):
        list(Replay(read_recording(tmp_path / "bare"), EchoCodec()).run())


def test_marks_that_somebody_has_changed_are_told_in_one_line(live):
    live.air(0, 0)
    live.silence()
    recording = live.finish()
    content = json.loads(recording.meta.read_text())
    for mark in content["annotations"]:
        mark.pop("jscc:after", None)
    recording.meta.write_text(json.dumps(content))
    with pytest.raises(ReplayError, match="jscc:after"):
        Replay(recording, EchoCodec())


def test_a_full_disk_is_told_and_ends_nothing_else(live, monkeypatch):
    class Full:
        def execute(self, *_):
            raise sqlite3.OperationalError("database or disk is full")

    base, live.annotations._base = live.annotations._base, Full()
    live.air(0, 0)
    live.silence()
    live.annotations._base = base
    assert isinstance(live.annotations.failure, RecordError) and "disk is full" in str(live.annotations.failure)
