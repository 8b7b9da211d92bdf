"""The two ends over a network that delays, cuts and half-closes, with processes that are killed: simulated time."""

import struct
import zlib
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hand_clock import HandClock

from gr_jscc.link.back_channel import Connected, Disconnected, Hello, RefusedPeer, Report, SideInfo, Stop
from gr_jscc.link.back_channel.message import Message
from gr_jscc.link.back_channel.protocol import HEARTBEAT, SILENCE, Protocol
from gr_jscc.link.back_channel.wire import HEADER_SIZE, MAX_BODY, VERSION, Kind, decode, encode
from gr_jscc.modem import DEFAULT_NUMEROLOGY, Numerology

pytestmark = pytest.mark.timeout(60)
STEP = 0.01
HELLO = {role: Hello(role, "deepjscc", "photo", b"abcd") for role in ("transmitter", "receiver")}


@dataclass
class End:
    """A process at one end."""

    protocol: Protocol
    messages: list = field(default_factory=list)
    states: list = field(default_factory=list)


class World:
    """A receiver, any number of transmitters by name, and their connections, over which frames take 20 ms."""

    def __init__(self):
        self.clock = HandClock()
        self.sessions = 0
        self.standing = {}  # connection: transmitter's name
        self.half_open = set()  # connections that only the receiver believes in
        self.pace = 1000  # frames that arrive in one step
        self.stalled = False  # everything is lost, and nobody is told
        self.wires = []  # (time, to the receiver?, connection, data)
        self.frames = []  # everything that was sent to the receiver
        self.transmitters = {}
        self.dialled = 0
        self.start_receiver()

    def start_receiver(self, hello=HELLO["receiver"]):
        self.receiver = self._end(hello, self._to_transmitter)
        for connection in list(self.standing):
            name = self.standing[connection]
            self.cut(name)
            self.dial(name)

    def start_transmitter(self, name="a", hello=HELLO["transmitter"], dial=True):
        self.transmitters[name] = self._end(hello, lambda _, data: self._to_receiver(name, data))
        if dial:
            self.dial(name)
        return self.transmitters[name]

    def _end(self, hello, transmit):
        self.sessions += 1
        return End(Protocol(hello, transmit, self.clock, self.sessions))

    def connection(self, name):
        return next((c for c, n in self.standing.items() if n == name), None)

    def _to_receiver(self, name, data):
        connection = self.connection(name)
        if connection is None:
            return False
        self.frames.append(data)
        if not self.stalled:
            self.wires.append((self.clock.now + 0.02, True, connection, data))
        return True

    def _to_transmitter(self, connection, data):
        if connection in self.half_open:
            return True
        if connection not in self.standing:
            return False
        if not self.stalled:
            self.wires.append((self.clock.now + 0.02, False, connection, data))
        return True

    def cut(self, name, half_open=False, rng=None):
        """Ends a connection; of what is under way a first part still arrives."""
        connection = self.connection(name)
        if connection is None:
            return
        flying = [wire for wire in self.wires if wire[2] == connection]
        kept = flying[: int(rng.integers(len(flying) + 1)) if rng is not None else 0]
        self.wires = [wire for wire in self.wires if wire[2] != connection]
        for _, up, _, data in kept:
            (self.receiver.protocol.received(connection, data)) if up else (
                self.transmitters[name].protocol.received(b"", data)
            )
        del self.standing[connection]
        if half_open:
            self.half_open.add(connection)
        else:
            self.transmitters[name].protocol.closed(b"")

    def dial(self, name):
        self.dialled += 1
        self.standing[f"c{self.dialled}".encode()] = name
        self.transmitters[name].protocol.opened()

    def stranger(self, data, connection=b"stranger"):
        self.receiver.protocol.received(connection, data)
        self._hand_on(self.receiver)

    def run(self, seconds, each=lambda: None):
        for _ in range(round(seconds / STEP)):
            each()
            due = [wire for wire in self.wires if wire[0] <= self.clock.now][: self.pace]
            self.wires = [wire for wire in self.wires if wire not in due]
            for _, up, connection, data in due:
                if connection not in self.standing:
                    continue
                if up:
                    self.receiver.protocol.received(connection, data)
                else:
                    self.transmitters[self.standing[connection]].protocol.received(b"", data)
            for end in (self.receiver, *self.transmitters.values()):
                end.protocol.tick()
                self._hand_on(end)
            self.clock.now += STEP

    def _hand_on(self, end):
        while end.protocol.events:
            event = end.protocol.events.popleft()
            (end.messages if isinstance(event, Message) else end.states).append(event)


