"""What many tests share: a photo, a loaded codec, threads that processes do not fight over."""

import os
import signal

import numpy as np
import pytest
import torch

from gr_jscc.channel.burst_finder import BurstFinder
from gr_jscc.codecs.registry import load_codec
from gr_jscc.data import demo_image
from gr_jscc.imaging import load_image
from gr_jscc.modem import BurstHeader, BurstKind, StreamDemodulator, modulate
from gr_jscc.modem.digital import prepare_digital

# As in our programs (`gr_jscc.host.main`): what a script prints is its own.
os.environ["GR_CONF_LOG_LOG_FILE"] = "stderr"
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as of what a script starts with &, and all that it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionstart(session):
    """Has numba compile the modem before any test's clock runs: where nothing is cached that takes a minute and more.

    The first process does, before it starts workers; they, and programs that tests start, find it in the cache.
    """
    if not session.config.option.collectonly:
        compile_modem()


def compile_modem():
    """Runs everything that numba compiles once: modulator, demodulator, burst finder, LDPC and convolutional code."""
    header = BurstHeader(BurstKind.ANALOG, 0, 0, 0, 1, 1000)
    samples = np.concatenate([modulate(header, np.ones(1000, np.complex64)), np.zeros(70_000, np.complex64)])
    StreamDemodulator()
    BurstFinder().push(samples)
    prepare_digital()


def pytest_collection_modifyitems(items):
    """Has the files that take longest begin first: one that begins last keeps a single process at work."""
    items.sort(key=lambda item: item.path.parent.name not in ("host", "grc"))


@pytest.fixture(scope="session", autouse=True)
def _threads():
    torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)


@pytest.fixture(scope="module")
def one_thread():
    """For networks so small that a second one would only wait."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.fixture(scope="session")
def photo():
    """uint8[512, 768, 3], the photo that ships."""
    image = load_image(demo_image())
    image.setflags(write=False)
    return image


@pytest.fixture(scope="session")
def small_photo(photo):
    """uint8[192, 256, 3], with the parrots' heads."""
    return photo[150:342, 100:356]


@pytest.fixture(scope="session")
def codec():
    return load_codec("deepjscc")
