"""Trained models that ship, and reading and writing such files.

A model is ``NAME.safetensors``: half-precision tensors (some in eight bits) plus metadata that names the codec and the
network's configuration, so that a file rebuilds its own network. ``NAME.md`` beside it is the card.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from gr_jscc.errors import UserError
from gr_jscc.files.whole import whole
from gr_jscc.plain_text import shown

FOLDER = Path(__file__).parent
LONGEST_NAME = 40  # of another codec, as shown


class WeightsError(UserError):
    """Weights are missing, damaged or belong to another codec.

    Example:
        >>> import torch
        >>> write_model(Path("mine.safetensors"), "ntscc", {}, {"gain": torch.tensor([torch.inf])}, info={})
        Traceback (most recent call last):
            ...
        gr_jscc.weights.WeightsError: mine has weights that are not finite in half precision, such as gain
    """


@dataclass(frozen=True)
class ModelFile:
    """One safetensors file as read.

    Attributes:
        name: file name without its ending.
        codec: name of the codec it belongs to.
        config: keyword arguments of the codec's network.
        info: what training wrote beside them (recipe, steps, figures), all strings.
        hash: first four bytes of the SHA-256 of the file.
        tensors: name → torch tensor, float32.

    Example:
        >>> model = read_model("successive-single-2", codec="successive-single")
        >>> model.config["layers"], len(model.hash), model.info["steps"]
        (2, 4, '3500')
    """

    name: str
    codec: str
    config: dict
    info: dict[str, str]
    hash: bytes
    tensors: dict


def shipped_models() -> list[str]:
    """Names of the models that came with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def describe_model(name: str) -> dict[str, str | int]:
    """A shipped model's name, codec, size in bytes and what training wrote into it."""
    from safetensors import safe_open

    path = find_model(name)
    with safe_open(str(path), framework="numpy") as file:  # PyTorch is slow to load
        metadata = file.metadata() or {}
    info = {key: value for key, value in metadata.items() if key != "config"}
    return {"model": path.stem, "bytes": path.stat().st_size, **info}


def find_model(name: str | Path) -> Path:
    """The file behind a shipped model's name or a path.

    Raises:
        WeightsError: when neither exists.
    """
    for path in (FOLDER / f"{name}.safetensors", Path(name)):
        with contextlib.suppress(OSError, ValueError):  # names that no file can have
            if path.is_file():
                return path
    raise WeightsError(f"weights not found: {shown(name)} (shipped: {', '.join(shipped_models()) or 'none'})")


def read_model(name: str | Path, codec: str) -> ModelFile:
    """Reads a model and checks whose it is.

    Raises:
        WeightsError: missing, damaged, made for another codec, or without a configuration.
    """
    from safetensors import SafetensorError, safe_open

    from gr_jscc.weights.compact import expanded

    path = find_model(name)
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("codec") != codec:
                whose = shown(metadata.get("codec", "nobody"))[:LONGEST_NAME]
                raise WeightsError(f"weights of another codec: {path} is for {whose}, not {codec}")
            config = _config(path, metadata.get("config", ""))
            tensors = expanded({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"weights cannot be read: {path}: {shown(error)}") from error
    info = {key: value for key, value in metadata.items() if key not in ("codec", "config")}
    return ModelFile(
        name=path.stem,
        codec=codec,
        config=config,
        info=info,
        hash=hashlib.sha256(path.read_bytes()).digest()[:4],
        tensors=tensors,
    )


def read_any_model(name: str | Path) -> ModelFile:
    """Reads a model of whatever codec.

    Raises:
        WeightsError: missing, damaged, or without a codec or a configuration.
    """
    return read_model(name, str(describe_model(name).get("codec", "")))


def _config(path: Path, text: str) -> dict:
    """The configuration in a file's metadata.

    Raises:
        WeightsError: there is none.
    """
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):  # no JSON, numbers of thousands of digits, endless brackets
        config = None
    if not isinstance(config, dict):
        raise WeightsError(f"weights with a bad configuration: {path}: no table of the network's arguments")
    return config


def write_model(
    path: Path,
    codec: str,
    config: dict,
    tensors: dict,
    info: dict[str, str],
    compact: bool = False,
    base: ModelFile | None = None,
    fine: tuple[str, ...] = (),
) -> None:
    """Writes a model in half precision; the file is whole or not there.

    Args:
        path: ends in ``.safetensors``.
        codec: name of the codec it belongs to.
        config: JSON-able keyword arguments of the codec's network.
        tensors: a ``state_dict``.
        info: further strings for the metadata.
        compact: in eight bits instead, see `gr_jscc.weights.compact`.
        base: a model that ships, from which these weights were trained on: they are written as what they differ by from
            its, in four bits, see `gr_jscc.weights.difference`.
        fine: with ``base``, beginnings of names of tensors whose differences are stored in eight bits.

    Raises:
        WeightsError: not all of it is finite; nothing is written.
        OSError: the disk is full or cannot be written; a file of that name is untouched.
    """
    import torch
    from safetensors.torch import save

    from gr_jscc.weights.compact import compacted, halved
    from gr_jscc.weights.difference import differences, named

    if base is None:
        stored = compacted(tensors) if compact else halved(tensors)
    else:
        stored, config = differences(tensors, base.tensors, fine), config | {"base": named(base)}
    bad = [key for key, value in stored.items() if not torch.isfinite(value).all()]
    if bad:
        raise WeightsError(f"{path.stem} has weights that are not finite in half precision, such as {bad[0]}")
    with whole(path) as part:
        part.write_bytes(save(stored, metadata={"codec": codec, "config": json.dumps(config), **info}))
