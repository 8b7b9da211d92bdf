"""The blocks in real GNU Radio flowgraphs: quality, SNR, order, back-pressure, failures, two processes."""

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pmt
import pytest
from gnuradio import blocks, channels, gr
from PIL import Image

from gr_jscc import telling
from gr_jscc.blocks import image_file_sink, image_source, jscc_encoder, ofdm_demodulator, ofdm_modulator
from gr_jscc.codecs.deepjscc import codec as deepjscc
from gr_jscc.data import demo_image
from gr_jscc.errors import UserError
from gr_jscc.flowgraphs.ideal import ideal_results
from gr_jscc.flowgraphs.loopback import Air, LoopbackFlowgraph
from gr_jscc.imaging import load_image
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.link.loading import Encoding

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(120)]


@pytest.fixture
def small_file(tmp_path, small_photo):
    path = tmp_path / "parrots.png"
    Image.fromarray(small_photo).save(path)
    return path


def run(files, snr_db=10.0, cbr=1 / 12, channel="awgn", settings=None, **air):
    return list(LoopbackFlowgraph(files, Encoding(cbr=cbr), Air(channel, snr_db, **air), settings).results())


@pytest.mark.parametrize("snr_db", [0.0, 5.0, 10.0, 15.0, 20.0])
def test_the_flowgraph_loses_little_against_the_ideal_channel(codec, snr_db):
    photo = Path(demo_image())
    (result,) = run([photo], snr_db, cfo=0.2)
    (ideal,) = ideal_results(codec, [photo], 1 / 12, "awgn", snr_db, 1)
    loss = ideal.report["psnr_db"] - result.report["psnr_db"]
    assert -0.2 < loss < (0.6 if snr_db == 0 else 0.3)
    link = result.report["link"]
    assert link["snr_est_db"] == pytest.approx(snr_db, abs=0.5)
    assert link["cfo_hz"] == pytest.approx(0.2 / 64 * 1e6, abs=50)
    assert result.report["cbr"]["payload"] <= 1 / 12 + 1e-9
    assert result.report["bursts"]["lost"] == 0


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0])
def test_in_tree_noise_is_the_snr_of_the_definition(snr_db):
    """noise_voltage² is the variance per complex sample; with a unitary FFT also that per subcarrier."""
    count = 400_000
    graph = gr.top_block()
    source = blocks.vector_source_c([1.0] * count)
    channel = channels.channel_model(noise_voltage=10 ** (-snr_db / 20), noise_seed=3)
    sink = blocks.vector_sink_c()
    graph.connect(source, channel, sink)
    graph.run()
    error = np.array(sink.data()) - 1
    assert np.mean(np.abs(error) ** 2) == pytest.approx(10 ** (-snr_db / 10), rel=0.01)


def test_multipath_arrives(small_file):
    (result,) = run([small_file], 15.0, channel="multipath", cfo=-0.3)
    assert result.report["psnr_db"] > 24
    assert result.report["link"]["snr_est_db"] == pytest.approx(15, abs=0.5)


