"""What tests of several trainings share."""

import pytest
from PIL import Image

from gr_jscc.training.pictures import Photos


@pytest.fixture
def small_sample(monkeypatch):
    """Of the crops that a network is prepared from."""
    monkeypatch.setattr(Photos, "sample", 64)


@pytest.fixture(scope="session")
def photos(photo, tmp_path_factory):
    """A folder with three photos of 200 × 140 pixels."""
    folder = tmp_path_factory.mktemp("photos")
    for i in range(3):
        Image.fromarray(photo[i * 100 : i * 100 + 140, 200:400]).save(folder / f"{i}.png")
    return folder
