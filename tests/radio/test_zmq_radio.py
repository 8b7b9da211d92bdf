"""The virtual air between processes: in-tree programs at the other end, tails, kills, absences, addresses in use."""

import os
import socket
import threading
import time

import numpy as np
import pytest
import zmq
from gnuradio import blocks, gr

from gr_jscc.radio import RadioError, radio_sink, radio_source
from gr_jscc.radio.zmq_radio import TAIL

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(60)]

KINDS = ["zmq", "zmq-pub", "zmq-req"]
COUNT = 400_000


@pytest.fixture
def ramp(tmp_path):
    """A file of samples that say their place; none is zero."""
    path = tmp_path / "ramp.cf32"
    numbers = np.arange(1, COUNT + 1, dtype=np.float32)
    (numbers - 1j * numbers).astype(np.complex64).tofile(path)
    return path


class Flow:
    """A flowgraph that runs while the context lasts."""

    def __init__(self, *parts):
        self.graph = gr.top_block()
        self.parts = parts
        self.graph.connect(*parts)

    def __enter__(self):
        self.graph.start()
        return self

    def __exit__(self, *failure):
        began = time.monotonic()
        self.graph.stop()
        self.graph.wait()
        self.seconds = time.monotonic() - began

    @property
    def samples(self):
        """Samples that the last block took."""
        return self.parts[-1].nitems_read(0)


def run(*parts):
    graph = gr.top_block()
    graph.connect(*parts)
    graph.run()


def endless(path, rate):
    """A recording again and again, at a pace."""
    throttle = blocks.throttle(gr.sizeof_gr_complex, rate)
    throttle.set_max_noutput_items(4096)
    return blocks.file_source(gr.sizeof_gr_complex, str(path), True), throttle


def reaches(count, value, seconds=20):
    due = time.monotonic() + seconds
    while count() < value:
        assert time.monotonic() < due, f"{count()} and not {value}"
        time.sleep(0.02)


def grows(count):
    reaches(count, count() + 50_000)


class Counter:
    """The last number that a program printed."""

    def __init__(self, program):
        self.value = 0
        threading.Thread(target=self._read, args=(program.stdout,), daemon=True).start()

    def _read(self, lines):
        for line in lines:
            self.value = int(line) if line.strip().isdigit() else 0

    def __call__(self):
        return self.value


def read(path):
    return np.fromfile(path, np.complex64)


def is_ramp(samples):
    """Whether samples are those of the file without a gap, from anywhere and again and again."""
    place = samples.real.astype(int)
    steps = (np.diff(place) - 1) % COUNT
    return not steps.any() and np.array_equal(samples.imag, -samples.real)


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("kind", ["zmq", "zmq-req"])
def test_an_in_tree_program_records_what_we_send(start, endpoint, ramp, tmp_path, kind, transport):
    place, path = endpoint(transport), tmp_path / "recorded"
    recorder = start("in_tree.py", "record", kind, place, path, COUNT)  # the receiver first
    sink = radio_sink(f"{kind}:{place}")
    run(radio_source(f"file:{ramp}"), sink)
    sink.finish(0.5)  # in vain if the recorder has left with what it wanted
    recorder.wait(20)
    assert path.read_bytes() == ramp.read_bytes()


@pytest.mark.parametrize("kind", ["zmq", "zmq-req"])
def test_we_receive_what_an_in_tree_program_replays(start, endpoint, ramp, kind):
    place = endpoint("tcp")
    start("in_tree.py", "replay", kind, place, ramp).stdout.readline()  # the transmitter first
    read_back = blocks.vector_sink_c()
    with Flow(radio_source(f"{kind}:{place}"), read_back) as flow:
        reaches(lambda: flow.samples, COUNT)
    assert np.array_equal(np.array(read_back.data(), np.complex64), read(ramp))


def test_published_samples_reach_an_in_tree_program_and_all_others(start, endpoint, ramp, tmp_path):
    place = endpoint("tcp")
    with Flow(*endless(ramp, 1e6), radio_sink(f"zmq-pub:{place}")) as flow:
        grows(lambda: flow.parts[1].nitems_written(0))  # though nobody listens
        paths = [tmp_path / "one", tmp_path / "two"]
        for recorder in [start("in_tree.py", "record", "zmq-pub", place, path, COUNT) for path in paths]:
            recorder.wait(20)
    for path in paths:
        samples = read(path)
        assert len(samples) == COUNT and is_ramp(samples)


