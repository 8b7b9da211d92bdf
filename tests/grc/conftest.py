"""GNU Radio Companion without its window, and X displays nobody sees."""

import os
import subprocess

import pytest
from companion import BLOCKS, FLOWGRAPHS, REPOSITORY, grcc, load_platform


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """Variables for programs under test: our blocks are found, the user's settings are left alone."""
    home = tmp_path_factory.mktemp("home")
    return os.environ | {
        "GRC_BLOCKS_PATH": str(BLOCKS),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_RUNTIME_DIR": str(home),
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "OMP_NUM_THREADS": "2",
        "QT_QPA_PLATFORM": "xcb",
    }


@pytest.fixture(scope="session")
def platform(environment, tmp_path_factory):
    """The part of GNU Radio Companion that knows blocks and flowgraphs, with ours loaded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRC_BLOCKS_PATH", environment["GRC_BLOCKS_PATH"])
        yield load_platform(tmp_path_factory.mktemp("grc") / "cache.json")


@pytest.fixture(scope="session")
def programs(environment, tmp_path_factory):
    """Every flowgraph as a Python program, by the flowgraph's name."""
    return grcc(FLOWGRAPHS, tmp_path_factory.mktemp("programs"), environment)


@pytest.fixture
def display(environment):
    """Variables for programs that open windows, on an X server of their own."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1400x1000x24", "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    os.close(write)
    with os.fdopen(read) as answer:  # the server writes its number when it is ready, or ends
        number = answer.readline().strip()
    assert number, "Xvfb did not start"
    yield environment | {"DISPLAY": f":{number}"}
    server.terminate()
    server.wait(10)
