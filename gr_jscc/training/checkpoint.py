"""Checkpoints: a folder of safetensors shards and one JSON file, whole or not there.

No pickles, and no shard above `SHARD` bytes, so that a checkpoint can travel where files are limited. The JSON file has
a checksum of every shard: what a failing disk or power left of one is known for that.
"""

from __future__ import annotations

import json
import shutil
import zlib
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from gr_jscc.errors import UserError
from gr_jscc.files.whole import put_in_place

SHARD = 12 * 2**20
KEEP = 2  # newest checkpoints to keep


class CheckpointError(UserError):
    """A checkpoint is damaged.

    Example:
        >>> load_checkpoint(Path("run"))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        gr_jscc.training.checkpoint.CheckpointError: checkpoint run is damaged: ...
    """


def _shards(tensors: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    shards: list[dict[str, Tensor]] = [{}]
    room = SHARD
    for key, value in tensors.items():
        size = value.numel() * value.element_size()
        if shards[-1] and size > room:
            shards.append({})
            room = SHARD
        shards[-1][key] = value.detach().cpu().contiguous()
        room -= size
    return shards


def save_checkpoint(folder: Path, step: int, tensors: dict[str, dict[str, Tensor]], state: dict) -> Path:
    """Writes ``folder/step-N`` and removes all but the newest `KEEP`.

    Args:
        folder: of the run.
        step: optimiser steps done.
        tensors: group name → tensors, e.g. the network's and the optimiser's.
        state: what JSON can hold.

    Raises:
        OSError: the disk is full or cannot be written; the checkpoints before are untouched.
    """
    target, part = folder / f"step-{step:07d}", folder / "part"
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        checksums = {}
        for group, content in tensors.items():
            for i, shard in enumerate(_shards(content)):
                data = safetensors.torch.save(shard)
                (part / f"{group}-{i}.safetensors").write_bytes(data)
                checksums[f"{group}-{i}.safetensors"] = zlib.crc32(data)
        (part / "state.json").write_text(json.dumps({"step": step, **state, "files": checksums}))
        put_in_place(part, target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)  # on a full disk the next one needs its room
        raise
    others = [path for path in checkpoints(folder) if path != target]  # later ones are damaged, or were not asked for
    for old in others[: 1 - KEEP]:
        shutil.rmtree(old)
    return target


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run, oldest first; whether they can be read `load_checkpoint` finds out."""
    return sorted(path for path in folder.glob("step-[0-9]*") if path.is_dir())


def load_checkpoint(path: Path) -> tuple[dict[str, dict[str, Tensor]], dict]:
    """What `save_checkpoint` was given: tensors by group, and the state with ``step``.

    Raises:
        CheckpointError: something of it is missing or damaged.
    """
    groups: dict[str, dict[str, Tensor]] = {}
    try:
        state = json.loads((path / "state.json").read_text())
        step, checksums = int(state["step"]), state.pop("files", None)  # older ones have no checksums
        names = sorted(file.name for file in path.glob("*.safetensors")) if checksums is None else checksums
        for name in names:
            data = (path / name).read_bytes()
            if checksums is not None and zlib.crc32(data) != checksums[name]:
                raise ValueError(f"{name} is damaged")
            groups.setdefault(name.removesuffix(".safetensors").rsplit("-", 1)[0], {}).update(
                safetensors.torch.load(data)
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        reason = "state.json is damaged" if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)) else error
        raise CheckpointError(f"checkpoint {path} is damaged: {reason}") from error
    return groups, state | {"step": step}


def optimiser_tensors(optimiser: torch.optim.Optimizer, names: list[str]) -> dict[str, dict[str, Tensor]]:
    """Adam's moments by parameter name, as two groups; parameters never stepped are left out."""
    state = optimiser.state_dict()["state"]
    return {moment: {names[i]: values[moment] for i, values in state.items()} for moment in ("exp_avg", "exp_avg_sq")}


def restore_optimiser(
    optimiser: torch.optim.Optimizer, names: list[str], groups: dict[str, dict[str, Tensor]], step: int
) -> None:
    """Puts back what `optimiser_tensors` took."""
    content = optimiser.state_dict()
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    content["state"] = {
        i: {
            "step": torch.tensor(float(step)),
            "exp_avg": _laid_out_as(parameters[i], groups["exp_avg"][name]),
            "exp_avg_sq": _laid_out_as(parameters[i], groups["exp_avg_sq"][name]),
        }
        for i, name in enumerate(names)
        if name in groups.get("exp_avg", {})
    }
    optimiser.load_state_dict(content)


def _laid_out_as(parameter: Tensor, moment: Tensor) -> Tensor:
    """A moment in the memory format of its parameter, which files do not keep.

    torch's fused optimisers go through both in the order of memory and do not look (findings/fused-adamw-layout.sh).
    """
    if moment.shape != parameter.shape:
        return moment
    return torch.empty_like(parameter).copy_(moment)
