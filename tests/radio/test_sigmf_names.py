"""SigMF archives and collections: read where they are, and of several recordings the one that is named."""

import io
import json
import tarfile

import numpy as np
import pytest
import sigmf

from gr_jscc.radio import RadioError
from gr_jscc.radio.sigmf_file import read_recording
from gr_jscc.radio.sigmf_names import is_sigmf

pytestmark = pytest.mark.timeout(60)


def meta(annotations=(), **fields):
    fields = {"core:datatype": "ci8", "core:version": "1.0.0"} | {f"core:{key}": v for key, v in fields.items()}
    return json.dumps({"global": fields, "captures": [], "annotations": list(annotations)}).encode()


def samples(first, count):
    return np.array([(n, 0) for n in range(first, first + count)], np.int8).tobytes()


def archive(path, members):
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def numbers(recording):
    return (recording.read(0, 1000).real * 128).round().astype(int).tolist()


def test_an_archive_of_the_reference_implementation(tmp_path, rng):
    values = (rng.standard_normal(5000) + 1j * rng.standard_normal(5000)).astype(np.complex64)
    values.tofile(tmp_path / "air.sigmf-data")
    theirs = sigmf.SigMFFile(data_file=str(tmp_path / "air.sigmf-data"), global_info={"core:datatype": "cf32_le"})
    theirs.add_capture(0, metadata={"core:frequency": 433e6})
    theirs.add_annotation(7, 9, metadata={"core:label": "here"})
    theirs.archive(str(tmp_path / "packed"))
    recording = read_recording(tmp_path / "packed.sigmf")
    assert recording.frequency == 433e6 and np.array_equal(recording.read(0, 10_000), values)
    assert np.array_equal(recording.read(4990, 100), values[4990:])
    assert [(mark["core:label"], recording.extent(mark)) for mark in recording.annotations()] == [("here", (7, 16))]


@pytest.mark.parametrize(
    "members",
    [
        {"a/a.sigmf-meta": meta(), "a/a.sigmf-data": samples(0, 40)},
        {"a.sigmf-data": samples(0, 40), "a.sigmf-meta": meta()},
        {"./A.SIGMF-META": meta(), "./A.SIGMF-DATA": samples(0, 40), "README": b"?"},
        {"/abs/a.sigmf-meta": meta(dataset="a.cs8", trailing_bytes=1), "/abs/a.cs8": samples(0, 40) + b"T"},
        {"a/a.sigmf-meta": b"\xef\xbb\xbf" + meta(), "a/a.sigmf-data": samples(0, 40), "b/a.sigmf-data": b"!" * 80},
    ],
)
def test_archives_as_others_pack_them(tmp_path, members):
    assert numbers(read_recording(archive(tmp_path / "x.SigMF", members))) == list(range(40))


SEVERAL = {
    "one/one.sigmf-meta": meta(description="1"), "one/one.sigmf-data": samples(0, 10),
    "two/two.sigmf-meta": meta(description="2"), "two/two.sigmf-data": samples(10, 20),
    "three/two.sigmf-meta": meta(description="3"), "three/two.sigmf-data": samples(50, 30),
}  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "description", "values"),
    [
        ("one", "1", range(10)),
        ("ONE.sigmf-meta", "1", range(10)),
        ("two/two", "2", range(10, 30)),
        ("three/two", "3", range(50, 80)),
        ("three/two.sigmf-data", "3", range(50, 80)),
    ],
)
def test_of_several_recordings_the_one_that_is_named(tmp_path, wanted, description, values):
    """Without hashes the sigmf package gives the last metadata over the first data."""
    recording = read_recording(archive(tmp_path / "all.sigmf", SEVERAL) / wanted)
    assert recording.fields["core:description"] == description and numbers(recording) == list(values)