def test_we_receive_what_an_in_tree_program_publishes(start, endpoint, ramp):
    place = endpoint("tcp")
    start("in_tree.py", "replay", "zmq-pub", place, ramp, 2e6).stdout.readline()
    read_back = blocks.vector_sink_c()
    run(radio_source(f"zmq-pub:{place}"), blocks.head(gr.sizeof_gr_complex, COUNT), read_back)
    assert is_ramp(np.array(read_back.data(), np.complex64))


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_the_tail_arrives_when_the_sender_leaves_and_the_receiver_is_slow(start, endpoint, tmp_path, transport):
    place, path = endpoint(transport), tmp_path / "long"
    sent = np.arange(1, 1_000_001).astype(np.complex64)  # more than the kernel takes from a sender
    sent.tofile(path)
    with zmq.Context() as context, context.socket(zmq.PULL) as pull:
        pull.set(zmq.RCVHWM, 4)
        pull.connect(place)
        sender = start("send_and_leave.py", f"zmq:{place}", path)
        parts = []
        while pull.poll(20_000 if not parts else 700):
            parts.append(np.frombuffer(pull.recv(), np.complex64))
            time.sleep(0.005)
    assert sender.stdout.read() == "True\n"
    arrived = np.concatenate(parts)
    assert np.array_equal(arrived[: len(sent)], sent)
    assert len(arrived) <= len(sent) + TAIL and not arrived[len(sent) :].any()


def test_finishing_gives_up_where_nobody_listens(endpoint, ramp):
    with Flow(radio_source(f"file:{ramp}"), radio_sink(f"zmq:{endpoint('tcp')}")) as flow:
        time.sleep(0.3)
    began = time.monotonic()
    assert not flow.parts[-1].finish(0.5)
    assert 0.5 <= time.monotonic() - began < 1.5


@pytest.mark.parametrize("kind", KINDS)
def test_stopping_does_not_wait_for_an_absent_other_end(endpoint, ramp, kind):
    with Flow(*endless(ramp, 1e6), radio_sink(f"{kind}:{endpoint('tcp')}")) as sending:
        time.sleep(0.3)
    with Flow(radio_source(f"{kind}:{endpoint('tcp')}"), blocks.null_sink(gr.sizeof_gr_complex)) as receiving:
        time.sleep(0.3)
    assert sending.seconds < 1 and receiving.seconds < 1 and receiving.samples == 0


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_the_flow_goes_on_after_the_receiver_was_killed(start, endpoint, ramp, transport):
    place = endpoint(transport)
    with Flow(*endless(ramp, 1e6), radio_sink(f"zmq:{place}")) as flow:
        for _ in range(2):
            receiver = start("in_tree.py", "count", "zmq", place)
            grows(Counter(receiver))
            receiver.kill()
            receiver.wait()
            time.sleep(0.2)
        written = flow.parts[1].nitems_written(0)
        time.sleep(0.3)
        assert flow.parts[1].nitems_written(0) - written < 50_000  # and waits while there is none


@pytest.mark.parametrize(("kind", "transport"), [("zmq", "tcp"), ("zmq", "ipc"), ("zmq-pub", "tcp")])
def test_the_flow_goes_on_after_the_sender_was_killed(start, endpoint, ramp, kind, transport):
    place = endpoint(transport)
    with Flow(radio_source(f"{kind}:{place}"), blocks.null_sink(gr.sizeof_gr_complex)) as flow:  # the receiver first
        for _ in range(2):
            sender = start("in_tree.py", "replay", kind, place, ramp, 1e6)
            grows(lambda: flow.samples)
            sender.kill()
            sender.wait()


def test_a_killed_receiver_that_asks_is_replaced_by_the_next(start, endpoint, ramp):
    place = endpoint("tcp")
    with Flow(*endless(ramp, 1e6), radio_sink(f"zmq-req:{place}")):
        for _ in range(2):
            receiver = start("in_tree.py", "count", "zmq-req", place)
            grows(Counter(receiver))
            receiver.kill()
            receiver.wait()


