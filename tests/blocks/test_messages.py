"""The blocks' messages are GNU Radio's PDUs."""

import time

import numpy as np
import pmt
import pytest
from gnuradio import blocks, gr, pdu

from gr_jscc.blocks import image_source, jscc_encoder
from gr_jscc.link.back_channel import Report
from gr_jscc.resident import resident_mb
from gr_jscc.scheduler.control import Connection, Opening, control_message, read_control
from gr_jscc.scheduler.events import KINDS, event_message, read_event
from gr_jscc.scheduler.tags import image_message, message_fields, message_image, notice

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(60)]


def test_a_picture_crosses(rng):
    picture = rng.integers(0, 256, (5, 7, 3), np.uint8)
    message = image_message(picture, name="x")
    assert pmt.is_u8vector(pmt.cdr(message)) and pmt.length(pmt.cdr(message)) == picture.size
    assert message_fields(message) == {"height": 5, "width": 7, "name": "x"}
    assert np.array_equal(message_image(message), picture)


@pytest.mark.parametrize("name", ["", "x", "Gürtel 漢字 \U0001f600.png", "a" * 70_000])
def test_texts_cross(name):
    message = image_message(np.zeros((1, 1, 3), np.uint8), name=name, event="sent", cbr=0.5)
    assert message_fields(message) == {"height": 1, "width": 1, "name": name, "event": "sent", "cbr": 0.5}
    symbols = pmt.cons(pmt.to_pmt({"name": name, "height": 1}), pmt.make_u8vector(0, 0))  # as other blocks make them
    assert message_fields(symbols) == {"name": name, "height": 1}
    peer = Connection(True, run=name.encode()[:8].ljust(8, b"\0"), air_key=bytes(16))
    assert read_control(control_message(peer)) == peer


@pytest.mark.parametrize(
    "make",
    [
        lambda text: notice(event="peer", content=text),
        lambda text: image_message(np.zeros((1, 1, 3), np.uint8), name=text),
        lambda text: control_message(Opening("transmitter", "deepjscc", text, bytes(4))),
        lambda text: control_message(Report(1, {"name": text})),
    ],
)
def test_texts_take_no_memory_when_their_message_is_gone(make):
    make("x" * 50_000)
    before = resident_mb()
    for number in range(1000):
        make(f"{make}{number}" + "x" * 50_000)  # no two tests with one text
    assert resident_mb() - before < 10


def test_news_without_a_picture_is_a_pdu_too():
    message = notice(event="end")
    assert pmt.is_u8vector(pmt.cdr(message)) and message_image(message) is None
    assert message_fields(message) == {"event": "end"}


EXAMPLES = {int: 3, str: "x", bool: True}


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_crosses_and_is_held_to_its_kind(kind):
    fields = {name: EXAMPLES.get(types, 0.5) for name, types in KINDS[kind].needs.items()}
    assert read_event(event_message(kind, **fields)) == (kind, fields, None)
    for name in fields:
        with pytest.raises(ValueError, match=f"{kind} lacks {name}"):
            event_message(kind, **{other: value for other, value in fields.items() if other != name})
        with pytest.raises(ValueError, match=f"{name} of an event {kind} cannot be"):
            read_event(notice(event=kind, **fields | {name: [1]}))
    with pytest.raises(ValueError, match=f"{kind} has no colour"):
        event_message(kind, **fields, colour="red")


def test_a_number_is_no_truth_and_a_truth_no_number():
    with pytest.raises(ValueError, match="transfer of an event taken"):
        event_message("taken", transfer=True, round=0, back_channel=False)
    with pytest.raises(ValueError, match="back_channel of an event taken"):
        event_message("taken", transfer=1, round=0, back_channel=0)


@pytest.mark.parametrize("fields", [{}, {"event": "dance"}, {"event": 1}])
def test_what_is_no_event_is_refused(fields):
    with pytest.raises(ValueError, match="unknown event"):
        read_event(notice(**fields))


@pytest.mark.parametrize(
    ("fields", "said"), [({}, "must give its height and width"), ({"height": 5, "width": 5}, "12 bytes are not a 5x5")]
)
def test_bytes_that_are_no_picture_are_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        message_image(pmt.cons(pmt.to_pmt(fields), pmt.init_u8vector(12, [0] * 12)))


def test_in_tree_pdu_blocks_survive_the_end_of_the_pictures(tmp_path, small_photo):
    """The end mark is not a picture; nor does it keep the block after it from what comes later."""
    from gr_jscc.imaging import save_image

    save_image(tmp_path / "parrots.png", small_photo)
    source, stream = image_source([str(tmp_path)]), pdu.pdu_to_tagged_stream(gr.types.byte_t, "packet_len")
    stream.set_min_output_buffer(2 * small_photo.size)
    sink, graph = blocks.vector_sink_b(), gr.top_block()
    graph.msg_connect(source, "image", stream, "pdus")
    graph.connect(stream, blocks.head(1, small_photo.size + 8), sink)
    graph.start()
    for _ in range(2):  # the picture, and the mark
        source.to_basic_block()._post(pmt.intern("ready"), pmt.PMT_T)
    late = pmt.cons(pmt.make_dict(), pmt.init_u8vector(8, list(range(8))))
    while len(sink.data()) < small_photo.size:
        time.sleep(0.01)
    stream.to_basic_block()._post(pmt.intern("pdus"), late)
    while len(sink.data()) < small_photo.size + 8:
        time.sleep(0.01)
    graph.stop()
    graph.wait()
    assert bytes(sink.data()) == small_photo.tobytes() + bytes(range(8))


def test_pictures_that_wait_when_their_source_ends_are_encoded(small_photo):
    encoder, sink, graph = jscc_encoder(), blocks.vector_sink_c(), gr.top_block()
    graph.connect(encoder, sink)
    graph.start()
    for _ in range(3):
        encoder.to_basic_block()._post(pmt.intern("image"), image_message(small_photo, name="parrots"))
    encoder.to_basic_block()._post(pmt.intern("system"), pmt.cons(pmt.intern("done"), pmt.from_long(1)))
    graph.wait()
    assert encoder.failure is None
    assert sum(str(tag.key) == "round_end" for tag in sink.tags()) == 3
