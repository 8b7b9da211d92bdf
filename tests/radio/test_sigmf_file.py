"""SigMF: what is written validates and is read again; what cannot be received is told in one line."""

import io
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import sigmf

from gr_jscc.radio import RadioError, json_reader
from gr_jscc.radio.json_reader import JsonReader
from gr_jscc.radio.sigmf_file import EXTENSION, Datatype, SigmfFile, read_recording

pytestmark = pytest.mark.timeout(60)
MARKS = [
    {"core:sample_start": 0, "core:sample_count": 100, "core:label": "ä \" ]} one", "jscc:in": {"a": [1, {"b": "]"}]}},
    {"core:sample_start": 7, "core:freq_lower_edge": -1e5, "core:freq_upper_edge": 1e5},
]  # fmt: skip


@pytest.fixture
def samples(rng):
    return (rng.standard_normal(5000) + 1j * rng.standard_normal(5000)).astype(np.complex64)


@pytest.fixture
def foreign(tmp_path):
    """Makes a recording as another program may."""

    def make(data=bytes(80), captures=({"core:sample_start": 0},), text=None, **fields):
        (tmp_path / "them.sigmf-data").write_bytes(data)
        fields = {"core:datatype": "ci8", "core:version": "1.0.0"} | {f"core:{key}": v for key, v in fields.items()}
        content = {"annotations": [], "captures": list(captures), "global": fields}
        (tmp_path / "them.sigmf-meta").write_text(json.dumps(content) if text is None else text)
        return tmp_path / "them.sigmf-meta"

    return make


def test_what_is_written_validates_and_is_read_again(tmp_path, samples):
    file = SigmfFile(tmp_path / "air", "test", 2e6, 2.45e9, "a radio", {"core:extensions": [EXTENSION], "jscc:more": 1})
    file.write(samples[:3000])
    file.write(samples[3000:])
    file.finish(iter(MARKS))
    assert sorted(os.listdir(tmp_path)) == ["air.sigmf-data", "air.sigmf-meta"]
    theirs = sigmf.fromfile(str(tmp_path / "air.sigmf-meta"))
    theirs.validate()
    assert np.array_equal(theirs.read_samples(), samples)
    assert theirs.get_annotations() == MARKS
    capture = theirs.get_captures()[0]
    assert capture["core:frequency"] == 2.45e9 and capture["core:datetime"].endswith("Z")
    fields = theirs.get_global_info()
    assert fields["core:hw"] == "a radio" and fields["core:recorder"].startswith("gr-jscc ")
    assert "core:author" not in fields
    for name in ("air", "air.sigmf-meta", "air.sigmf-data"):
        ours = read_recording(tmp_path / name)
        assert (ours.samples, ours.sample_rate, ours.frequency) == (5000, 2e6, 2.45e9)
        assert list(ours.annotations()) == MARKS
        assert np.array_equal(np.concatenate([ours.read(0, 4999), ours.read(4999, 10)]), samples)


def test_without_annotations_rate_or_frequency_it_validates_too(tmp_path, samples):
    file = SigmfFile(tmp_path / "air.sigmf-meta", "test")
    file.write(samples)
    file.finish()
    sigmf.fromfile(str(tmp_path / "air.sigmf-meta")).validate()
    ours = read_recording(tmp_path / "air")
    assert ours.sample_rate is None and ours.frequency is None and list(ours.annotations()) == []


def test_an_earlier_recording_stays_until_the_new_one_is_complete(tmp_path, samples):
    for part in (samples[:10], samples[:20]):
        file = SigmfFile(tmp_path / "air", "test")
        file.write(part)
        if len(part) == 20:
            assert read_recording(tmp_path / "air").samples == 10
        file.finish()
    assert read_recording(tmp_path / "air").samples == 20


def test_metadata_never_stand_beside_samples_that_they_do_not_describe(tmp_path, samples, monkeypatch):
    file = SigmfFile(tmp_path / "air", "old")
    file.write(samples)
    file.finish()
    file = SigmfFile(tmp_path / "air", "new")
    file.write(samples[:7])
    seen = []
    replace = os.replace

    def watched(part, path):
        replace(part, path)
        seen.append(sorted(os.listdir(tmp_path)))

    monkeypatch.setattr(os, "replace", watched)
    file.finish()
    assert seen == [["air.sigmf-data", "air.sigmf-meta.part"], ["air.sigmf-data", "air.sigmf-meta"]]


