"""Rounds that wait for a slow decoder take no more memory than they may; what is more is lost and told."""

import numpy as np
import pytest

from gr_jscc.blocks import jscc_decoder
from gr_jscc.codecs.base import Reception
from gr_jscc.link.assembly import SYMBOL_BYTES, Arrival
from gr_jscc.link.manifest import Manifest
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
    assert len(lines) == 8 - mebibytes and all("a round of" in line and "is lost" in line for line in lines)
    assert decoder._waiting == mebibytes * symbols * SYMBOL_BYTES
    decoder._worker.start()  # once they are decoded there is room again
    decoder._worker.finish()
    assert decoder._waiting == 0