@pytest.fixture
def world():
    return World()


def future(data):
    """A frame as the next version sends it."""
    data = bytearray(data)
    data[4] = VERSION + 1
    crc = zlib.crc32(bytes(data[: HEADER_SIZE - 4]) + bytes(data[HEADER_SIZE:]))
    return bytes(data[: HEADER_SIZE - 4]) + struct.pack(">I", crc) + bytes(data[HEADER_SIZE:])


def lines(end):
    return [state.line for state in end.states if isinstance(state, RefusedPeer)]


def test_the_ends_find_each_other_and_stay_together(world):
    a = world.start_transmitter()
    a.protocol.send(Stop(1))
    world.receiver.protocol.send(Stop(2))
    world.run(30)
    assert world.receiver.messages == [Stop(1)] and a.messages == [Stop(2)]
    assert world.receiver.states == [Connected(HELLO["transmitter"])] and a.states == [Connected(HELLO["receiver"])]
    for end in (a, world.receiver):
        counted = end.protocol.statistics()
        assert (counted.messages_sent, counted.messages_received, end.protocol.waiting) == (1, 1, 0)
        troubles = counted.retransmissions, counted.foreign, counted.malformed, counted.refused, counted.reconnections
        assert troubles == (0, 0, 0, 0, 0)


def test_nobody_there_is_said_once(world):
    a = world.start_transmitter(dial=False)
    world.run(20)
    for end in (a, world.receiver):
        assert len(end.states) == 1 and end.states[0].seconds == pytest.approx(SILENCE, abs=0.02)
        assert not end.protocol.connected and end.protocol.peer is None


def test_silence_ends_a_connection_and_a_sign_of_life_mends_it(world):
    a = world.start_transmitter()
    world.run(2)
    world.stalled = True
    for i in range(5):
        world.receiver.protocol.send(Stop(i))
    world.run(SILENCE + HEARTBEAT + 0.1)
    for end in (a, world.receiver):
        assert isinstance(end.states[-1], Disconnected) and not end.protocol.connected
    assert world.receiver.protocol.statistics().retransmissions <= 25
    world.stalled = False
    world.run(HEARTBEAT + 0.1)
    assert a.protocol.connected and world.receiver.protocol.connected
    assert a.messages == [Stop(i) for i in range(5)]
    assert [type(state) for state in a.states] == [Connected, Disconnected, Connected]


def test_a_receiver_that_has_lost_the_connection_is_greeted_again(world):
    a = world.start_transmitter()
    world.run(2)
    world.receiver.protocol.closed(world.connection("a"))  # the transmitter's end still stands
    a.protocol.send(Stop(1))
    world.run(SILENCE + HEARTBEAT + 0.1)
    assert world.receiver.messages == [Stop(1)] and a.protocol.connected and world.receiver.protocol.connected