@pytest.mark.parametrize(
    ("name", "dtype", "values", "expected"),
    [
        ("ci8", "i1", [-128, 127, 0, 64], [-1, 127 / 128, 0, 0.5]),
        ("cu8", "u1", [0, 255, 127, 128], [-127.5 / 128, 127.5 / 128, -0.5 / 128, 0.5 / 128]),
        ("ci16_le", "<i2", [-32768, 16384, 1, -1], [-1, 0.5, 2**-15, -(2**-15)]),
        ("ci16_be", ">i2", [-32768, 16384, 1, -1], [-1, 0.5, 2**-15, -(2**-15)]),
        ("cu16_le", "<u2", [0, 65535, 32767, 32768], [-32767.5 / 32768, 32767.5 / 32768, -(2**-16), 2**-16]),
        ("cu16_be", ">u2", [0, 65535, 32767, 32768], [-32767.5 / 32768, 32767.5 / 32768, -(2**-16), 2**-16]),
        ("ci32_le", "<i4", [-(2**31), 2**30, 0, 0], [-1, 0.5, 0, 0]),
        ("ci32_be", ">i4", [-(2**31), 2**30, 1, -1], [-1, 0.5, 2**-31, -(2**-31)]),
        ("cu32_le", "<u4", [0, 2**31 + 2**30, 2**31, 2**31 - 1], [-1, 0.5, 2**-32, -(2**-32)]),
        ("cu32_be", ">u4", [0, 2**31 + 2**30, 2**31, 2**31 - 1], [-1, 0.5, 2**-32, -(2**-32)]),
        ("ci8_be", "i1", [-128, 127, 0, 64], [-1, 127 / 128, 0, 0.5]),
        ("ci16", "<i2", [-32768, 16384, 1, -1], [-1, 0.5, 2**-15, -(2**-15)]),
        ("cf32", "<f4", [1.5, -2, 0.25, 3], [1.5, -2, 0.25, 3]),
        ("cf32_le", "<f4", [1.5, -2, 0.25, 3], [1.5, -2, 0.25, 3]),
        ("cf32_be", ">f4", [1.5, -2, 0.25, 3], [1.5, -2, 0.25, 3]),
        ("cf64_le", "<f8", [1.5, -2, 0.25, 3], [1.5, -2, 0.25, 3]),
        ("cf64_be", ">f8", [1.5, -2, 0.25, 1e300], [1.5, -2, 0.25, np.inf]),
    ],
)
def test_every_complex_type_becomes_complex64(foreign, name, dtype, values, expected):
    recording = read_recording(foreign(np.array(values, dtype).tobytes(), datatype=name))
    read = recording.read(0, 100)
    assert read.dtype == np.complex64 and recording.samples == 2
    assert read.view(np.float32).tolist() == pytest.approx(expected, abs=1e-7)


def test_rate_and_frequency_come_from_the_metadata_whatever_the_order_of_its_parts(foreign):
    captures = [{"core:sample_start": 0, "core:frequency": 868e6}, {"core:sample_start": 20, "core:frequency": 869e6}]
    recording = read_recording(foreign(captures=captures, sample_rate=2.4e6))
    assert (recording.sample_rate, recording.frequency, recording.samples) == (2.4e6, 868e6, 40)


