"""Packs folders of photos into few megabytes, to train on a machine that only gets a copy of the checkout.

    python scripts/pack_photos.py OUT --mebibytes 22 FOLDER …

Photos are written as WebP of one quality, the best with which all fit; larger ones than `LARGEST` pixels are scaled
down first. Training cuts crops at 1 to 2 times their size and scales them down, which washes most of the artefacts out.
"""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path

from PIL import Image

from gr_jscc.datasets.photos import image_files
from gr_jscc.imaging import load_image

LARGEST = 400_000  # pixels
QUALITIES = range(95, 25, -5)
SAMPLE = 12  # every so-manieth photo tells the size of all


def shrunk(path: Path) -> Image.Image:
    """A photo of at most `LARGEST` pixels."""
    photo = Image.fromarray(load_image(path))
    factor = (LARGEST / (photo.width * photo.height)) ** 0.5
    if factor >= 1:
        return photo
    return photo.resize((round(photo.width * factor), round(photo.height * factor)), Image.Resampling.LANCZOS)


def webp(photo: Image.Image, quality: int) -> bytes:
    """A photo's file."""
    file = io.BytesIO()
    photo.save(file, "webp", quality=quality, method=4)
    return file.getvalue()


def pack(folders: list[Path], out: Path, most: int) -> tuple[int, int, int]:
    """Writes a pack of at most ``most`` bytes.

    Returns:
        photos, bytes and the quality.

    Raises:
        SystemExit: not even the lowest quality fits.
    """
    files = image_files(folders)
    sample = [shrunk(path) for path in files[::SAMPLE]]
    for quality in QUALITIES:
        if sum(len(webp(photo, quality)) for photo in sample) * len(files) > most * len(sample):
            continue
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        total = 0
        for i, path in enumerate(files):
            data = webp(shrunk(path), quality)
            total += len(data)
            (out / f"{i:04d}.webp").write_bytes(data)
        if total <= most:
            return len(files), total, quality
    raise SystemExit(f"{len(files)} photos do not fit into {most} bytes at quality {QUALITIES[-1]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--mebibytes", type=float, default=22.0, help="most of the pack")
    given = parser.parse_args()
    count, size, chosen = pack(given.folders, given.out, int(given.mebibytes * 2**20))
    print(f"{count} photos, {size / 2**20:.1f} MiB, WebP quality {chosen}: {given.out}")
