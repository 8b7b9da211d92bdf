#!/usr/bin/env bash
# image-similarity-measures: FSIM and SAM calculate in the pictures' unsigned integers, where edges wrap round and a
#   picture is 90 degrees away from itself; one black pixel makes any two pictures equal.
#
# Seen with: image-similarity-measures 0.3.6, numpy 1.26.4, opencv-python-headless 4.11.0.86, phasepack 1.5.
# One would expect: evaluation("a.png", "b.png", ["fsim", "sam"]), as in the README, compares the gradients of 8-bit
#   pictures as FSIM's paper does, whichever way they face; and SAM, the mean angle between the pixels as vectors, is 0
#   for a picture and itself, and for another picture is not.
# What happens: no error and no warning.
#   * FSIM sees no edge at all from bright to dark (rightwards or downwards). Of the edges from dark to bright, a step
#     of 10 has the gradient 160, as it should, one of 16 has 0, of 100 has 64, of 255 has 16. A picture at a tenth of
#     its contrast scores better than the blurred one, by 0.05, where it is worse by 0.18. Turned round, two pictures
#     have another FSIM.
#   * SAM is nearly 90 degrees, whatever is compared, unless the pictures are very dark. As soon as one pixel is black
#     in one of the two, it is 0.
# Where it comes from: quality_metrics.py. _gradient_magnitude has OpenCV's Scharr saturate to CV_16U, which makes 0 of
#   what is negative, and squares in these 16 bits, modulo 65536; floats as input do not help, the type is fixed. sam
#   multiplies uint8 by uint8, modulo 256, while the norms it divides by are right. For a black pixel it divides 0 by 0,
#   and np.nan_to_num is put round the mean of all angles instead of inside it.
# Why it matters: FSIM is a column in tables of perceptual quality, and blur and loss of contrast are what it is to tell
#   apart; a SAM of 0 in a sweep is a perfect result. Remedy: sam(a.astype(float), b.astype(float)) without the black
#   pixels; for FSIM a _gradient_magnitude in floats put in its place, as below.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile \
    "numpy==1.26.4" "scipy==1.16.2" "opencv-python-headless==4.11.0.86" "wheel==0.45.1"
"$work/venv/bin/pip" install --quiet --no-compile --no-deps --no-build-isolation --use-pep517 "phasepack==1.5"
"$work/venv/bin/pip" install --quiet --no-compile --no-deps "image-similarity-measures==0.3.6"
"$work/venv/bin/python" -W ignore - "$work" <<'PY'
import importlib.metadata
import sys
from types import ModuleType

import cv2
import numpy as np

sys.modules["skimage"], sys.modules["skimage.metrics"] = ModuleType("skimage"), ModuleType("skimage.metrics")
sys.modules["skimage.metrics"].structural_similarity = None  # only for SSIM
from image_similarity_measures import quality_metrics  # noqa: E402
from image_similarity_measures.evaluate import evaluation  # noqa: E402

NAMES = ("image-similarity-measures", "numpy", "opencv-python-headless", "phasepack")
print(*(f"{name} {importlib.metadata.version(name)}" for name in NAMES))
theirs = quality_metrics._gradient_magnitude


def scharr(band, _=None):
    """The same operator in floats, without OpenCV."""
    padded = np.pad(band.astype(float), 1, "reflect")
    across, down = padded[:, 2:] - padded[:, :-2], padded[2:] - padded[:-2]
    across = 3 * across[:-2] + 10 * across[1:-1] + 3 * across[2:]
    down = 3 * down[:, :-2] + 10 * down[:, 1:-1] + 3 * down[:, 2:]
    return np.hypot(across, down)


def measured(metric, *pictures, gradient=theirs):
    """By the package, from two files, as in its README."""
    paths = [f"{sys.argv[1]}/{number}.png" for number in range(2)]
    for path, picture in zip(paths, pictures):
        cv2.imwrite(path, picture)
    quality_metrics._gradient_magnitude = gradient
    return evaluation(*paths, [metric])[metric]


