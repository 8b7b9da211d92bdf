"""Reading the images a person sends and writing the ones that arrive.

Every image becomes ``uint8[H, W, 3]`` in RGB, as a viewer would show it:

* grey, palette, CMYK and YCbCr images are converted to RGB; embedded colour profiles are ignored;
* transparent images are laid on white, those with a transparent colour key of any depth too;
* 16-bit images are scaled to 8 bits, not clipped;
* photos are turned upright by their EXIF orientation;
* of animations the first frame is taken.

What cannot be sent is refused with an `ImageError` whose message is one line naming the file. Images of more than
`MAX_PIXELS` pixels or with a side over `MAX_SIDE` are refused from their header, before any pixel is decoded.
"""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from gr_jscc.errors import UserError
from gr_jscc.files.whole import whole

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "MAX_SIDE",
    "ImageError",
    "expand_inputs",
    "image_array",
    "load_image",
    "save_image",
]

MAX_PIXELS = 64_000_000
"""The largest image that is sent, in pixels."""

MAX_SIDE = 16384
"""The longest side of an image that is sent, in pixels."""

IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".jp2",
    ".apng", ".j2k", ".jfif", ".jpe", ".jpx", ".mpo", ".pbm", ".pnm",
)  # fmt: skip
"""What counts as an image when a folder is given."""

# Formats that decode without helper programs (EPS would start Ghostscript).
_FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "AVIF", "BMP", "GIF", "TIFF", "PPM", "JPEG2000")

# Of photos zlib's fastest level makes files as small as its usual one does, in a third of the time.
_JPEG = {"quality": 95, "subsampling": 0}
_SAVING = {"JPEG": _JPEG, "MPO": _JPEG, "PNG": {"compress_level": 1}}


class ImageError(UserError):
    """An image cannot be read, sent or written; the message is one line for the user and names the file.

    Example:
        >>> load_image("nowhere.png")
        Traceback (most recent call last):
            ...
        gr_jscc.imaging.ImageError: nowhere.png: no such file
    """


def load_image(path: str | os.PathLike) -> np.ndarray:
    """The image in the file `path` as contiguous ``uint8[H, W, 3]``, ready to be sent."""
    path = Path(path)
    _check_file(path)
    with warnings.catch_warnings():
        # Pillow's own limits come later than ours, and its remarks on odd metadata help nobody here.
        warnings.simplefilter("ignore")
        with _open(path) as image:
            width, height = image.size
            _check_size(path, width, height)
            bits = _bits(image)
            try:
                image.load()
            except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, …
                raise ImageError(f"{path}: damaged or truncated image ({_one_line(error)})") from error
            return _converted(path, _upright(image), bits)


def image_array(image: Image.Image, name: str = "image") -> np.ndarray:
    """A Pillow image as contiguous ``uint8[H, W, 3]``, converted as `load_image` converts files.

    Args:
        image: it is left as it is.
        name: for messages.

    Raises:
        ImageError: too large, damaged, or of pixels that are not sent.
    """
    path = Path(name)
    _check_size(path, *image.size)
    try:
        image = image.copy()  # which decodes it
    except Exception as error:  # as in `load_image`
        raise ImageError(f"{path}: damaged or truncated image ({_one_line(error)})") from error
    return _converted(path, _upright(image), 8)


def save_image(path: str | os.PathLike, image: np.ndarray) -> None:
    """Write ``uint8[H, W, 3]`` to `path` in the format its suffix names, whole or not at all.

    Missing parent folders are made. A file of that name is replaced only once the new one is complete.
    """
    path = Path(path)
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ImageError(f"{path}: can only save uint8[H, W, 3], not {image.dtype}{list(image.shape)}")
    Image.init()
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind not in Image.SAVE or kind not in _FORMATS:
        raise ImageError(f"{path}: unknown image format '{path.suffix}'; use .png, .jpg, .webp, .bmp, .tif or .ppm")
    if path.is_dir():
        raise ImageError(f"{path}: is a folder, not a file")
    options = _SAVING.get(kind, {})

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part, open(part, "xb") as file:
            Image.fromarray(np.ascontiguousarray(image)).save(file, format=kind, **options)
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: cannot be written ({_reason(error)})") from error