@pytest.mark.parametrize("half_open", [False, True])
def test_a_cut_of_thirty_seconds_loses_nothing(world, half_open):
    a = world.start_transmitter()
    world.run(1)
    count = iter(range(10**6))

    def speak():
        i = next(count)
        a.protocol.send(Stop(i))
        world.receiver.protocol.send(Stop(i))

    world.run(0.5, speak)
    world.cut("a", half_open)
    world.run(30, lambda: speak() if world.clock.now % 1 < STEP else None)
    world.dial("a")
    before = world.clock.now
    world.run(0.3, speak)
    world.run(0.2)
    assert a.protocol.waiting == world.receiver.protocol.waiting == 0 and world.clock.now - before < 0.6
    expected = [Stop(i) for i in range(next(count))]
    assert a.messages == expected and world.receiver.messages == expected
    assert a.protocol.statistics().reconnections == world.receiver.protocol.statistics().reconnections == 1


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_messages_come_in_order_once_to_a_process_and_none_is_lost(seed):
    """Random cuts, half-open connections and kills of either end; messages of one to three frames."""
    world, rng = World(), np.random.default_rng(seed)
    world.pace = 2
    world.start_transmitter()
    processes = {"rx": [world.receiver], "tx": [world.transmitters["a"]]}
    sent = {"rx": [0], "tx": [0]}
    sizes = (10, MAX_BODY + 10, 2 * MAX_BODY + 10)
    dial_at = [None]
    everything = set()

    def each():
        for side, end in (("rx", world.receiver), ("tx", world.transmitters["a"])):
            if rng.random() < 0.2:
                name = struct.pack(">BI", len(processes[side]) - 1, sent[side][-1])
                data = name.ljust(rng.choice(sizes, p=[0.9, 0.05, 0.05]), b".")
                assert end.protocol.send(SideInfo(0, 0, data))
                everything.add(data)
                sent[side][-1] += 1
        happens = rng.random()
        if happens < 0.01:
            world.cut("a", rng.random() < 0.5, rng)
            dial_at[0] = world.clock.now + rng.choice([0.0, 0.3, 5.0])
        elif happens < 0.0125:
            world.start_receiver()
            processes["rx"].append(world.receiver)
            sent["rx"].append(0)
        elif happens < 0.015:
            world.cut("a", False, rng)
            processes["tx"].append(world.start_transmitter(dial=False))
            sent["tx"].append(0)
            dial_at[0] = world.clock.now + 0.1
        if dial_at[0] is not None and world.clock.now >= dial_at[0]:
            dial_at[0] = None
            if world.connection("a") is None:
                world.dial("a")

    world.run(25, each)
    world.run(12, lambda: world.connection("a") or world.dial("a"))
    for side, other in (("rx", "tx"), ("tx", "rx")):
        assert all(m.data in everything for end in processes[other] for m in end.messages)
        got = [[struct.unpack_from(">BI", m.data) for m in end.messages] for end in processes[other]]
        for heard in got:  # each process: in order, nothing twice, nothing skipped
            for process in set(p for p, _ in heard):
                numbers = [i for p, i in heard if p == process]
                assert numbers == list(range(numbers[0], numbers[-1] + 1))
            assert [p for p, _ in heard] == sorted(p for p, _ in heard)
        last = len(processes[side]) - 1
        everyone = {i for heard in got for p, i in heard if p == last}
        assert everyone == set(range(sent[side][last])), "a message reached nobody"
    assert len(processes["rx"]) + len(processes["tx"]) > 4
    assert world.receiver.protocol.waiting == world.transmitters["a"].protocol.waiting == 0


def test_ends_that_do_not_fit_say_so_and_deliver_nothing(world):
    a = world.start_transmitter(
        hello=replace(HELLO["transmitter"], codec="ntscc", weights="x", weights_hash=b"\0\1\2\3")
    )
    a.protocol.send(Stop(1))
    world.receiver.protocol.send(Stop(2))
    world.run(10)
    line = (
        "the transmitter uses codec ntscc with weights x (00010203), "
        "the receiver uses codec deepjscc with weights photo (61626364)"
    )
    assert lines(a) == lines(world.receiver) == [line]
    assert a.messages == world.receiver.messages == []
    assert not a.protocol.connected and not world.receiver.protocol.connected
    assert world.receiver.protocol.statistics().refused > 5  # every attempt is counted, one is told
    world.start_receiver(replace(HELLO["receiver"], codec="ntscc", weights_hash=b"\0\1\2\3"))
    world.run(3)
    assert world.receiver.messages == [Stop(1)] and isinstance(a.states[-1], Connected)


@pytest.mark.parametrize(
    "change",
    [{"weights_hash": b"abce"}, {"codec": "other"}, {"role": "receiver"}, {"air": 99}],
    ids=lambda change: next(iter(change)),
)
def test_each_difference_is_refused(world, change):
    a = world.start_transmitter()
    a.protocol.hello = replace(a.protocol.hello, **change)
    a.protocol.opened()
    world.run(3)
    assert len(lines(a)) == len(lines(world.receiver)) == 1 and not a.protocol.connected


def speaking(role, layout):
    return replace(HELLO[role], numerology=layout.description, numerology_hash=layout.fingerprint)


