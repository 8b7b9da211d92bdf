"""``gr-jscc channel`` between other programs: what it loses are whole bursts, and it outlives its neighbours."""

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pmt
import pytest
from gnuradio import blocks, gr

from gr_jscc.blocks.impaired_stream import ImpairedStream
from gr_jscc.channel import Scenario
from gr_jscc.channel.burst_finder import BurstFinder
from gr_jscc.channel.noise import noise
from gr_jscc.errors import UserError
from gr_jscc.flowgraphs.channel import ChannelFlowgraph
from gr_jscc.host.channel import channel
from gr_jscc.modem import DEFAULT_NUMEROLOGY, BurstHeader, BurstKind, StreamDemodulator, burst_length, modulate
from gr_jscc.ports import free_addresses
from gr_jscc.radio import radio_sink, radio_source

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(90)]

IN_TREE = Path(__file__).parents[1] / "radio" / "in_tree.py"
SYMBOLS, BURSTS = 1200, 300
LENGTH = burst_length(SYMBOLS, DEFAULT_NUMEROLOGY)


class Bursts:
    """A recording of bursts with gaps between them, and silence at both ends.

    Attributes:
        path: of the file; samples: complex64[n] in it; starts: where the bursts begin; symbols: what they carry.
    """

    def __init__(self, path, count=BURSTS):
        rng = np.random.default_rng(5)
        parts, self.starts, self.symbols, place = [np.zeros(5000)], [], [], 5000
        for number in range(count):
            self.symbols.append(noise((SYMBOLS,), 1.0, rng))
            header = BurstHeader(BurstKind.ANALOG, number, 0, 0, 1, SYMBOLS)
            gap = int(rng.integers(0, 400))
            parts += [modulate(header, self.symbols[-1]), np.zeros(gap)]
            self.starts.append(place)
            place += LENGTH + gap
        self.path = path
        self.samples = np.concatenate([*parts, np.zeros(100_000)]).astype(np.complex64)
        self.samples.tofile(path)

    def check(self, arrived, snr_db):
        """Every burst came through the noise without an error, or all of it was erased: returns which were erased."""
        variance, erased = 10 ** (-snr_db / 10), []
        arrived = np.concatenate([arrived, np.zeros(len(self.samples), np.complex64)])[: len(self.samples)]
        for number, start in enumerate(self.starts):
            # Twenty samples are told apart safely: the signal's power in so few is at least a tenth of its mean.
            heard = arrived[start : start + LENGTH].reshape(-1, 20)
            sent = self.samples[start : start + LENGTH].reshape(-1, 20)
            error = np.square(np.abs(heard - sent)).mean(axis=1)
            left = np.square(np.abs(heard)).mean(axis=1)
            assert (error < 4 * variance).all() or (left < 4 * variance).all(), number
            if (left < 4 * variance).all():
                erased.append(number)
        demodulator = StreamDemodulator()
        received = demodulator.push(arrived) + demodulator.flush()
        assert [burst.header.transfer for burst in received] == [n for n in range(len(self.starts)) if n not in erased]
        for burst in received:
            error = np.square(np.abs(burst.symbols - self.symbols[burst.header.transfer])).mean()
            assert error == pytest.approx(variance, rel=0.3)
        return erased


@pytest.fixture(scope="module")
def bursts(tmp_path_factory):
    return Bursts(tmp_path_factory.mktemp("bursts") / "bursts.cf32")


@pytest.fixture
def endpoint():
    return lambda: free_addresses(1)[0]