@pytest.mark.parametrize(
    ("members", "wanted", "message"),
    [
        (SEVERAL, "", "several recordings: name one as .*/NAME, with NAME one of one/one, three/two, two/two"),
        (SEVERAL, "four", "several recordings"),
        (SEVERAL, "two", "several recordings"),
        ({"README": b"?"}, "", "no recording in it"),
        ({"a.sigmf-meta": meta()}, "", "a.sigmf-data: no such file in the archive"),
        (
            {"a.sigmf-meta": meta(dataset="../a.sigmf-data"), "a.sigmf-data": samples(0, 4)},
            "",
            "only files in the same",
        ),
        ({"a.sigmf-meta": b"{}", "a.sigmf-data": samples(0, 4)}, "", "not SigMF metadata"),
    ],
)
def test_what_an_archive_cannot_give_is_told_in_one_line(tmp_path, members, wanted, message):
    with pytest.raises(RadioError, match=message) as refused:
        read_recording(archive(tmp_path / "x.sigmf", members) / wanted)
    assert "\n" not in str(refused.value) and "x.sigmf" in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"no tar at all", b"\x1f\x8b\x08\0" + bytes(600), b"PK\3\4" + bytes(600)])
def test_what_is_no_archive_is_told_in_one_line(tmp_path, content):
    (tmp_path / "x.sigmf").write_bytes(content)
    with pytest.raises(RadioError, match="not a SigMF archive|no recording in it"):
        read_recording(tmp_path / "x.sigmf")


def test_a_cut_and_a_compressed_archive_are_told_in_one_line(tmp_path):
    whole = archive(tmp_path / "x.sigmf", SEVERAL).read_bytes()
    (tmp_path / "x.sigmf").write_bytes(whole[:3000])
    with pytest.raises(RadioError, match="not a SigMF archive"):
        read_recording(tmp_path / "x.sigmf")
    (tmp_path / "x.sigmf.gz").write_bytes(b"?")
    with pytest.raises(RadioError, match="unpack it first"):
        read_recording(tmp_path / "x.sigmf.gz")


def collection(path, *names):
    streams = [{"name": name, "hash": "0" * 128} for name in names]
    path.write_text(json.dumps({"collection": {"core:version": "1.2.0", "core:streams": streams}}))
    return path


def test_a_collection_of_one_is_that_recording(tmp_path):
    (tmp_path / "a.sigmf-meta").write_bytes(meta())
    (tmp_path / "a.sigmf-data").write_bytes(samples(0, 40))
    assert numbers(read_recording(collection(tmp_path / "all.sigmf-collection", "a"))) == list(range(40))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a", "b"), "NAME one of a, b"),
        ((), "no recording"),
        (("../a",), "only files in the same"),
        (("gone",), "No such file"),
    ],
)
def test_what_a_collection_cannot_give_is_told_in_one_line(tmp_path, names, message):
    with pytest.raises(RadioError, match=message):
        read_recording(collection(tmp_path / "all.sigmf-collection", *names))


@pytest.mark.parametrize("text", ["", "[]", '{"collection": 5}', '{"collection": {"core:streams": [7]}}'])
def test_what_is_no_collection_is_told_in_one_line(tmp_path, text):
    (tmp_path / "all.sigmf-collection").write_text(text)
    with pytest.raises(RadioError, match="not a SigMF collection"):
        read_recording(tmp_path / "all.sigmf-collection")


def test_which_paths_are_sigmf(tmp_path):
    archive(tmp_path / "x.sigmf", SEVERAL)
    (tmp_path / "folder.sigmf").mkdir()
    names = ("a.sigmf-meta", "A.SIGMF-DATA", "x.sigmf", "x.sigmf/one", "x.sigmf.xz", "y.sigmf-collection")
    assert all(is_sigmf(tmp_path / name) for name in names)
    assert not any(is_sigmf(tmp_path / name) for name in ("a.cf32", "folder.sigmf/a.cf32", "sigmf", "a.sigmf-metal"))