def test_samples_in_a_file_of_another_name(foreign, tmp_path):
    (tmp_path / "hackrf.cs8").write_bytes(bytes(60))
    recording = read_recording(foreign(dataset="hackrf.cs8"))
    assert recording.data == tmp_path / "hackrf.cs8" and recording.samples == 30


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"datatype": "ri16_le"}, "real samples"),
        ({"datatype": "cf16_le"}, "does not match"),
        ({"datatype": None}, "core:datatype"),
        ({"num_channels": 2}, "2 channels"),
        ({"trailing_bytes": 79}, "80 bytes hold no ci8 sample"),
        ({"captures": [{"core:sample_start": 0, "core:header_bytes": 80}]}, "80 bytes hold no ci8 sample"),
        ({"captures": [{"core:sample_start": 0, "core:header_bytes": 10**12}]}, "80 bytes hold no ci8 sample"),
        ({"captures": [{"core:sample_start": 8}, {"core:sample_start": 4}]}, "ordering"),
        ({"captures": [{}]}, "core:sample_start"),
        ({"sample_rate": -1}, "-1"),
        ({"offset": -1}, "-1"),
        ({"data": b"x"}, "1 bytes hold no ci8 sample"),
        ({"data": b""}, "0 bytes hold no ci8 sample"),
        ({"dataset": "gone"}, "No such file"),
        ({"dataset": "../them.sigmf-data"}, "only files in the same folder"),
        ({"dataset": "/etc/passwd"}, "only files in the same folder"),
        ({"dataset": "C:\\air\\them.sigmf-data"}, "only files in the same folder"),
        ({"dataset": ".."}, "only files in the same folder"),
        ({"dataset": "a\0b"}, "only files in the same folder"),
        ({"dataset": ""}, "only files in the same folder"),
        ({"metadata_only": True}, "without its samples"),
        ({"text": "what?"}, "not SigMF metadata"),
        ({"text": "[1, 2]"}, "not SigMF metadata"),
        ({"text": '{"global": {"core:datatype": "ci8"'}, "not SigMF metadata"),
        ({"text": "{}"}, "not SigMF metadata"),
        ({"text": '{"annotations": 5}'}, "not SigMF metadata"),
    ],
)
def test_what_cannot_be_received_is_told_in_one_line(foreign, tmp_path, change, message):
    path = foreign(**change)
    with pytest.raises(RadioError) as refused:
        read_recording(path)
    assert message in str(refused.value) and str(tmp_path) in str(refused.value) and "\n" not in str(refused.value)


def blocks_of(*parts):
    """Samples n + 0j, n = 0, 1, …, as ci8: so many for a number, with bytes that are none between them."""
    data, count = b"", 0
    for part in parts:
        if isinstance(part, bytes):
            data += part
        else:
            data += np.array([(n, 0) for n in range(count, count + part)], np.int8).tobytes()
            count += part
    return data


def numbers(recording, first=0, count=1000):
    return (recording.read(first, count).real * 128).round().astype(int).tolist()


@pytest.mark.parametrize(
    ("parts", "starts", "headers", "offset", "trailing"),
    [
        ((b"HEAD", 40), (0,), (4,), 0, 0),
        ((40, b"TAIL.."), (0,), (0,), 0, 6),
        ((b"H", 10, b"second", 20, b"third", 10, b"T"), (0, 10, 30), (1, 6, 5), 0, 1),
        ((10, b"second", 30), (0, 10, 20), (0, 6, 0), 0, 0),  # only one of three has a header
        ((b"H" * 7, 15, b"GAP", 25), (5000, 5015), (7, 3), 5000, 0),  # a piece of a longer recording
        ((5, b"H", 35), (5,), (1,), 0, 0),  # samples before the first segment
    ],
)
def test_bytes_that_are_no_samples_are_passed_over_wherever_they_are(foreign, parts, starts, headers, offset, trailing):
    captures = [{"core:sample_start": s} | ({"core:header_bytes": h} if h else {}) for s, h in zip(starts, headers)]
    fields = {"offset": offset} if offset else {}
    fields |= {"trailing_bytes": trailing} if trailing else {}
    recording = read_recording(foreign(blocks_of(*parts), captures, **fields))
    assert recording.samples == 40 and recording.stored.remark is None
    assert numbers(recording) == list(range(40))
    for first, count in ((0, 1), (9, 2), (10, 1), (14, 20), (29, 3), (39, 5), (40, 5)):
        assert numbers(recording, first, count) == list(range(first, min(first + count, 40)))


