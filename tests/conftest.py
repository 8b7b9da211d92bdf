"""What many tests share: a photo, a loaded codec, one torch thread a test process would fight over."""

import numpy as np
import pytest
import torch

from gr_jscc.codecs.registry import load_codec
from gr_jscc.data import demo_image
from gr_jscc.imaging import load_image


@pytest.fixture(scope="session", autouse=True)
def _threads():
    torch.set_num_threads(2)


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