def test_images_of_many_kinds_arrive_in_order(tmp_path, small_photo):
    Image.fromarray(small_photo).convert("L").save(tmp_path / "a-grey.png")
    Image.fromarray(small_photo).convert("P").save(tmp_path / "b-palette.png")
    Image.fromarray(small_photo).convert("RGBA").save(tmp_path / "c-alpha.png")
    Image.fromarray(small_photo[:61, :83]).save(tmp_path / "d-odd.png")
    Image.fromarray(small_photo[::8, ::8]).save(tmp_path / "e-small.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.fromarray(small_photo).save(tmp_path / "f-turned.jpg", exif=exif)
    files = sorted(tmp_path.iterdir())
    results = run(files, 20.0)
    assert [r.report["image"]["name"] for r in results] == [f.name for f in files]
    for path, result in zip(files, results, strict=True):
        assert np.array_equal(result.original, load_image(path))
        assert result.report["psnr_db"] > 20
    assert (results[-1].report["image"]["height"], results[-1].report["image"]["width"]) == (256, 192)


def test_what_cannot_be_sent_is_left_out_and_told_and_the_others_arrive(tmp_path, small_file):
    Image.new("RGB", (1, 1)).save(tmp_path / "tiny.png")
    (tmp_path / "broken.png").write_bytes(small_file.read_bytes()[:5000])
    (tmp_path / "note.png").write_text("no picture")
    last = tmp_path / "last.png"
    shutil.copy(small_file, last)
    files = [small_file, *(tmp_path / f"{name}.png" for name in ("tiny", "broken", "note")), last]
    told = []
    with telling.told_by_program(told.append):
        results = run(files)
    assert [result.report["image"]["name"] for result in results] == ["parrots.png", "last.png"]
    assert sorted(line[:29] for line in told) == sorted(
        ["skipped 1 of 5 images: broken", "skipped 2 of 5 images: broken", "skipped 1 so far, most recent"]
    )
    assert any("tiny.png: a 1x1 picture is too small" in line for line in told)


@pytest.mark.parametrize("kind", ["tiny", "broken"])
def test_where_nothing_is_left_to_send_the_run_ends_with_the_error(tmp_path, small_file, kind):
    Image.new("RGB", (1, 1)).save(tmp_path / "tiny.png")
    (tmp_path / "broken.png").write_bytes(small_file.read_bytes()[:5000])
    with pytest.raises(UserError, match=f"{kind}.png: (a 1x1 picture is too small|damaged)"):
        run([tmp_path / f"{kind}.png"])


def test_a_failure_in_the_codecs_thread_ends_the_run_with_its_error(small_file):
    graph = LoopbackFlowgraph([small_file], Encoding(), Air())
    graph.receiver.decoder.codec.network = None  # as nothing that a user can do
    with pytest.raises(AttributeError):
        list(graph.results())
    assert isinstance(graph.receiver.decoder.failure, AttributeError)


def test_a_file_that_vanishes_is_told(small_file):
    graph = LoopbackFlowgraph([small_file], Encoding(), Air())
    small_file.unlink()
    with pytest.raises(ValueError, match="no such file"):
        list(graph.results())


def test_a_slow_decoder_holds_everything_back_and_nothing_is_lost(small_file, monkeypatch):
    """The decoder's network stands still until the encoder does, too; then all goes on."""
    count = 16
    graph = LoopbackFlowgraph([small_file] * count, Encoding(), Air(snr_db=20.0))
    encoded, decoded, held = [], [], []
    start, push = deepjscc._Transmitter.start, deepjscc._Receiver.push

    def counted_start(self, image):
        encoded.append(image.shape)
        return start(self, image)

    def held_push(self, reception):
        while not held:
            before = len(encoded)
            time.sleep(2.5)
            if len(encoded) == before:
                held.append(before)
        decoded.append(len(reception.symbols))
        return push(self, reception)

    monkeypatch.setattr(deepjscc._Transmitter, "start", counted_start)
    monkeypatch.setattr(deepjscc._Receiver, "push", held_push)
    results = list(graph.results())
    assert len(encoded) == len(decoded) == count  # both were really called
    assert 2 <= held[0] < count - 3  # some are in queues and buffers, the others waited
    assert [r.transfer for r in results] == list(range(count))
    assert all(r.report["bursts"]["lost"] == 0 for r in results)


def test_an_encoder_whose_samples_nobody_takes_stops_asking_for_images(small_file):
    """Back-pressure up to the source: with a stuck stream only the queued images are read."""
    graph = gr.top_block()
    source, encoder = image_source([str(small_file)], repeat=True), jscc_encoder()
    gate = threading.Event()

    class stuck(gr.sync_block):  # noqa: N801
        def __init__(self):
            gr.sync_block.__init__(self, "stuck", [np.complex64], None)

        def work(self, input_items, output_items):
            gate.wait(60)
            return len(input_items[0])

    sink = stuck()
    graph.connect(encoder, sink)
    graph.msg_connect(source, "image", encoder, "image")
    graph.msg_connect(encoder, "ready", source, "ready")
    sent = []
    publish = source.message_port_pub
    source.message_port_pub = lambda port, message: (sent.append(1), publish(port, message))
    graph.start()
    time.sleep(3)
    count = len(sent)
    time.sleep(1)
    assert len(sent) == count <= 16
    gate.set()
    graph.stop()
    graph.wait()


def test_bursts_are_tagged_where_they_begin(small_file):
    """Modulator and demodulator between in-tree blocks."""
    graph = gr.top_block()
    source = image_source([str(small_file)])
    encoder = jscc_encoder(settings=LinkSettings(burst_symbols=500, manifest_copies=2))
    modulator, demodulator = ofdm_modulator(), ofdm_demodulator()
    symbols, samples, received = (blocks.vector_sink_c() for _ in range(3))
    noise_var = blocks.vector_sink_f()
    graph.msg_connect(source, "image", encoder, "image")
    graph.msg_connect(encoder, "ready", source, "ready")
    graph.connect(encoder, modulator, demodulator)
    graph.connect(encoder, symbols)
    graph.connect(modulator, samples)
    graph.connect((demodulator, 0), received)
    graph.connect((demodulator, 1), noise_var)
    graph.run()
    sent, got = np.array(symbols.data()), np.array(received.data())
    assert len(sent) == len(got) == len(noise_var.data()) > 4000
    assert 10 * np.log10(np.mean(np.abs(sent - got) ** 2)) < -40
    headers = {
        sink: [(t.offset, bytes(pmt.u8vector_elements(t.value))) for t in sink.tags() if str(t.key) == "burst"]
        for sink in (symbols, samples, received)
    }
    assert headers[symbols] == headers[received]
    assert [packed for _, packed in headers[samples]] == [packed for _, packed in headers[symbols]]


PROGRAM = """
import sys
import threading
import pmt
from gnuradio import blocks, gr
from gr_jscc.blocks import image_source, jscc_decoder, jscc_encoder, ofdm_demodulator, ofdm_modulator
from gr_jscc.scheduler.tags import message_image
from gr_jscc.imaging import save_image
from gr_jscc.link.session import Session

photo, samples, picture, halves = sys.argv[1:]
graph = gr.top_block()


class keep(gr.basic_block):
    def __init__(self):
        gr.basic_block.__init__(self, "keep", None, None)
        for port, handler in (("in", self.handle), ("system", self.ignore)):
            self.message_port_register_in(pmt.intern(port))
            self.set_msg_handler(pmt.intern(port), handler)
        self.ended = threading.Event()

    def ignore(self, message):
        pass

    def handle(self, message):
        image = message_image(message)
        if image is None:
            self.ended.set()
        else:
            save_image(picture, image)


if "send" in halves:
    source, encoder, modulator = image_source([photo]), jscc_encoder(session=Session()), ofdm_modulator()
    graph.msg_connect(source, "image", encoder, "image")
    graph.msg_connect(encoder, "ready", source, "ready")
    graph.connect(encoder, modulator)
if "receive" in halves:
    demodulator, decoder, sink = ofdm_demodulator(), jscc_decoder(), keep()
    graph.connect((demodulator, 0), (decoder, 0))
    graph.connect((demodulator, 1), (decoder, 1))
    graph.msg_connect(decoder, "received", sink, "in")
if halves == "send":
    graph.connect(modulator, blocks.file_sink(gr.sizeof_gr_complex, samples))
    graph.run()
    sys.exit()
if halves == "receive":
    graph.connect(blocks.file_source(gr.sizeof_gr_complex, samples), demodulator)
else:
    graph.connect(modulator, demodulator)
graph.start()
assert sink.ended.wait(30)
graph.stop()
graph.wait()
"""


def test_two_processes_that_share_only_the_samples(small_file, tmp_path):
    samples, apart, together = tmp_path / "samples.c64", tmp_path / "apart.png", tmp_path / "together.png"
    for picture, halves in ((apart, "send"), (apart, "receive"), (together, "send and receive")):
        arguments = [str(small_file), str(samples), str(picture), halves]
        done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    assert np.array_equal(load_image(apart), load_image(together))


def test_the_file_sink_writes_picture_and_report(tmp_path, small_file):
    sink = image_file_sink(str(tmp_path / "out"), "awgn", 10.0)
    graph = LoopbackFlowgraph([small_file], Encoding(), Air())
    (result,) = graph.results()
    sink.on_result(result)
    assert np.array_equal(load_image(tmp_path / "out" / "parrots" / "received.png"), result.received)
    assert (tmp_path / "out" / "parrots" / "report.json").is_file()