def expand_inputs(paths: Iterable[str | os.PathLike]) -> list[Path]:
    """The image files that `paths` name: files as they are, folders as the images in them, sorted by name.

    Folders are not searched for folders within, and what is hidden is passed over. Nothing is opened here: whether a
    file that was named, or what is called an image in a folder, is one `load_image` judges.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if not _stat_is(path, stat.S_ISDIR):
            _check_file(path)
            files.append(path)
            continue
        try:
            inside = sorted(
                entry
                for entry in path.iterdir()
                if entry.suffix.lower() in IMAGE_SUFFIXES and not entry.name.startswith(".")
            )
        except OSError as error:
            raise ImageError(f"{path}: folder cannot be read ({_reason(error)})") from error
        if not inside:
            raise ImageError(f"{path}: no images in this folder (looked for {' '.join(IMAGE_SUFFIXES)})")
        files += inside
    if not files:
        raise ImageError("no image given")
    return files


def _stat_is(path: Path, kind) -> bool:
    try:
        return kind(path.stat().st_mode)
    except (OSError, ValueError):  # ValueError: a null byte in the name
        return False


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{str(path)!r}: cannot be read ({_reason(error)})") from error
    if stat.S_ISDIR(status.st_mode):
        raise ImageError(f"{path}: is a folder, not an image")
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(f"{path}: is not a regular file")
    if status.st_size == 0:
        raise ImageError(f"{path}: file is empty")


def _open(path: Path) -> Image.Image:
    Image.init()
    try:
        return Image.open(path, formats=[name for name in _FORMATS if name in Image.OPEN])
    except UnidentifiedImageError:
        raise ImageError(f"{path}: not an image, of an unknown format, or truncated at its start") from None
    except Image.DecompressionBombError as error:
        # Pillow gives up at 179 megapixels, from the header.
        raise ImageError(f"{path}: image too large, {_limits()}") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({_reason(error)})") from error
    except Exception as error:
        raise ImageError(f"{path}: damaged image ({_one_line(error)})") from error


def _check_size(path: Path, width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise ImageError(f"{path}: image has no pixels ({width}×{height})")
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise ImageError(f"{path}: image too large, {width}×{height}; {_limits()}")


def _limits() -> str:
    return f"the limit is {MAX_PIXELS // 1_000_000} megapixels and {MAX_SIDE} a side"


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # unreadable EXIF data must not cost the image
        return image


def _bits(image: Image.Image) -> int:
    """Bits of a sample in the file of an image that is not loaded yet: Pillow hands out 8 of most."""
    raw = str(image.tile[0][3]) if image.format == "PNG" and image.tile else ""
    return next((bits for bits in (2, 4, 16) if raw.endswith((f";{bits}", f";{bits}B"))), 8)


def _to_rgb(path: Path, image: Image.Image, bits: int) -> Image.Image:
    if image.mode.startswith("I"):
        return _from_integers(path, image)
    if image.mode == "F":
        raise ImageError(f"{path}: images with floating-point pixels are not supported; convert it to 8 or 16 bits")
    key = image.info.get("transparency")
    if image.mode == "L" and isinstance(key, int):
        # The key is written as the file's samples are, which are spread over 0 to 255 by now.
        image.info["transparency"] = key % 2**bits * 255 // (2**bits - 1)
    if image.mode == "RGB" and bits == 16 and key is not None:
        return _without_deep_colour(path, image, key)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or key is not None:
        over = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")
    return image.convert("RGB")


def _from_integers(path: Path, image: Image.Image) -> Image.Image:
    """Grey of 16 bits (modes I;16…, and I where Pillow widens 16 bits to 32), scaled so that 65535 becomes 255."""
    grey = np.asarray(image).astype(np.int64)
    if grey.min() < 0 or grey.max() > 65535:
        raise ImageError(f"{path}: images with 32-bit pixels are not supported; convert it to 8 or 16 bits")
    grey[grey == image.info.get("transparency", -1)] = 65535  # white
    return Image.fromarray(((grey + 128) // 257).astype(np.uint8)).convert("RGB")


def _without_deep_colour(path: Path, image: Image.Image, key: tuple[int, int, int]) -> Image.Image:
    """White in place of a colour of 3 × 16 bits, of which the image holds the upper 8: the lower are read as well."""
    with _open(path) as again:
        again.tile = [(*again.tile[0][:3], "RGB;16L")]  # the other byte of each sample
        again.load()
        lower = np.asarray(_upright(again)).astype(np.uint16)
    rgb = np.array(image)
    rgb[((rgb.astype(np.uint16) << 8 | lower) == np.array(key)).all(axis=2)] = 255
    return Image.fromarray(rgb)


def _converted(path: Path, image: Image.Image, bits: int) -> np.ndarray:
    try:
        return np.array(_to_rgb(path, image, bits), dtype=np.uint8, order="C")
    except (OSError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"{path}: cannot convert {image.mode} pixels to RGB ({_one_line(error)})") from error


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or _one_line(error)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
