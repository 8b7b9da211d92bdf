"""SigMF recordings as radios, and the recorder, in flowgraphs with in-tree blocks."""

import json
import os
import subprocess
import sys
import tarfile

import numpy as np
import pytest
import sigmf
from gnuradio import blocks, gr

from gr_jscc.radio import RadioError, radio_sink, radio_source
from gr_jscc.radio.recorder import Recorder
from gr_jscc.radio.sigmf_file import SigmfFile

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(60)]


@pytest.fixture
def samples(rng):
    return (rng.standard_normal(200_001) + 1j * rng.standard_normal(200_001)).astype(np.complex64)


def run(*parts):
    graph = gr.top_block()
    graph.connect(*parts)
    graph.run()


def received(address, **options):
    source, sink = radio_source(address, **options), blocks.vector_sink_c()
    run(source, sink)
    return np.array(sink.data(), np.complex64), source


@pytest.mark.parametrize("suffix", ["meta", "data"])
def test_what_is_sent_is_a_valid_recording_for_us_and_for_in_tree_blocks(tmp_path, samples, suffix):
    address = f"file:{tmp_path}/air.sigmf-{suffix}"
    sink = radio_sink(address, "hackrf")
    run(blocks.vector_source_c(samples), sink)
    assert sorted(os.listdir(tmp_path)) == ["air.sigmf-data.part"]
    assert sink.finish() and sink.finish()
    assert sorted(os.listdir(tmp_path)) == ["air.sigmf-data", "air.sigmf-meta"]
    theirs = sigmf.fromfile(str(tmp_path / "air.sigmf-meta"))
    theirs.validate()
    assert theirs.get_global_info()["core:sample_rate"] == 4e6
    assert theirs.get_captures()[0]["core:frequency"] == 2.45e9
    read, source = received(address)
    assert np.array_equal(read, samples)
    assert (source.tuned.sample_rate, source.tuned.frequency) == (4e6, 2.45e9)
    in_tree = blocks.vector_sink_c()
    run(blocks.file_source(gr.sizeof_gr_complex, str(tmp_path / "air.sigmf-data")), in_tree)
    assert np.array_equal(np.array(in_tree.data(), np.complex64), samples)


def test_a_recording_of_bytes_is_received_as_complex64_with_silence_behind(tmp_path, rng):
    data = rng.integers(-128, 128, 300_002).astype(np.int8)
    data.tofile(tmp_path / "air.sigmf-data")
    sigmf.SigMFFile(
        data_file=str(tmp_path / "air.sigmf-data"), global_info={"core:datatype": "ci8", "core:sample_rate": 8e6}
    ).tofile(str(tmp_path / "air.sigmf-meta"))
    read, source = received(f"file:{tmp_path}/air.sigmf-meta", silence=70_000)
    expected = (data.astype(np.float32) / 128).view(np.complex64)
    assert np.array_equal(read, np.concatenate([expected, np.zeros(70_000)]))
    assert source.tuned.sample_rate == 8e6


def test_a_recording_with_headers_in_an_archive_is_received_as_its_samples_are(tmp_path, rng):
    values = rng.integers(-(2**15), 2**15, 2 * 150_001).astype(">i2")
    half = values[:200_000].tobytes(), values[200_000:].tobytes()
    (tmp_path / "air.iq").write_bytes(b"HEAD" + half[0] + b"more" * 9 + half[1] + b"xyz")
    fields = {
        "core:datatype": "ci16_be", "core:version": "1.2.0", "core:dataset": "air.iq", "core:sample_rate": 2e6,
        "core:offset": 700,
    }  # fmt: skip
    captures = [
        {"core:sample_start": 700, "core:header_bytes": 4, "core:frequency": 868e6},
        {"core:sample_start": 100_700, "core:header_bytes": 36},
    ]
    meta = json.dumps({"global": fields, "captures": captures, "annotations": []})
    (tmp_path / "air.sigmf-meta").write_text(meta)
    with tarfile.open(tmp_path / "packed.sigmf", "w") as tar:
        for name in ("air.sigmf-meta", "air.iq"):
            tar.add(tmp_path / name, f"air/{name}")
    expected = (values.astype(np.float32) / 2**15).view(np.complex64)
    for name in ("air.sigmf-meta", "packed.sigmf", "packed.sigmf/air"):
        read, source = received(f"file:{tmp_path}/{name}", silence=1000)
        assert np.array_equal(read, np.concatenate([expected, np.zeros(1000)]))
        assert (source.tuned.sample_rate, source.tuned.frequency) == (2e6, 868e6)


@pytest.mark.parametrize("name", ["air.sigmf", "air.sigmf.gz", "air.sigmf-collection"])
def test_archives_and_collections_are_not_written(tmp_path, name):
    (tmp_path / "air.sigmf").write_bytes(b"?")
    with pytest.raises(RadioError, match="is written as NAME.sigmf-meta"):
        radio_sink(f"file:{tmp_path}/{name}")


def test_a_recording_that_is_none_is_told_in_one_line(tmp_path):
    (tmp_path / "air.sigmf-meta").write_text("{}")
    with pytest.raises(RadioError, match="not SigMF metadata"):
        radio_source(f"file:{tmp_path}/air.sigmf-meta")


def test_the_recorder_holds_what_it_passed_on(tmp_path, samples):
    file = SigmfFile(tmp_path / "air", "test", 1e6)
    sink = blocks.vector_sink_c()
    run(blocks.vector_source_c(samples), Recorder(file), sink)
    file.finish()
    assert np.array_equal(np.array(sink.data(), np.complex64), samples)
    assert np.array_equal(np.fromfile(tmp_path / "air.sigmf-data", "<c8"), samples)


def test_a_full_disk_ends_the_flowgraph_in_one_line_and_leaves_no_recording(tmp_path):
    """A limit on the size of files stands in for the disk."""
    code = f"""
import resource
from pathlib import Path
from gnuradio import blocks, gr
from gr_jscc.radio.recorder import Recorder
from gr_jscc.radio.sigmf_file import SigmfFile
file = SigmfFile(Path("{tmp_path}/air"), "test", 1e6)
recorder, source, sink = Recorder(file), blocks.null_source(8), blocks.null_sink(8)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
graph = gr.top_block()
graph.connect(source, recorder, sink)
graph.run()
print(type(recorder.failure).__name__, recorder.failure)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    line = f"cannot write {tmp_path}/air.sigmf-data.part: File too large"
    assert done.stdout == f"RadioError {line}\n", done.stderr
    assert f"Recorder :error: {line}\n" in done.stderr
    assert os.listdir(tmp_path) == ["air.sigmf-data.part"]