def test_another_numerology_is_refused_in_a_line_with_both(world):
    pilots_moved = Numerology(64, 16, tuple(k for k in range(-26, 27) if k not in (-20, 0, 20)), (-20, 20))
    a = world.start_transmitter(hello=speaking("transmitter", pilots_moved))
    world.start_receiver(speaking("receiver", DEFAULT_NUMEROLOGY))
    a.protocol.send(Stop(1))
    world.run(10)
    line = (
        f"the transmitter uses numerology {pilots_moved.fingerprint.hex()} (FFT size 64, cyclic prefix 16, 50 data and "
        "2 pilot carriers), the receiver 64 (FFT size 64, cyclic prefix 16, 48 data and 4 pilot carriers)"
    )
    assert lines(a) == lines(world.receiver) == [line]
    assert world.receiver.messages == [] and not a.protocol.connected
    world.start_receiver(speaking("receiver", pilots_moved))
    world.run(3)
    assert world.receiver.messages == [Stop(1)]


@pytest.mark.parametrize(
    ("role", "line"),
    [
        ("transmitter", "the transmitter sends frames, the receiver stores pictures: frames need rx --page or --film"),
        ("receiver", "the transmitter sends pictures, the receiver shows frames: frames need rx --page or --film"),
    ],
)
def test_frames_and_pictures_do_not_go_together(world, role, line):
    hello = {one: replace(HELLO[one], is_stream=one == role) for one in HELLO}
    a = world.start_transmitter(hello=hello["transmitter"])
    world.start_receiver(hello["receiver"])
    world.run(3)
    assert lines(a) == lines(world.receiver) == [line] and not a.protocol.connected


def test_a_numerology_that_is_not_told_fits_any(world):
    a = world.start_transmitter(hello=speaking("transmitter", DEFAULT_NUMEROLOGY))
    world.run(3)
    assert a.protocol.connected and lines(a) == lines(world.receiver) == []


def test_another_version_is_refused_at_both_ends_without_end(world):
    a = world.start_transmitter()
    world.run(1)
    world.stranger(future(world.frames[0]))
    assert lines(world.receiver) == ["the transmitter speaks version 5 of the back-channel, the receiver version 4"]
    assert world.receiver.protocol.connected  # it was not the peer's connection
    a.protocol.received(b"", future(encode(Kind.REFUSED, 99, 0, b"no")))
    world.run(0)
    world.run(1)
    assert lines(a) == ["the receiver speaks version 5 of the back-channel, the transmitter version 4"]
    assert a.protocol.statistics().refused == 1


def test_a_second_transmitter_is_refused_while_the_first_lives(world):
    a = world.start_transmitter("a")
    world.run(2)
    b = world.start_transmitter("b")
    b.protocol.send(Stop(66))
    a.protocol.send(Stop(1))
    world.run(10)
    assert lines(b) == lines(world.receiver) == ["the receiver is busy with another transmitter"]
    assert world.receiver.messages == [Stop(1)] and a.protocol.connected and not b.protocol.connected
    world.cut("a")
    world.run(3)
    assert world.receiver.messages == [Stop(1), Stop(66)] and b.protocol.connected
    world.dial("a")  # its place is taken, for good
    world.run(3)
    assert lines(a) == ["another transmitter replaced this one; restart it"]
    assert b.protocol.connected and not a.protocol.connected


def test_a_transmitter_whose_connection_is_half_open_is_replaced_when_it_has_been_silent(world):
    world.start_transmitter("a")
    world.run(2)
    world.cut("a", half_open=True)
    b = world.start_transmitter("b")
    before = world.clock.now
    while not b.protocol.connected:
        world.run(0.1)
    assert SILENCE - HEARTBEAT - 0.1 < world.clock.now - before < SILENCE + HEARTBEAT + 0.2