def test_little_is_queued_for_a_receiver_that_does_not_read(endpoint, ramp):
    place = endpoint("ipc")
    with zmq.Context() as context, context.socket(zmq.PULL) as pull:
        pull.set(zmq.RCVHWM, 4)
        pull.connect(place)
        with Flow(*endless(ramp, 1e8), radio_sink(f"zmq:{place}")) as flow:
            time.sleep(1)
            taken = flow.parts[1].nitems_written(0)
    assert 32_768 <= taken < 250_000


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_an_address_in_use_is_told_in_one_line(endpoint, kind, transport):
    place = endpoint(transport)
    first = radio_sink(f"{kind}:{place}")
    with pytest.raises(RadioError) as refused:
        radio_sink(f"{kind}:{place}")
    assert str(refused.value) == f"cannot listen at {place}: address already in use"
    assert first.failure is None
    if transport == "ipc":  # where ZMQ would have taken it away
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(place.removeprefix("ipc://"))


def test_an_address_is_free_again_when_the_flowgraph_is_gone(endpoint, ramp):
    for transport in ("tcp", "ipc"):
        place = endpoint(transport)
        for _ in range(2):
            with Flow(*endless(ramp, 1e6), radio_sink(f"zmq:{place}")) as flow:
                pass
            del flow


def test_a_file_where_the_socket_should_be_is_left_alone(tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(RadioError, match="a file of that name exists"):
        radio_sink(f"zmq:ipc://{path}")
    assert path.read_text() == "data"
    os.unlink(path)
    listening = radio_sink(f"zmq:ipc://{path}")
    assert path.is_socket() and listening.failure is None


@pytest.mark.parametrize(
    ("radio", "place", "message"),
    [
        (radio_sink, "tcp://192.0.2.1:5555", "cannot assign requested address"),
        (radio_sink, "tcp://nosuch.invalid:5555", "no IPv4 address found for 'nosuch.invalid'"),
        (radio_source, "tcp://nosuch.invalid:5555", "no IPv4 address found for 'nosuch.invalid'"),
        (radio_source, "tcp://*:5555", "needs the transmitter's host instead of *"),
        (radio_sink, "ipc:///nosuch/air", "no such file or directory"),
        (radio_sink, "ipc:///" + "x" * 120, "file name too long"),
    ],
)
def test_an_address_that_does_not_work_is_told_in_one_line(radio, place, message):
    with pytest.raises(RadioError) as refused:
        radio(f"zmq:{place}")
    assert message in str(refused.value) and place in str(refused.value) and "\n" not in str(refused.value)


def test_names_of_hosts_work_at_both_ends(endpoint, ramp):
    place = endpoint("tcp").replace("127.0.0.1", "localhost")
    with Flow(radio_source(f"zmq:{place}"), blocks.null_sink(gr.sizeof_gr_complex)) as receiving:
        with Flow(*endless(ramp, 1e6), radio_sink(f"zmq:{place}")):
            grows(lambda: receiving.samples)


class Spurts(gr.sync_block):
    """A frame's samples at a time, and nothing for a while; notes when each begins."""

    def __init__(self):
        gr.sync_block.__init__(self, name="Spurts", in_sig=None, out_sig=[np.complex64])
        self.began, self._left, self._due = [], 0, time.monotonic() + 0.3

    def work(self, input_items, output_items):
        if not self._left:
            time.sleep(max(0.0, self._due - time.monotonic()))
            self._due += PAUSE
            self._left = SPURT
            self.began.append(time.monotonic())
        count = min(len(output_items[0]), self._left)
        self._left -= count
        output_items[0][:count] = 1
        return count


class Arrivals(gr.sync_block):
    """Notes when each spurt was whole."""

    def __init__(self):
        gr.sync_block.__init__(self, name="Arrivals", in_sig=[np.complex64], out_sig=None)
        self.whole, self._count = [], 0

    def work(self, input_items, output_items):
        self._count += len(input_items[0])
        while self._count >= SPURT * (len(self.whole) + 1):
            self.whole.append(time.monotonic())
        return len(input_items[0])


PAUSE, SPURT, SPURTS = 0.15, 78_720, 13


def test_what_follows_a_pause_comes_at_once(endpoint):
    place = endpoint("tcp")
    spurts, arrivals = Spurts(), Arrivals()
    with Flow(radio_source(f"zmq:{place}"), arrivals), Flow(spurts, radio_sink(f"zmq:{place}")):
        reaches(lambda: len(arrivals.whole), SPURTS)
    delays = np.subtract(arrivals.whole[1:SPURTS], spurts.began[1:SPURTS])
    # GNU Radio itself lets a source that had nothing sleep for up to 0.25 s: 0.09 on the average, not 0.01.
    assert np.mean(np.sort(delays)[:-2]) < 0.05, delays
