#!/usr/bin/env bash
# x265: a zone acts one frame before the one it names, and a zone of the first frame alone acts on none, without a word.
#
# Seen with: PyAV 18.1.0 with the libx264 and libx265 in its wheel, numpy 2.3.3.
# One would expect: zones=3,3,q=45 to be the same of both encoders, whose documentation has "<start frame>,<end frame>,
#   <option>" for both, frames counted from 0 as in x265's own log ("poc"), CSV and --qpfile.
# What happens: x264 gives frame 3 the quantiser. x265 gives it to frame 2. zones=0,0,q=45 is accepted by x265 and changes
#   no quantiser at all. So where one frame is given extra bits, the one before gets them.
# Where it comes from: x265's ratecontrol.cpp, getZone: start is compared with the number of frames done plus one, end with
#   the number of frames done. Both ends of a zone are counted from 1.
# Why it matters: who makes rate control of their own around x265 (frames that must fit a slot of air), or moves zones from
#   x264, changes the wrong frame; with a scene cut, by a factor of ten in bytes. Remedy: add 1 to both ends of each zone.
#   Reported as a confusion of zones and qpfile in x265's issue 587, where it is taken for a matter of the last frame.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile "av==18.1.0" "numpy==2.3.3"
"$work/venv/bin/python" - <<'PY'
import sys

import av
import numpy as np

print("PyAV", av.__version__, "libavcodec", ".".join(map(str, av.library_versions["libavcodec"])))
picture = np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8)
ONE_THREAD = {"libx264": "threads=1:sync-lookahead=0", "libx265": "frame-threads=1:wpp=0:pools=none:log-level=none"}


def sizes(name, zones):
    """Bytes of six frames, each of which is the one before moved a little."""
    encoder = av.CodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.framerate = 96, 64, "yuv420p", 10
    options = f"qp=30:keyint=250:scenecut=0:bframes=0:rc-lookahead=0:{ONE_THREAD[name]}"
    encoder.options = {f"{name[3:]}-params": f"{options}:zones={zones}"}
    packets = []
    for number in range(6):
        frame = av.VideoFrame.from_ndarray(np.roll(picture, 3 * number, axis=1), "rgb24").reformat(format="yuv420p")
        frame.pts = number
        packets += encoder.encode(frame)
    return [packet.size for packet in packets + encoder.encode(None)]


# What comes before a frame does not depend on its quantiser: the first frame whose size differs is the one that has it.
EXPECTED = {"libx264": {0: 0, 1: 1, 3: 3}, "libx265": {0: None, 1: 0, 3: 2}}
as_seen = True
for name, acts_on in EXPECTED.items():
    usual = sizes(name, "5,5,q=30")
    for named, expected in acts_on.items():
        changed = [n for n, pair in enumerate(zip(usual, sizes(name, f"{named},{named},q=45"))) if pair[0] != pair[1]]
        print(f"{name}, zones={named},{named},q=45: the first frame of another size is {changed[0] if changed else None}")
        as_seen = as_seen and (changed[0] if changed else None) == expected
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
PY
