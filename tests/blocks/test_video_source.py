"""The video source: the newest frame goes first, and no more than the air has room for."""

import threading
import time

import numpy as np
import pmt
import pytest

pytest.importorskip("gnuradio")

from gnuradio import gr  # noqa: E402

from gr_jscc.blocks.video_source import AHEAD, video_source  # noqa: E402
from gr_jscc.scheduler.events import event_message  # noqa: E402
from gr_jscc.scheduler.keeping import kept_while_running  # noqa: E402
from gr_jscc.scheduler.tags import message_fields, message_image  # noqa: E402
from gr_jscc.video.frames import FrameForm, VideoError  # noqa: E402
from gr_jscc.video.pattern import read_number  # noqa: E402
from gr_jscc.video.sources import Source  # noqa: E402

pytestmark = pytest.mark.gnuradio
USES = {"payload": 1, "side_info": 1, "header": 1, "air": 1}


@kept_while_running
class Encoder(gr.basic_block):
    """Keeps what it is given."""

    def __init__(self):
        gr.basic_block.__init__(self, name="encoder", in_sig=None, out_sig=None)
        self.messages, self.news = [], threading.Condition()
        self.message_port_register_in(pmt.intern("image"))
        self.message_port_register_out(pmt.intern("events"))
        self.set_msg_handler(pmt.intern("image"), self.handle)

    def handle(self, message):
        with self.news:
            self.messages.append(message)
            self.news.notify_all()

    def wait_for(self, count):
        with self.news:
            assert self.news.wait_for(lambda: len(self.messages) >= count, 20), self.messages

    def leaves_out(self):
        self.message_port_pub(pmt.intern("events"), event_message("left_out", name="frame-000000", reason="too small"))

    def has_sent(self):
        fields = {"transfer": 0, "round": 0, "bursts": 1, "start": 0, "papr_db": 9.0}
        self.message_port_pub(pmt.intern("events"), event_message("air", **fields, **USES))


@pytest.fixture
def run():
    graphs = []

    def started(source, seconds=float("inf"), encoders=1):
        block = video_source(source, FrameForm(50, 160, 120), seconds, encoders)
        encoder, graph = Encoder(), gr.top_block()
        graph.msg_connect(block, "image", encoder, "image")
        graph.msg_connect(encoder, "events", block, "events")
        graph.start()
        graphs.append(graph)
        return block, encoder

    yield started
    for graph in graphs:
        graph.stop()
        graph.wait()


def test_no_more_than_the_air_has_room_for_and_then_the_newest(run):
    block, encoder = run(Source("pattern"))
    encoder.wait_for(AHEAD)
    time.sleep(0.3)
    assert len(encoder.messages) == AHEAD == block.sent
    encoder.has_sent()
    encoder.wait_for(AHEAD + 1)
    first, second, third = (read_number(message_image(message)) for message in encoder.messages[:3])
    assert second > first and third - second >= 100  # milliseconds: those between were dropped
    assert block.dropped >= 2


def test_the_next_frame_waits_for_all_encoders(run):
    block, encoder = run(Source("pattern"), encoders=2)
    encoder.wait_for(AHEAD)
    encoder.has_sent()  # one of two
    time.sleep(0.2)
    assert len(encoder.messages) == AHEAD
    encoder.has_sent()
    encoder.wait_for(AHEAD + 1)


def test_a_frame_that_cannot_be_sent_holds_back_no_other(run):
    _, encoder = run(Source("pattern"))
    for left in range(4):
        encoder.wait_for(AHEAD + left)
        encoder.leaves_out()
    encoder.wait_for(AHEAD + 4)


def test_the_end_follows_when_all_has_left(run):
    block, encoder = run(Source("pattern"), seconds=0.05)
    encoder.wait_for(1)
    time.sleep(0.3)
    assert not any("end" in message_fields(message) for message in encoder.messages)
    left = 0
    while "end" not in message_fields(encoder.messages[-1]):
        encoder.has_sent()
        left += 1
        encoder.wait_for(left + 1)  # another frame, or that there is none
    assert left == block.sent == len(encoder.messages) - 1
    assert message_fields(encoder.messages[0])["name"] == "frame-000000"
    assert message_image(encoder.messages[0]).dtype == np.uint8


def test_a_source_that_fails_fails_the_block(run):
    block, _ = run(Source("video", "nowhere.mp4"))
    end = time.monotonic() + 20
    while block.failure is None and time.monotonic() < end:
        time.sleep(0.01)
    assert isinstance(block.failure, VideoError)