@pytest.mark.parametrize(
    ("datatype", "data", "count", "left"),
    [
        ("ci8", bytes(81), 40, 1),
        ("ci16_le", bytes(83), 20, 3),
        ("cf32_le", bytes(8 * 5 + 7), 5, 7),
        ("cf64_be", bytes(16 * 2 + 4), 2, 4),
    ],
)
def test_a_file_that_is_cut_within_a_sample_gives_the_whole_ones_and_says_so(foreign, datatype, data, count, left):
    recording = read_recording(foreign(data, datatype=datatype))
    assert recording.samples == count == len(recording.read(0, 1000))
    assert f"last {left} bytes" in recording.stored.remark and "\n" not in recording.stored.remark


def test_a_file_that_is_cut_before_a_later_segment_gives_what_is_there(foreign):
    captures = [{"core:sample_start": 0}, {"core:sample_start": 30, "core:header_bytes": 4}]
    recording = read_recording(foreign(blocks_of(20) + b"x", captures))
    assert numbers(recording) == list(range(20)) and "last 1 bytes" in recording.stored.remark


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_metadata_with_and_without_a_byte_order_mark(foreign, encoding):
    path = foreign(description="ä–音")
    text = path.read_text()
    mark = "\ufeff" if encoding.startswith("utf-16-") else ""
    path.write_bytes((mark + json.dumps(json.loads(text), ensure_ascii=False)).encode(encoding))
    recording = read_recording(path)
    assert recording.samples == 40 and recording.fields["core:description"] == "ä–音"
    assert list(recording.annotations()) == []


@pytest.mark.parametrize(
    ("meta", "data", "asked"),
    [
        ("AIR.SIGMF-META", "AIR.SIGMF-DATA", "AIR.SIGMF-META"),
        ("Air.sigmf-meta", "air.Sigmf-Data", "AIR.sigmf-data"),
        ("air.sigmf-meta", "AIR.SIGMF-DATA", "air"),
        ("Air.Sigmf-Meta", "Air.sigmf-data", "air"),
    ],
)
def test_names_that_differ_in_capital_letters(foreign, tmp_path, meta, data, asked):
    os.rename(foreign(blocks_of(40)), tmp_path / meta)
    os.rename(tmp_path / "them.sigmf-data", tmp_path / data)
    recording = read_recording(tmp_path / asked)
    assert numbers(recording) == list(range(40)) and recording.data == tmp_path / data


def test_of_names_that_differ_in_capital_letters_only_each_is_found(foreign, tmp_path):
    for name, count in (("air", 10), ("AIR", 20)):
        os.rename(foreign(blocks_of(count)), tmp_path / f"{name}.sigmf-meta")
        os.rename(tmp_path / "them.sigmf-data", tmp_path / f"{name}.sigmf-data")
    assert [read_recording(tmp_path / name).samples for name in ("air", "AIR")] == [10, 20]


def test_where_an_annotation_is_in_a_piece_of_a_longer_recording(foreign):
    captures = [{"core:sample_start": 1000}, {"core:sample_start": 1030}]
    recording = read_recording(foreign(bytes(80), captures, offset=1000))

    def extent(*place):
        return recording.extent(dict(zip(("core:sample_start", "core:sample_count"), place)))

    assert extent(1000, 10) == (0, 10) and extent(1035, 100) == (35, 40) and extent(990, 15) == (0, 5)
    assert extent(1005) == (5, 30) and extent(1031) == (31, 40)  # without a length: to the end of the segment
    assert [extent(*place) for place in ((0, 10), (990, 10), (1040, 1), (5000,), ("7", 1), (True, 1), ())] == [None] * 7


def test_annotations_that_are_no_objects_do_no_harm(foreign):
    path = foreign()
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"annotations": [5, {"core:sample_start": 1}, None, []]}))
    assert list(read_recording(path).annotations()) == [{"core:sample_start": 1}]


def test_numbers_that_json_of_other_programs_has_with_a_point(foreign):
    captures = [{"core:sample_start": 0.0, "core:header_bytes": 4.0}]
    recording = read_recording(foreign(b"HEAD" + blocks_of(40), captures, offset=0.0, num_channels=1.0))
    assert numbers(recording) == list(range(40))


