"""Rounds that wait for a slow decoder take no more memory than they may, and stored pictures take none."""

import gc
import queue
import weakref

import numpy as np
import pytest

from gr_jscc.blocks import image_file_sink, jscc_decoder
from gr_jscc.codecs.base import Reception
from gr_jscc.link.arrival import Arrival
from gr_jscc.link.incoming import SYMBOL_BYTES
from gr_jscc.link.manifest import Manifest
from gr_jscc.reports.collector import Result
from gr_jscc.telling import told_by_program

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(60)]


def arrival(number, symbols):
    reception = Reception(np.zeros(symbols, np.complex64), np.ones(symbols, np.float32), b"")
    return Arrival(number, 0, Manifest(b"none", 64, 64, symbols, b""), reception, 1, 1, 10.0, 0.0, -10.0)


@pytest.mark.parametrize("mebibytes", [1, 2, 5])
def test_what_waits_is_bounded(mebibytes):
    decoder = jscc_decoder(live=True, memory_mib=mebibytes)
    symbols = (1 << 20) // SYMBOL_BYTES
    lines = []
    with told_by_program(lines.append):
        decoder._queue([arrival(number, symbols) for number in range(8)])
    assert len(lines) == 8 - mebibytes and all("a round of" in line and "was dropped" in line for line in lines)
    assert decoder._waiting == mebibytes * symbols * SYMBOL_BYTES
    decoder._worker.start()  # once they are decoded there is room again
    decoder._worker.finish()
    assert decoder._waiting == 0


@pytest.mark.parametrize("folder", ["", "out"])
def test_pictures_are_kept_only_for_a_program_that_asks_for_them(tmp_path, folder):
    asked = queue.Queue()
    folder = folder and str(tmp_path / folder)
    for results, kept in ((None, 0), (asked, 5)):
        sink = image_file_sink(folder, results=results)
        seen = []
        for number in range(5):
            result = Result(number, 0, None, np.zeros((8, 8, 3), np.uint8), {"image": {"name": "x.png"}})
            seen.append(weakref.ref(result))
            sink.on_result(result)
        del result
        sink.on_end()
        gc.collect()
        assert sum(reference() is not None for reference in seen) == kept
    assert asked.qsize() == 6  # and that nothing more will come