def test_replays_of_the_dead_and_of_the_living_change_nothing(world, rng):
    world.start_transmitter("a").protocol.send(Stop(1))
    world.run(3)
    world.cut("a")
    old = list(world.frames)
    b = world.start_transmitter("b")
    b.protocol.send(Stop(2))
    b.protocol.send(Stop(3))
    world.run(3)
    recorded = list(world.frames)
    peer = world.connection("b")
    states = list(world.receiver.states)
    for data in [*old, *recorded, *(recorded[i] for i in rng.permutation(len(recorded)))]:
        world.stranger(data)
        world.stranger(data, b"another stranger")
        if data not in old:
            world.stranger(data, peer)  # even within the peer's own connection
    world.run(2)
    assert world.receiver.messages == [Stop(1), Stop(2), Stop(3)]
    assert b.protocol.connected and world.receiver.protocol.connected
    assert [s for s in world.receiver.states if not isinstance(s, RefusedPeer)] == states
    b.protocol.send(Stop(4))
    world.receiver.protocol.send(Stop(5))
    world.run(1)
    assert world.receiver.messages[-1] == Stop(4) and b.messages == [Stop(5)]

    # While the peer is away, a replay of its hello is taken for it, but no replay keeps it from coming back.
    world.cut("b")
    world.standing[b"stranger"] = "stranger"
    world.transmitters["stranger"] = End(Protocol(HELLO["transmitter"], lambda *_: True, world.clock))
    for data in recorded:
        world.stranger(data)
    world.run(1)
    world.dial("b")
    b.protocol.send(Stop(6))
    world.run(SILENCE + 2 * HEARTBEAT, lambda: [world.stranger(data) for data in recorded if rng.random() < 0.1])
    assert world.receiver.messages[-1] == Stop(6) and b.protocol.connected
    assert len(world.receiver.messages) == 5


def test_rubbish_within_the_peers_own_connection_holds_nothing_up(world, rng):
    a = world.start_transmitter()
    world.run(1)
    peer, session = world.connection("a"), a.protocol._session
    count = iter(range(10**6))

    def each():
        a.protocol.send(Report(next(count), {"x": "y" * 40}))
        original = world.frames[-1]
        for _ in range(5):
            bad = bytearray(original)
            bad[rng.integers(len(bad))] ^= 1 << rng.integers(8)
            cut = original[: rng.integers(len(original))]
            ahead = encode(Kind.STOP, session, decode(original).sequence + 2 + int(rng.integers(2**31 - 500)), b"ab")
            other = encode(Kind.HELLO, int(rng.integers(2**62)), 0, HELLO["transmitter"].pack())
            strange = encode(Kind.ACK, session, 0, b"?")
            for data in (bytes(bad), cut, original + b"x", rng.bytes(60), ahead, other, strange):
                world.stranger(data, peer)

    world.run(3, each)
    world.run(1)
    assert [m.transfer for m in world.receiver.messages] == list(range(next(count)))
    counted = world.receiver.protocol.statistics()
    assert counted.malformed >= 300 * 25 * 0.95 and counted.gaps > 0
    assert a.states == [Connected(HELLO["receiver"])]


def test_a_stranger_cannot_make_up_endless_lines(world):
    for i in range(1000):
        hello = replace(HELLO["transmitter"], codec=f"codec {i}")
        world.stranger(encode(Kind.HELLO, i, 0, hello.pack()))
    assert len(world.receiver.states) <= 16 and world.receiver.protocol.statistics().refused == 1000


def test_a_hello_tells_what_is_true_at_the_time(world):
    a = world.start_transmitter()
    world.run(1)
    a.protocol.hello = replace(a.protocol.hello, session=17)
    world.start_receiver()
    world.run(1)
    assert world.receiver.protocol.peer.session == 17


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("last", ["hello", "hello of a stranger", "another version", "heartbeat", "message"])
def test_a_connection_that_ended_before_its_last_frame_is_answered_ends_nothing_else(joined, last):
    standing = {b"first"}
    protocol = Protocol(HELLO["receiver"], lambda connection, data: connection in standing, lambda: 0.0, 1)
    hello = encode(Kind.HELLO, 2, 0, HELLO["transmitter"].pack())
    if joined:
        protocol.received(b"first", hello)
    standing.clear()
    strange = encode(Kind.HELLO, 3, 0, replace(HELLO["transmitter"], codec="ntscc").pack())
    frames = {
        "hello": hello, "hello of a stranger": strange, "heartbeat": encode(Kind.HEARTBEAT, 2, 0, struct.pack(">I", 9)),
        "another version": future(hello), "message": encode(Kind.STOP, 2, 0, Stop(1).pack()),
    }  # fmt: skip
    protocol.received(b"first", frames[last])
    protocol.tick()
    standing.add(b"second")
    protocol.received(b"second", hello)
    protocol.received(b"second", encode(Kind.STOP, 2, int(joined and last == "message"), Stop(2).pack()))
    assert protocol.connected and [e for e in protocol.events if isinstance(e, Message)][-1] == Stop(2)