def test_missing_files_and_bytes_that_are_no_text_are_told_in_one_line(tmp_path, foreign):
    with pytest.raises(RadioError, match="No such file"):
        read_recording(tmp_path / "nowhere")
    path = foreign()
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(RadioError, match="not SigMF metadata"):
        read_recording(path)


@pytest.mark.parametrize("place", ["nowhere/air", "air.sigmf-meta"])
def test_what_cannot_be_written_is_told_in_one_line(tmp_path, place):
    (tmp_path / "air.sigmf-meta").mkdir()
    with pytest.raises(RadioError, match="cannot write"):
        SigmfFile(tmp_path / place, "test")
    assert os.listdir(tmp_path) == ["air.sigmf-meta"]


def _random_value(rng, depth=0):
    kind = rng.integers(0, 7 if depth < 3 else 5)
    if kind == 5:
        return [_random_value(rng, depth + 1) for _ in range(rng.integers(0, 4))]
    if kind == 6:
        return {f"k{i}": _random_value(rng, depth + 1) for i in range(rng.integers(0, 4))}
    return [None, True, int(rng.integers(-(10**6), 10**6)), float(rng.normal()), '"}{][\\ü '][kind]


@pytest.mark.parametrize("chunk", [1, 3, 50])
def test_json_comes_piece_by_piece_as_it_does_whole(rng, monkeypatch, chunk):
    monkeypatch.setattr(json_reader, "CHUNK", chunk)
    for number in range(40):
        items = [_random_value(rng) for _ in range(number % 5)]
        text = json.dumps({"first": [1, 2], "items": items, "last": 12345}, indent=number % 3 or None)
        reader, found = JsonReader(io.StringIO(text)), {}
        for key in reader.members():
            found[key] = list(reader.items()) if key == "items" else reader.value()
        assert found == json.loads(text)


@pytest.mark.parametrize(
    "text", ['{"a": [1, 2', '{"a": [1, 2,]}', '{"a" 1}', '{"a": [1 2]}', '{"a": [1],}', "{1: 2}", ""]
)
def test_what_is_no_json_is_told(text):
    reader = JsonReader(io.StringIO(text))
    with pytest.raises(ValueError):
        for _ in reader.members():
            list(reader.items())


def test_a_long_recording_is_read_an_annotation_at_a_time(tmp_path):
    """A reader that held them all would need 40 MB."""
    import tracemalloc

    file = SigmfFile(tmp_path / "air", "test")
    file.write(np.zeros(10, np.complex64))
    file.finish({"core:sample_start": i, "core:label": "x" * 400} for i in range(20_000))
    tracemalloc.start()
    recording = read_recording(tmp_path / "air")
    assert sum(1 for _ in recording.annotations()) == 20_000
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 3e6


def test_an_unknown_type_of_samples_has_no_converter():
    with pytest.raises(RadioError, match="unknown type"):
        Datatype("cf8")


@pytest.mark.parametrize("path", [".", "", "/", "..", "air/.."])
def test_a_folder_is_no_name_for_a_recording(path):
    with pytest.raises(RadioError, match="is a folder: a recording's name is needed"):
        read_recording(Path(path))
    with pytest.raises(RadioError, match="is a folder: a recording's name is needed"):
        SigmfFile(Path(path), "test")


@pytest.mark.parametrize("written", [True, False])
def test_what_a_recording_does_not_know_of_its_rate_and_frequency_is_not_told(foreign, written):
    captures = [{"core:sample_start": 0} | ({"core:frequency": math.nan} if written else {})]
    path = foreign(captures=captures, **({"sample_rate": math.nan} if written else {}))
    recording = read_recording(path)
    assert (recording.sample_rate, recording.frequency, recording.samples) == (None, None, 40)


@pytest.mark.parametrize("where", ["global", "captures", "annotations"])
def test_metadata_that_are_nested_too_deeply_are_told_in_one_line(foreign, where):
    path = foreign()
    content = json.loads(path.read_text()) | {where: "DEEP"}
    path.write_text(json.dumps(content).replace('"DEEP"', '[{"a":' * 50_000))
    with pytest.raises(RadioError, match="nested too deeply"):
        read_recording(path)
