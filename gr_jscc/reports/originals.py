"""The pictures that were sent, where a receiving host has them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from gr_jscc import telling
from gr_jscc.files.names import readable
from gr_jscc.imaging import ImageError, expand_inputs, load_image


def finder(folder: str) -> Callable[[str], np.ndarray | None]:
    """A function from a picture's name to the picture uint8[H, W, 3] in a folder, or to None.

    One that cannot be read is told of and counts as none: what arrived is worth more than its PSNR.

    Args:
        folder: "" when there is none.

    Raises:
        ImageError: it holds no picture.
    """
    files = {readable(path.name): path for path in expand_inputs([folder])} if folder else {}

    @lru_cache(maxsize=8)
    def find(name: str) -> np.ndarray | None:
        path = files.get(Path(name).name)
        try:
            return None if path is None else load_image(path)
        except ImageError as error:
            telling.remark("originals", f"no PSNR: {error}")
            return None

    return find
