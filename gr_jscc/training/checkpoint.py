"""Checkpoints: a folder of safetensors shards and one JSON file, whole or not there.

No pickles, and no shard above `SHARD` bytes, so that a checkpoint can travel where files are limited.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

SHARD = 12 * 2**20
KEEP = 2  # newest checkpoints to keep


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
    """
    target, part = folder / f"step-{step:07d}", folder / "part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for group, content in tensors.items():
        for i, shard in enumerate(_shards(content)):
            save_file(shard, str(part / f"{group}-{i}.safetensors"))
    (part / "state.json").write_text(json.dumps({"step": step, **state}))
    shutil.rmtree(target, ignore_errors=True)
    os.replace(part, target)
    for old in checkpoints(folder)[:-KEEP]:
        shutil.rmtree(old)
    return target


def checkpoints(folder: Path) -> list[Path]:
    """The whole checkpoints of a run, oldest first."""
    return sorted(path.parent for path in folder.glob("step-*/state.json"))


def load_checkpoint(path: Path) -> tuple[dict[str, dict[str, Tensor]], dict]:
    """What `save_checkpoint` was given: tensors by group, and the state with ``step``."""
    groups: dict[str, dict[str, Tensor]] = {}
    for file in sorted(path.glob("*.safetensors")):
        groups.setdefault(file.stem.rsplit("-", 1)[0], {}).update(load_file(str(file)))
    return groups, json.loads((path / "state.json").read_text())


def optimiser_tensors(optimiser: torch.optim.Optimizer, names: list[str]) -> dict[str, dict[str, Tensor]]:
    """Adam's moments by parameter name, as two groups; parameters never stepped are left out."""
    state = optimiser.state_dict()["state"]
    return {moment: {names[i]: values[moment] for i, values in state.items()} for moment in ("exp_avg", "exp_avg_sq")}


def restore_optimiser(
    optimiser: torch.optim.Optimizer, names: list[str], groups: dict[str, dict[str, Tensor]], step: int
) -> None:
    """Puts back what `optimiser_tensors` took."""
    content = optimiser.state_dict()
    content["state"] = {
        i: {
            "step": torch.tensor(float(step)),
            "exp_avg": groups["exp_avg"][name],
            "exp_avg_sq": groups["exp_avg_sq"][name],
        }
        for i, name in enumerate(names)
        if name in groups.get("exp_avg", {})
    }
    optimiser.load_state_dict(content)
