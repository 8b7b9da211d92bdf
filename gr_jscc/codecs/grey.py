"""The picture that stands where there is none."""

from __future__ import annotations

import numpy as np


def grey_picture(height: int, width: int) -> np.ndarray:
    """What a receiver shows when nothing usable arrived: uint8[height, width, 3] of mid-grey.

    It cannot be written to and takes no memory, since anybody can have many large ones shown.
    """
    return np.broadcast_to(np.uint8(128), (height, width, 3))
