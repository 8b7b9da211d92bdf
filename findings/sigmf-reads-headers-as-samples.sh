#!/usr/bin/env bash
# sigmf: bytes that a recording's metadata calls headers are read as samples, or samples skipped in their place.
#
# Seen with: sigmf 1.14.0, numpy 2.3.3.
# One would expect: of a non-conforming dataset, whose captures state `core:header_bytes` ("the number of bytes preceding
#   a chunk of samples that are not sample data, used for NCDs", the SigMF schema in the package, with an example of two
#   such captures), the two readers return the samples and nothing else.
# What happens: no error, as many samples as there should be, and other ones.
#   * read_samples() and slices skip the first capture's header only: those of later captures come back as samples (a
#     float of a timestamp or a magic word is easily 1e4), and every sample behind has another index than the
#     annotations say. The last ones are missing.
#   * read_samples_in_capture() skips the first header twice, so that each capture starts too late by it and ends in the
#     next one's header.
# Where it comes from: sigmffile.py. _get_data_offset puts the first header before every access; get_capture_byte_boundaries
#   has counted it already, and read_samples multiplies an index with the size of a sample and looks at no capture.
# Why it matters: this is how files of other recorders (a packet's header before each buffer, a 512-byte header before
#   all) are used without converting gigabytes. A receiver run over such a file sees a click and a jump in time at each
#   header, which looks like an overflow of the radio. Remedy: np.fromfile with get_capture_byte_boundaries, capture by
#   capture.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile "sigmf==1.14.0" "numpy==2.3.3"
"$work/venv/bin/python" -W ignore - "$work" <<'PY'
import json
import sys
from pathlib import Path

import numpy as np
import sigmf

print("sigmf", sigmf.__version__, "numpy", np.__version__)
folder = Path(sys.argv[1])
HEADER = np.full(4, -99, np.float32).tobytes()  # as long as two samples


def opened(name, captures):
    """A recording of the samples 0, 1, 2… 19 with a header before each capture that has one."""
    samples = np.arange(20, dtype="<c8")
    starts = [start for start, _ in captures] + [len(samples)]
    content = b"".join(HEADER * has + samples[a:b].tobytes() for (a, has), b in zip(captures, starts[1:]))
    (folder / f"{name}.bin").write_bytes(content)
    fields = {"core:datatype": "cf32_le", "core:version": "1.2.0", "core:dataset": f"{name}.bin"}
    listed = [{"core:sample_start": start, **({"core:header_bytes": len(HEADER)} if has else {})} for start, has in captures]
    (folder / f"{name}.sigmf-meta").write_text(json.dumps({"global": fields, "captures": listed, "annotations": []}))
    return sigmf.fromfile(folder / f"{name}.sigmf-meta")


def right(recording):
    """The samples of the bytes that the library itself states for a capture."""
    found = []
    for index in range(len(recording.get_captures())):
        start, stop = recording.get_capture_byte_boundaries(index)
        found.append(np.fromfile(recording.data_file, "<c8", (stop - start) // 8, offset=start))
    return np.concatenate(found)


def told(samples):
    return " ".join(f"{value:.0f}" for value in samples.real)


two = opened("two", [(0, True), (10, True)])
one = opened("one", [(0, True)])
print("two captures of 10 samples, a header of 16 bytes before each; -99 is a header's content")
print("the library's own boundaries:", told(right(two)))
print("read_samples():              ", told(two.read_samples()))
print("[10:14]:                     ", told(two[10:14]))
print("read_samples_in_capture(0):  ", told(two.read_samples_in_capture(0)))
print("read_samples_in_capture(1):  ", told(two.read_samples_in_capture(1)))
print("one capture of 20 samples, a header of 16 bytes before it")
print("read_samples():              ", told(one.read_samples()))
print("read_samples_in_capture(0):  ", told(one.read_samples_in_capture(0)))
truth = np.arange(20)
as_seen = (
    np.array_equal(right(two), truth)
    and np.array_equal(two.read_samples().real, [*truth[:10], -99, -99, *truth[10:18]])
    and np.array_equal(two.read_samples_in_capture(0).real, [*truth[2:10], -99, -99])
    and np.array_equal(two.read_samples_in_capture(1).real, truth[12:])
    and np.array_equal(one.read_samples().real, truth)
    and np.array_equal(one.read_samples_in_capture(0).real, truth[2:])
)
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
PY