@pytest.fixture
def start():
    """Starts ``gr-jscc channel`` or the in-tree program; what still runs is killed in the end."""
    running = []

    def run(what, *arguments):
        program = ["-m", "gr_jscc.host"] if what == "channel" else [str(IN_TREE)]
        command = [sys.executable, *program, what, *map(str, arguments)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return running[-1]

    yield run
    for program in running:
        program.kill()
        program.communicate()


def reaches(count, value, seconds=30):
    due = time.monotonic() + seconds
    while count() < value:
        assert time.monotonic() < due, f"{count()} and not {value}"
        time.sleep(0.02)


def stopped(program, by=signal.SIGTERM):
    """Exit code, standard output and standard error of a program that is told to end."""
    program.send_signal(by)
    out, err = program.communicate(timeout=20)
    return program.returncode, out, err


def test_whole_bursts_are_lost_and_the_others_arrive(start, endpoint, bursts, tmp_path):
    kind = "zmq-req"  # "zmq" is in both directions below
    first, second, path = endpoint(), endpoint(), tmp_path / "arrived"
    count = len(bursts.samples) - 20_000  # what the channel holds back at the end is not waited for
    recorder = start("record", kind, second, path, count)
    program = start(
        "channel", "--from", f"{kind}:{first}", "--to", f"{kind}:{second}", "--loss", 0.2, "--snr", 20, "--cfo", 0,
        "--seed", 3, "--json",
    )  # fmt: skip
    start("replay", kind, first, bursts.path)
    recorder.wait(60)
    code, out, err = stopped(program)
    erased = bursts.check(np.fromfile(path, np.complex64), 20)
    assert 0.1 * BURSTS < len(erased) < 0.3 * BURSTS
    assert (code, err) == (0, "")
    last = json.loads(out.splitlines()[-1])
    assert last["bursts"] == {"seen": BURSTS, "erased": len(erased)} and last["direction"] == "forward"


def test_what_is_published_goes_through_as_well(start, endpoint, bursts, tmp_path):
    """Some bursts are over before anybody listens; from then on it is the same stream."""
    first, second, path = endpoint(), endpoint(), tmp_path / "arrived"
    start("replay", "zmq-pub", first, bursts.path, 1e6)
    start("channel", "--from", f"zmq-pub:{first}", "--to", f"zmq-pub:{second}", "--loss", 0.2, "--snr", 20, "--cfo", 0)
    recorder = start("record", "zmq-pub", second, path, 2 * len(bursts.samples))
    recorder.wait(60)
    arrived = np.fromfile(path, np.complex64)
    received = StreamDemodulator().push(arrived)
    places = (burst.start - bursts.starts[burst.header.transfer] for burst in received)
    place = next(place for place in places if 0 <= place <= len(bursts.samples))
    assert 0.1 * BURSTS < len(bursts.check(arrived[place:], 20)) < 0.3 * BURSTS


def test_recordings_go_through_to_the_last_sample(bursts, tmp_path):
    path, scenario = tmp_path / "arrived", tmp_path / "air.toml"
    scenario.write_text("awgn.snr_db = 20\nloss.probability = 0.2\nseed = 8\n")
    for _ in range(2):
        channel(f"file:{bursts.path}", f"file:{path}", scenario=scenario, cfo=0.0, quiet=True)
        arrived = np.fromfile(path, np.complex64)
        assert len(arrived) == len(bursts.samples)
        erased = bursts.check(arrived, 20)
        assert 0.1 * BURSTS < len(erased) < 0.3 * BURSTS
    channel(f"file:{bursts.path}", f"file:{path}", scenario=scenario, cfo=0.0, seed=9, quiet=True)
    assert bursts.check(np.fromfile(path, np.complex64), 20) != erased


def test_bursts_in_noise_are_lost_whole_too(bursts, tmp_path, rng):
    noisy = bursts.samples + noise(bursts.samples.shape, 0.1, rng)
    noisy.tofile(tmp_path / "noisy")
    channel(f"file:{tmp_path}/noisy", f"file:{tmp_path}/out", loss=0.3, cfo=0.0, snr=60.0, quiet=True)
    arrived, erased = np.fromfile(tmp_path / "out", np.complex64), 0
    for begin, end in zip(bursts.starts, [*bursts.starts[1:], len(noisy)]):
        left, error = (np.square(np.abs(part[begin:end])).reshape(-1) for part in (arrived, arrived - noisy))
        assert left.max() < 1e-4 or error.max() < 1e-4  # lost is everything up to the next burst
        erased += left.max() < 1e-4
    assert 0.2 * BURSTS < erased < 0.4 * BURSTS


def test_each_direction_meets_noise_and_losses_of_its_own(start, endpoint, bursts, tmp_path):
    places = [endpoint() for _ in range(4)]
    paths = [tmp_path / "forward", tmp_path / "back"]
    count = len(bursts.samples) - 20_000
    recorders = [start("record", "zmq", place, path, count) for place, path in zip(places[1::2], paths)]
    options = zip(("--from", "--to", "--back-from", "--back-to"), places)
    program = start(
        "channel", *(part for name, place in options for part in (name, f"zmq:{place}")), "--loss", 0.2, "--snr", 20,
        "--cfo", 0, "--json",
    )  # fmt: skip
    for place in places[::2]:
        start("replay", "zmq", place, bursts.path)
    for recorder in recorders:
        recorder.wait(60)
    code, out, _ = stopped(program, signal.SIGINT)
    forward, back = (np.fromfile(path, np.complex64) for path in paths)
    erased = bursts.check(forward, 20), bursts.check(back, 20)
    assert erased[0] != erased[1] and not np.allclose(forward[:4000], back[:4000], atol=1e-3)
    last = [json.loads(line) for line in out.splitlines()[-2:]]
    assert code == 0 and [line["direction"] for line in last] == ["forward", "back"]
    assert [line["bursts"]["erased"] for line in last] == [len(lost) for lost in erased]


@pytest.mark.slow
def test_the_stream_goes_on_after_each_of_the_three_was_killed(start, endpoint, bursts):
    first, second = endpoint(), endpoint()
    arguments = ["channel", "--from", f"zmq:{first}", "--to", f"zmq:{second}", "--quiet"]
    program, sender = start(*arguments), start("replay", "zmq", first, bursts.path, 1e6)

    class Receiver:
        def __init__(self):
            self.graph, self.count = gr.top_block(), blocks.null_sink(gr.sizeof_gr_complex)
            self.source = radio_source(f"zmq:{second}")
            self.graph.connect(self.source, self.count)
            self.graph.start()

        def hears(self):
            reaches(lambda: self.count.nitems_read(0), self.count.nitems_read(0) + 200_000)

        def end(self):
            self.graph.stop()
            self.graph.wait()

    receiver = Receiver()
    try:
        receiver.hears()
        program.kill()
        program.wait()
        program = start(*arguments)
        receiver.hears()
        sender.kill()
        sender.wait()
        start("replay", "zmq", first, bursts.path, 1e6)
        receiver.hears()
        other = start("count", "zmq", second)
        threading.Thread(target=other.stdout.read, daemon=True).start()
        time.sleep(0.5)
        other.kill()
        other.wait()
        receiver.hears()
    finally:
        receiver.end()
    assert stopped(program) == (0, "", "")


def test_it_ends_at_once_though_nobody_is_there(start, endpoint):
    program = start("channel", "--from", f"zmq:{endpoint()}", "--to", f"zmq:{endpoint()}", "--json")
    waiting = json.loads(program.stdout.readline())
    assert (waiting["samples"], waiting["bursts"]) == (0, {"seen": 0, "erased": 0})
    began = time.monotonic()
    code, _, err = stopped(program, signal.SIGINT)
    assert (code, err) == (0, "") and time.monotonic() - began < 6


def test_a_pace_is_kept_and_idle_time_is_not_made_up_for(endpoint, bursts):
    first, second = endpoint(), endpoint()
    graph = ChannelFlowgraph(f"zmq:{first}", f"zmq:{second}", Scenario(), pace=1e6)
    receiver, count = radio_source(f"zmq:{second}"), blocks.null_sink(gr.sizeof_gr_complex)
    receiving = gr.top_block()
    receiving.connect(receiver, count)
    sink, vector = radio_sink(f"zmq:{first}"), blocks.vector_source_c(bursts.samples[:200_000])
    sending = gr.top_block()
    sending.connect(vector, sink)
    graph.start()
    receiving.start()
    try:
        for most in (0, 1):
            time.sleep(1.5 * most)  # idle
            before, began = count.nitems_read(0), time.monotonic()
            vector.rewind()
            sending.run()
            sink.finish()
            reaches(lambda: count.nitems_read(0), before + 250_000)  # noqa: B023
            assert 0.15 < time.monotonic() - began < 2
    finally:
        for each in (graph, receiving):
            each.stop()
            each.wait()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "zmq:5555"}, "must be tcp://HOST:PORT"),
        ({"sink": "air"}, "unknown radio 'air'"),
        ({"sink": "zmq:tcp://127.0.0.1:1111"}, "its own address"),
        ({"sink": "zmq-pub:tcp://127.0.0.1:1111"}, "its own address"),
        ({"back_source": "zmq:tcp://127.0.0.1:3333"}, "give both or neither"),
        ({"back_source": "zmq:x", "back_sink": "file:y"}, "must be tcp://HOST:PORT"),
        ({"source": "file:/nosuch/file"}, "cannot read /nosuch/file: No such file"),
        ({"source": "zmq:tcp://nosuch.invalid:1111"}, "no IPv4 address"),
        ({"snr": 100.0}, "--snr must be from"),
        ({"profile": "nosuch"}, "unknown channel 'nosuch'"),
        ({"scenario": Path("nosuch.toml")}, "cannot read the scenario nosuch.toml"),
    ],
)
def test_bad_input_is_told_in_one_line(tmp_path, options, message):
    addresses = {"source": "zmq:tcp://127.0.0.1:1111", "sink": f"file:{tmp_path}/out"}
    with pytest.raises(UserError) as refused:
        channel(**(addresses | options))
    assert message in str(refused.value) and "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_tags_stay_at_their_samples_while_bursts_are_looked_for(bursts):
    offsets = [0, 1, 4999, 30_000, 250_000]
    tags = []
    for offset in offsets:
        tag = gr.tag_t()
        tag.offset, tag.key, tag.value = offset, pmt.intern("place"), pmt.from_long(offset)
        tags.append(tag)
    source = blocks.vector_source_c(bursts.samples[:300_000], False, 1, tags)
    stream, sink = ImpairedStream(Scenario(), finder=BurstFinder()), blocks.vector_sink_c()
    graph = gr.top_block()
    graph.connect(source, stream, sink)
    graph.run()
    assert [(tag.offset, pmt.to_long(tag.value)) for tag in sink.tags()] == [(offset, offset) for offset in offsets]
    arrived = np.array(sink.data(), np.complex64)
    assert np.array_equal(arrived, bursts.samples[: 300_000 - BurstFinder().delay])


def test_it_does_not_wait_for_pytorch_to_be_loaded():
    probe = "import sys; import gr_jscc.blocks, gr_jscc.flowgraphs.channel; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe]).returncode == 0
