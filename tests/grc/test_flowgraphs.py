"""Every flowgraph opens in GNU Radio Companion and compiles."""

import py_compile

import pytest
from companion import FLOWGRAPHS

pytestmark = pytest.mark.gnuradio


def test_there_is_a_loopback():
    assert "loopback.grc" in {path.name for path in FLOWGRAPHS}


@pytest.mark.parametrize("path", FLOWGRAPHS, ids=lambda path: path.stem)
def test_companion_misses_no_block(platform, path):
    graph = platform.make_flow_graph(str(path))
    graph.rewrite()
    graph.validate()
    assert [block.key for block in graph.blocks if block.is_dummy_block] == []
    assert [text for _, text in graph.iter_error_messages()] == []
    assert graph.is_valid()


@pytest.mark.parametrize("path", FLOWGRAPHS, ids=lambda path: path.stem)
def test_compiles(path, programs):
    py_compile.compile(str(programs[path.stem]), doraise=True)