def mean_angle(first, second):
    """SAM in floats, of the pixels that have an angle, by the arc tangent of half angles."""
    first, second = (picture.reshape(-1, 3).astype(float) for picture in (first, second))
    lit = first.any(1) & second.any(1)
    first, second = (vectors[lit] / np.linalg.norm(vectors[lit], axis=1)[:, None] for vectors in (first, second))
    apart, along = (np.linalg.norm(vectors, axis=1) for vectors in (first - second, first + second))
    return float(np.degrees(2 * np.arctan2(apart, along)).mean())


# A picture of 25 discs without a black pixel, and others of it.
rng = np.random.default_rng(1)
rows, columns = np.mgrid[:128, :128]
picture = np.full((128, 128, 3), 60.0)
for _ in range(25):
    row, column = rng.uniform(0, 128, 2)
    picture[(rows - row) ** 2 + (columns - column) ** 2 < rng.uniform(6, 28) ** 2] = rng.uniform(1, 255, 3)
picture = np.clip(np.round(cv2.GaussianBlur(picture, (0, 0), 0.8)), 1, 255).astype(np.uint8)
OTHERS = {
    "itself": picture,
    "blurred": cv2.GaussianBlur(picture, (0, 0), 2),
    "9/10 of the contrast": np.round((picture - 128.0) * 0.9 + 128).astype(np.uint8),
    "1/10 of the contrast": np.round((picture - 128.0) * 0.1 + 128).astype(np.uint8),
}

gradients = {}
for height in (10, 16, 100, 255):
    band = np.zeros((8, 8), np.uint8)
    band[:, 4:] = height
    sides = band, np.ascontiguousarray(band[:, ::-1])
    gradients[height] = [int(calculate(side, cv2.CV_16U).max()) for calculate in (theirs, scharr) for side in sides]
    print(f"a step of {height}: gradient {gradients[height][0]} upwards, {gradients[height][1]} downwards; "
          f"in floats {gradients[height][2]}, {gradients[height][3]}")  # fmt: skip
as_seen = [values[:2] for values in gradients.values()] == [[160, 0], [0, 0], [64, 0], [16, 0]]
as_seen = as_seen and all(values[2:] == [16 * height] * 2 for height, values in gradients.items())
fsim, sam = {}, {}
for name, other in OTHERS.items():
    fsim[name] = [measured("fsim", picture, other, gradient=gradient) for gradient in (theirs, scharr)]
    sam[name] = [measured("sam", picture, other), mean_angle(picture, other)]
    print(f"{name}: FSIM {fsim[name][0]:.3f}, with gradients in floats {fsim[name][1]:.3f}; "
          f"SAM {sam[name][0]:.1f} degrees, in floats {sam[name][1]:.1f}")  # fmt: skip
turned = [np.ascontiguousarray(side[::-1]) for side in (picture, OTHERS["blurred"])]
fsim_turned = [measured("fsim", *turned, gradient=gradient) for gradient in (theirs, scharr)]
dotted = picture.copy()
dotted[0, 0] = 0
black = [measured("sam", dotted, 255 - picture), mean_angle(dotted, 255 - picture)]
print(f"blurred, both upside down: FSIM {fsim_turned[0]:.3f}, in floats {fsim_turned[1]:.3f}")
print(f"a picture with one black pixel, and its negative: SAM {black[0]:.1f} degrees, in floats {black[1]:.1f}")
as_seen = as_seen and all(there > 85 and right < 30 for there, right in sam.values()) and sam["itself"][1] < 1e-5
as_seen = as_seen and black[0] == 0 and black[1] > 20
(blurred, blurred_right), (faint, faint_right) = fsim["blurred"], fsim["1/10 of the contrast"]
as_seen = as_seen and faint > blurred + 0.03 and faint_right < blurred_right - 0.15
as_seen = as_seen and abs(fsim_turned[0] - blurred) > 0.01 and abs(fsim_turned[1] - blurred_right) < 1e-3
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
PY
