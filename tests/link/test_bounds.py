"""What is believed of a manifest's sizes, and that nothing of a size is made before."""

import tracemalloc

import pytest
from simulated_link import ToyCodec

from gr_jscc.imaging import MAX_PIXELS, MAX_SIDE
from gr_jscc.link.assembly import Assembler
from gr_jscc.link.bounds import can_be_sent, most_symbols
from gr_jscc.link.manifest import Manifest

OURS, OTHERS = ToyCodec.weights_hash, b"none"


@pytest.mark.parametrize(
    "height, width, symbols, weights_hash, believed",
    [
        (1, 1, 1, OURS, True),
        (1, 1, 2, OURS, False),
        (10, 10, 150, OURS, True),  # the toy's highest CBR is 1/2
        (10, 10, 151, OURS, False),
        (10, 10, 300, OTHERS, True),  # whoever that is, their CBR is at most 1
        (10, 10, 301, OTHERS, False),
        (1, MAX_SIDE, 0, OURS, True),
        (1, MAX_SIDE + 1, 0, OURS, False),
        (65535, 1, 0, OTHERS, False),
        (8000, MAX_PIXELS // 8000, 0, OURS, True),
        (8000, MAX_PIXELS // 8000 + 1, 0, OURS, False),
        (16000, 16000, 1, OURS, False),
        (8000, 8000, 2**32 - 1, OURS, False),
        (0, 5, 0, OURS, False),
    ],
)
def test_sizes_are_believed_as_far_as_a_sender_of_ours_goes(height, width, symbols, weights_hash, believed):
    assert can_be_sent(Manifest(weights_hash, height, width, symbols, b""), ToyCodec()) is believed


def test_the_bound_of_a_codec_is_its_highest_cbr():
    assert most_symbols(100, 100) == 30_000
    assert most_symbols(100, 100, ToyCodec()) == 15_000


@pytest.mark.parametrize(
    "weights_hash, height, width, symbols",
    [(OURS, 8000, 8000, 2**32 - 1), (OURS, 65535, 65535, 60_000_000), (OTHERS, 8000, 8000, 90_000_000)],
)
def test_a_forged_manifest_costs_no_memory(weights_hash, height, width, symbols):
    assembler = Assembler(8, ToyCodec())
    forged = Manifest(weights_hash, height, width, symbols, b"").pack()
    tracemalloc.start()
    assembler.set_manifest(1, 0, forged)
    (arrival,) = assembler.end(1, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert arrival.reception is None and peak < 100_000
