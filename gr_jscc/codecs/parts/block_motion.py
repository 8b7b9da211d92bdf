"""Motion between two pictures, block by block: a search for it, and a picture moved by it.

A vector (down, right) in half pixels says where in the reference a block of 16×16 pixels is taken from. Neighbouring
blocks overlap, so that a picture that was moved has no edges between them (Orchard & Sullivan 1994, "Overlapped block
motion compensation").
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numba import njit
from torch import Tensor

from gr_jscc.codecs.parts.vector_coding import REACH

BLOCK = 16  # pixels of a block's side
_COARSE = 4  # pixels of a side that are one in the first search
_RIM = 2  # coarse pixels around a block that are compared as well: it alone is too small to be recognised
_FAR = REACH // (2 * _COARSE)  # coarse pixels
_NEARER = 0.3  # cost of a coarse pixel of distance, in grey levels: of what is alike the nearest is taken
_MOST_STEPS = 8
_NEAR = 0.59375  # share of a pixel beside, in a value between two; the cubic kernel's, as PyTorch has it


def field_size(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of blocks of a picture."""
    return -(-height // BLOCK), -(-width // BLOCK)


def motion(image: Tensor, reference: Tensor, penalty: float) -> np.ndarray:
    """Where each block of a picture was, int32[rows, columns, 2] in half pixels, at most `REACH`.

    Args:
        image, reference: float32[1, 3, H, W] in [0, 1].
        penalty: cost of a vector's difference from its neighbours, in grey levels times pixels for each half pixel.

    Example:
        >>> picture = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
        >>> motion(picture.roll((2, -3), (2, 3)), picture, penalty=80.0)[1, 2].tolist()
        [-4, 6]
    """
    image, reference = _luma(image), _luma(reference)
    small, small_reference = (F.avg_pool2d(x, _COARSE, ceil_mode=True)[0, 0].numpy() for x in (image, reference))
    start = _coarse_search(small, small_reference, BLOCK // _COARSE, _FAR)
    rows, columns = field_size(*image.shape[2:])
    start = np.ascontiguousarray(start[:rows, :columns]) * 2 * _COARSE
    image, reference = (np.ascontiguousarray(x[0, 0].numpy()) for x in (image, reference))
    return _search(image, _doubled(reference[..., None])[..., 0], start, penalty)


def moved(reference: Tensor, vectors: np.ndarray) -> Tensor:
    """A picture float32[1, 3, H, W] as int[rows, columns, 2] have it move; beyond its edges they are repeated.

    Example:
        >>> picture = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(1))
        >>> right = moved(picture, np.tile(np.array([0, -4], np.int32), (3, 4, 1)))
        >>> bool(torch.allclose(right[..., 2:], picture[..., :-2], atol=1e-5))
        True
    """
    doubled = _doubled(np.ascontiguousarray(reference[0].float().cpu().permute(1, 2, 0).numpy()))
    picture = torch.from_numpy(_moved(doubled, *reference.shape[2:], vectors))
    return picture.permute(2, 0, 1)[None].clamp(0, 1).to(reference.device)


def _luma(image: Tensor) -> Tensor:
    return (image.float().cpu() * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True) * 255


@njit(cache=True)
def _within(place: int, length: int) -> int:
    return min(max(place, 0), length - 1)


@njit(cache=True)
def _doubled(image: np.ndarray) -> np.ndarray:
    """Values between the pixels as well, by cubic interpolation: float32[2H − 1, 2W − 1, C] of float32[H, W, C]."""
    height, width, colours = image.shape
    out = np.empty((2 * height - 1, 2 * width - 1, colours), np.float32)
    near, far = np.float32(_NEAR), np.float32(0.5 - _NEAR)
    for y in range(height):
        for x in range(width):
            before, after, last = _within(x - 1, width), _within(x + 1, width), _within(x + 2, width)
            for colour in range(colours):
                out[2 * y, 2 * x, colour] = image[y, x, colour]
                if x + 1 < width:
                    inner, outer = image[y, x, colour] + image[y, after, colour], image[y, before, colour]
                    out[2 * y, 2 * x + 1, colour] = near * inner + far * (outer + image[y, last, colour])
    for y in range(height - 1):
        before, last = 2 * _within(y - 1, height), 2 * _within(y + 2, height)
        for x in range(2 * width - 1):
            for colour in range(colours):
                inner = out[2 * y, x, colour] + out[2 * y + 2, x, colour]
                out[2 * y + 1, x, colour] = near * inner + far * (out[before, x, colour] + out[last, x, colour])
    return out


@njit(cache=True)
def _coarse_search(image: np.ndarray, reference: np.ndarray, block: int, far: int) -> np.ndarray:
    """The best of all vectors up to ``far``, for each block with a rim."""
    height, width = image.shape
    best_of = np.zeros(((height + block - 1) // block, (width + block - 1) // block, 2), np.int32)
    for row in range(best_of.shape[0]):
        for column in range(best_of.shape[1]):
            least = np.float32(np.inf)
            for down in range(-far, far + 1):
                for right in range(-far, far + 1):
                    cost = np.float32(_NEARER * (abs(down) + abs(right)))
                    for y in range(max(0, row * block - _RIM), min(height, (row + 1) * block + _RIM)):
                        from_y = _within(y + down, height)
                        for x in range(max(0, column * block - _RIM), min(width, (column + 1) * block + _RIM)):
                            cost += abs(image[y, x] - reference[from_y, _within(x + right, width)])
                    if cost < least:
                        least = cost
                        best_of[row, column, 0], best_of[row, column, 1] = down, right
    return best_of


@njit(cache=True)
def _difference(
    image: np.ndarray, doubled: np.ndarray, top: int, left: int, down: int, right: int, most: float
) -> float:
    """Sum of absolute differences of a block; more than ``most`` where it is more."""
    height, width = image.shape
    total = np.float32(0)
    for y in range(top, min(top + BLOCK, height)):
        from_y = _within(2 * y + down, doubled.shape[0])
        for x in range(left, min(left + BLOCK, width)):
            total += abs(image[y, x] - doubled[from_y, _within(2 * x + right, doubled.shape[1])])
        if total > most:
            break
    return total


@njit(cache=True)
def _prediction(vectors: np.ndarray, row: int, column: int) -> tuple[int, int]:
    """About what the coder predicts a vector by: the median of those to the left, above and above to the right."""
    left = vectors[row, max(column - 1, 0)] if column > 0 or row == 0 else vectors[row - 1, column]
    above = vectors[max(row - 1, 0), column] if row > 0 else left
    right = vectors[max(row - 1, 0), min(column + 1, vectors.shape[1] - 1)] if row > 0 else left
    down = left[0] + above[0] + right[0] - min(left[0], above[0], right[0]) - max(left[0], above[0], right[0])
    across = left[1] + above[1] + right[1] - min(left[1], above[1], right[1]) - max(left[1], above[1], right[1])
    return down, across


@njit(cache=True)
def _search(image: np.ndarray, doubled: np.ndarray, start: np.ndarray, penalty: float) -> np.ndarray:
    """Vectors that differ little from their neighbours, found from ``start``, from none, and from the neighbours'."""
    rows, columns = start.shape[:2]
    vectors = np.zeros((rows, columns, 2), np.int32)
    for _ in range(2):
        for row in range(rows):
            for column in range(columns):
                top, left = row * BLOCK, column * BLOCK
                guess_y, guess_x = _prediction(vectors, row, column)
                best_y, best_x, least = 0, 0, np.float32(np.inf)
                for place in range(11):
                    if place == 0:
                        y, x = 0, 0
                    elif place == 1:
                        y, x = start[row, column]
                    else:  # the vectors around it, and the own one; below, those of the first time
                        y = vectors[_within(row + (place - 2) // 3 - 1, rows), _within(column + place % 3 - 1, columns)]
                        y, x = y[0], y[1]
                    cost = penalty * _apart(y, x, guess_y, guess_x)
                    cost += _difference(image, doubled, top, left, y, x, least - cost)
                    if cost < least:
                        best_y, best_x, least = y, x, cost
                step = 4
                while step:
                    for _step in range(_MOST_STEPS):
                        middle_y, middle_x = best_y, best_x
                        for place in range(9):
                            y, x = middle_y + (place // 3 - 1) * step, middle_x + (place % 3 - 1) * step
                            if max(abs(y), abs(x)) > REACH:
                                continue
                            cost = penalty * _apart(y, x, guess_y, guess_x)
                            cost += _difference(image, doubled, top, left, y, x, least - cost)
                            if cost < least:
                                best_y, best_x, least = y, x, cost
                        if (best_y, best_x) == (middle_y, middle_x):
                            break
                    step //= 2
                vectors[row, column, 0], vectors[row, column, 1] = best_y, best_x
    return vectors


@njit(cache=True)
def _apart(y: int, x: int, guess_y: int, guess_x: int) -> int:
    """About what a vector takes beside its prediction: two, and its distance from it."""
    distance = abs(y - guess_y) + abs(x - guess_x)
    return distance + 2 if distance else 0


@njit(cache=True)
def _moved(doubled: np.ndarray, height: int, width: int, vectors: np.ndarray) -> np.ndarray:
    """Each pixel from four places, as the blocks around it have it, weighted by how near their middles are."""
    rows, columns = vectors.shape[:2]
    out = np.zeros((height, width, doubled.shape[2]), np.float32)
    for y in range(height):
        row = (y + BLOCK // 2) // BLOCK - 1
        lower = (y - BLOCK // 2 - row * BLOCK + 0.5) / BLOCK
        for x in range(width):
            column = (x + BLOCK // 2) // BLOCK - 1
            further = (x - BLOCK // 2 - column * BLOCK + 0.5) / BLOCK
            for place in range(4):
                down, right = place // 2, place % 2
                weight = np.float32((lower if down else 1 - lower) * (further if right else 1 - further))
                vector = vectors[_within(row + down, rows), _within(column + right, columns)]
                from_y = _within(2 * y + vector[0], doubled.shape[0])
                from_x = _within(2 * x + vector[1], doubled.shape[1])
                for colour in range(doubled.shape[2]):
                    out[y, x, colour] += weight * doubled[from_y, from_x, colour]
    return out
