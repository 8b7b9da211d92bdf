"""GNU Radio Companion's parts, for the tests."""

import subprocess
import sys
import types
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
BLOCKS = REPOSITORY / "gr_jscc" / "grc"
FLOWGRAPHS = sorted((REPOSITORY / "flowgraphs").rglob("*.grc"))


def load_platform(cache):
    """What knows blocks and flowgraphs, with the blocks of ``GRC_BLOCKS_PATH`` and GNU Radio's own.

    Args:
        cache: file for the descriptions read, instead of the user's, which may be of other versions.
    """
    from gnuradio import gr
    from gnuradio.grc.core import Constants
    from gnuradio.grc.core.platform import Platform

    Constants.CACHE_FILE = str(cache)

    platform = Platform(
        version=gr.version(),
        version_parts=(gr.major_version(), gr.api_version(), gr.minor_version()),
        prefs=gr.prefs(),
    )
    # It would import every block of GNU Radio in another process to read docstrings.
    platform._docstring_extractor = types.SimpleNamespace(
        start=lambda: None, query=lambda *_: None, finish=lambda: None
    )
    platform.build_library()
    return platform


def new_flowgraph(platform):
    """A flowgraph with nothing in it but its options."""
    graph = platform.make_flow_graph()
    options = {"parameters": {"generate_options": "qt_gui"}, "states": {"state": "enabled"}}
    graph.import_data({"options": options, "blocks": [], "connections": [], "metadata": {"file_format": 1}})
    return graph


def grcc(paths, folder, environment):
    """The Python programs that GNU Radio's command-line compiler makes of flowgraphs, by the flowgraphs' names."""
    code = "import sys; from gnuradio.grc.compiler import main; sys.exit(main())"
    run = subprocess.run(
        [sys.executable, "-c", code, "-o", str(folder), *map(str, paths)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    programs = {}
    for path in paths:
        id_ = yaml.safe_load(path.read_text())["options"]["parameters"]["id"]
        programs[path.stem] = folder / f"{id_}.py"
        assert programs[path.stem].is_file(), run.stdout + run.stderr
    return programs
