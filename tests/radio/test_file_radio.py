"""Recordings: every sample, nothing half-written, one clear line for what cannot be."""

import os
import subprocess
import sys

import numpy as np
import pytest
from gnuradio import blocks, gr

from gr_jscc import telling
from gr_jscc.radio import RadioError, radio_sink, radio_source

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(60)]


@pytest.fixture
def samples(rng):
    return (rng.standard_normal(300_001) + 1j * rng.standard_normal(300_001)).astype(np.complex64)


def run(*parts):
    graph = gr.top_block()
    graph.connect(*parts)
    graph.run()


def test_what_is_written_is_read_again_and_stands_under_its_name_only_when_complete(tmp_path, samples):
    path = tmp_path / "air.cf32"
    path.write_bytes(b"of before")
    sink = radio_sink(f"file:{path}")
    run(blocks.vector_source_c(samples), sink)
    assert path.read_bytes() == b"of before"
    assert sink.finish() and sink.finish()  # a second time does nothing
    assert os.listdir(tmp_path) == ["air.cf32"]
    assert np.array_equal(np.fromfile(path, "<c8"), samples)
    read = blocks.vector_sink_c()
    run(radio_source(f"file:{path}"), read)
    assert np.array_equal(np.array(read.data(), np.complex64), samples)


def test_in_tree_blocks_read_and_write_the_same_files(tmp_path, samples):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    sink = radio_sink(f"file:{ours}")
    run(blocks.vector_source_c(samples), sink)
    sink.finish()
    run(blocks.file_source(gr.sizeof_gr_complex, str(ours)), blocks.file_sink(gr.sizeof_gr_complex, str(theirs)))
    read = blocks.vector_sink_c()
    run(radio_source(f"file:{theirs}"), read)
    assert np.array_equal(np.array(read.data(), np.complex64), samples)


def test_silence_follows_when_asked_for(tmp_path, samples):
    samples.tofile(tmp_path / "air")
    read = blocks.vector_sink_c()
    run(radio_source(f"file:{tmp_path}/air", silence=70_000), read)
    assert np.array_equal(np.array(read.data(), np.complex64), np.concatenate([samples, np.zeros(70_000)]))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing", None, "No such file"), ("empty", b"", "0 bytes hold no cf32_le sample"),
        ("short", bytes(7), "7 bytes hold no cf32_le sample"), ("", None, "not a regular file"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_in_one_line(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RadioError) as refused:
        radio_source(f"file:{tmp_path / name}")
    assert message in str(refused.value) and str(tmp_path) in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("left", [1, 4, 7])
def test_a_file_that_is_cut_within_a_sample_gives_the_whole_ones_and_says_so(tmp_path, samples, left):
    (tmp_path / "air").write_bytes(samples.tobytes() + bytes(left))
    told, read = [], blocks.vector_sink_c()
    with telling.told_by_program(told.append):
        run(radio_source(f"file:{tmp_path}/air"), read)
    assert np.array_equal(np.array(read.data(), np.complex64), samples)
    assert told == [f"{tmp_path}/air ends within a sample: its last {left} bytes are ignored"]


def test_devices_and_pipes_are_neither_read_nor_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/null", tmp_path / "pipe"):
        for radio in (radio_sink, radio_source):
            with pytest.raises(RadioError, match="not a regular file"):
                radio(f"file:{path}")


@pytest.mark.parametrize(("place", "message"), [("nowhere/air", "No such file"), ("", "not a regular file")])
def test_what_cannot_be_written_is_told_in_one_line(tmp_path, place, message):
    with pytest.raises(RadioError, match=message):
        radio_sink(f"file:{tmp_path}/{place}")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_ends_the_flowgraph_and_leaves_no_file_of_that_name(tmp_path):
    """A limit on the size of files stands in for the disk."""
    code = f"""
import resource
from gnuradio import blocks, gr
from gr_jscc.radio import radio_sink
sink = radio_sink("file:{tmp_path}/air")
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
graph = gr.top_block()
graph.connect(blocks.null_source(8), sink)
graph.run()
print(type(sink.failure).__name__, sink.failure, sink.finish())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    line = f"cannot write {tmp_path}/air.part: File too large"
    assert done.stdout == f"RadioError {line} False\n", done.stderr
    assert f"File Radio Sink :error: {line}\n" in done.stderr
    assert os.listdir(tmp_path) == ["air.part"]
