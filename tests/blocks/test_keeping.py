"""A block that nobody has a name for any more works until its flowgraph has stopped, and is gone then."""

import ast
import gc
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
from gnuradio import blocks, gr

import gr_jscc
from gr_jscc.blocks import channel_impairments, ofdm_demodulator, ofdm_modulator
from gr_jscc.scheduler.keeping import kept_while_running

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(60)]


@kept_while_running
class Adder(gr.sync_block):
    """Adds one; ``ran`` is set once it did."""

    def __init__(self, ran):
        gr.sync_block.__init__(self, "adder", [np.float32], [np.float32])
        self.ran = ran

    def work(self, input_items, output_items):
        output_items[0][:] = input_items[0] + 1
        self.ran.set()
        return len(output_items[0])


def test_a_forgotten_block_works_on():
    graph, sink, ran = gr.top_block(), blocks.vector_sink_f(), threading.Event()

    def connect():
        block = Adder(ran)
        graph.connect(blocks.null_source(4), blocks.throttle(4, 1e5), block, sink)
        graph.start()
        assert ran.wait(20)
        return weakref.ref(block)

    block = connect()
    for _ in range(20):
        gc.collect()
        time.sleep(0.01)
    count = len(sink.data())
    while len(sink.data()) == count:
        time.sleep(0.01)
    assert block() is not None
    graph.stop()
    graph.wait()
    gc.collect()
    assert block() is None and set(sink.data()) == {1.0}


@pytest.mark.parametrize("make", [channel_impairments, ofdm_modulator, ofdm_demodulator])
def test_our_blocks_are_kept_so(make):
    block = make()
    seen = weakref.ref(block)
    block.start()
    del block
    gc.collect()
    assert seen() is not None
    seen().stop()
    gc.collect()
    assert seen() is None


def test_no_block_is_left_out():
    kept = {}
    for path in Path(gr_jscc.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and {"gr.basic_block", "gr.sync_block"} & set(
                map(ast.unparse, node.bases)
            ):
                kept[node.name] = "kept_while_running" in map(ast.unparse, node.decorator_list)
    assert len(kept) > 20 and all(kept.values()), kept
