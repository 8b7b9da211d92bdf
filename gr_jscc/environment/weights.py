"""Check of the weights that ship."""

from __future__ import annotations

import json
from pathlib import Path

from gr_jscc.environment import installed
from gr_jscc.environment.check import Check


def check_weights(folder: Path = installed.PACKAGE / "weights") -> Check:
    files = sorted(folder.glob("*.safetensors"))
    remedy = installed.restore("gr_jscc/weights")
    if not files:
        return Check("weights", False, f"no *.safetensors in {folder}", "codecs", remedy)
    broken = [file.name for file in files if not _whole_safetensors(file)]
    if broken:
        return Check("weights", False, "damaged: " + ", ".join(broken), "codecs", remedy)
    size = sum(file.stat().st_size for file in files) / 1e6
    return Check("weights", True, f"{len(files)} in {folder}, {size:.1f} MB", "codecs")


def _whole_safetensors(file: Path) -> bool:
    """Whether the file has the length that its header names, so a cut download or an LFS pointer is noticed."""
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= size - 8:
                return False
            header = json.loads(stream.read(length))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        return size == 8 + length + max(ends, default=0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return False
