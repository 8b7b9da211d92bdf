"""A codec that keeps the contract, and many that break it in one thing each."""

import os
import struct
import time
from pathlib import Path

import numpy as np

from gr_jscc.codecs.base import Codec, CodecError, Payload, Receiver, Reception, Transmitter, channel_uses

SIDE_INFO = struct.Struct(">Hf")  # a tile's side in pixels, power scale
SEEN = {}  # what a genie tells
GENIES_FILE = Path(__file__).with_name("genie.npy")


def grid(height, width, side):
    return -(-height // side), -(-width // side)


def uses(height, width, side):
    rows, columns = grid(height, width, side)
    return -(-3 * rows * columns // 2)


class Tiles(Codec):
    """Means of square tiles as analog values: a codec that passes."""

    name, weights_name, weights_hash = "tiles", "none", b"tile"
    cbr_range = (1 / 100, 1 / 6)
    loud = 1.0  # amplitude
    beyond = 0  # symbols

    def __init__(self, weights=None, device="cpu"):
        pass

    def side(self, height, width, cbr):
        for side in range(1, max(height, width) + 1):
            if uses(height, width, side) <= channel_uses(cbr, height, width):
                return side
        raise self.too_small(height, width, cbr)

    def check_size(self, height, width, cbr):
        self.side(height, width, cbr)

    def transmitter(self, cbr):
        self.check_cbr(cbr)
        return Sender(self, cbr)

    def receiver(self, height, width):
        return Taker(self, height, width)

    def encode(self, image, cbr):
        height, width = image.shape[:2]
        side = self.side(height, width, cbr)
        rows, columns = grid(height, width, side)
        whole = np.pad(image, [(0, rows * side - height), (0, columns * side - width), (0, 0)], mode="edge")
        means = whole.reshape(rows, side, columns, side, 3).mean((1, 3)).ravel() / 128 - 1
        values = np.append(means, np.zeros(len(means) % 2 + 2 * self.beyond))
        symbols = values[0::2] + 1j * values[1::2]
        scale = max(float(np.sqrt(np.mean(np.abs(symbols) ** 2))), 1e-6)
        return Payload((self.loud * symbols / scale).astype(np.complex64), SIDE_INFO.pack(side, scale / self.loud))

    def decode(self, reception, height, width):
        """The picture, or None."""
        if reception.side_info is None or len(reception.side_info) != SIDE_INFO.size:
            return None
        side, scale = SIDE_INFO.unpack(reception.side_info)
        if not 0 < side <= max(height, width) or not 0 < scale < 4 or not reception.arrived.any():
            return None
        if len(reception.symbols) != uses(height, width, side) + self.beyond:
            return None
        rows, columns = grid(height, width, side)
        symbols = scale * reception.symbols / (1 + reception.noise_var)
        values = np.stack([symbols.real, symbols.imag], 1).ravel()[: 3 * rows * columns].reshape(rows, columns, 3)
        pixels = np.repeat(np.repeat(values, side, 0), side, 1)[:height, :width]
        return np.clip(np.rint(128 * (pixels + 1)), 0, 255).astype(np.uint8)


class Sender(Transmitter):
    def __init__(self, codec, cbr):
        self.codec, self.cbr = codec, cbr

    def start(self, image):
        return self.codec.encode(image, self.cbr)

    def next(self, feedback):
        return self.codec.after(feedback) if hasattr(self.codec, "after") else None


class Taker(Receiver):
    def __init__(self, codec, height, width):
        self.codec, self.height, self.width = codec, height, width

    def push(self, reception):
        self.shows_grey = False
        picture = self.codec.decode(reception, self.height, self.width)
        return self.grey(self.height, self.width) if picture is None else picture


class Genie(Tiles):
    def encode(self, image, cbr):
        SEEN["picture"] = image.copy()
        return super().encode(image, cbr)

    def decode(self, reception, height, width):
        picture = super().decode(reception, height, width)
        seen = SEEN.get("picture", picture)
        return picture if picture is None or seen.shape != picture.shape else seen


class GenieInAFile(Tiles):
    def encode(self, image, cbr):
        np.save(GENIES_FILE, image)
        return super().encode(image, cbr)

    def decode(self, reception, height, width):
        picture = super().decode(reception, height, width)
        seen = np.load(GENIES_FILE)
        return picture if picture is None or seen.shape != picture.shape else seen


class Told(bytes):
    """Bytes with a picture on their back."""


class GenieInBytes(Tiles):
    def encode(self, image, cbr):
        payload = super().encode(image, cbr)
        side = Told(payload.side_info)
        side.picture = image.copy()
        return Payload(payload.symbols, side)


class Loud(Tiles):
    loud = 1.1**0.5


class Infinite(Tiles):
    def encode(self, image, cbr):
        payload = super().encode(image, cbr)
        if not image.any():
            payload.symbols[0] = np.nan
        return payload


class Greedy(Tiles):
    """Leaves no room to spare, and takes one symbol more."""

    def encode(self, image, cbr):
        payload = super().encode(image, cbr)
        count = channel_uses(cbr, *image.shape[:2]) + 1
        return Payload(np.resize(payload.symbols, count), payload.side_info) if image.shape[0] < 20 else payload


class Pushy(Tiles):
    """Says that it takes every size."""

    def check_size(self, height, width, cbr):
        pass


class Crashing(Tiles):
    """Of tiny pictures."""

    def check_size(self, height, width, cbr):
        pass

    def side(self, height, width, cbr):
        try:
            return super().side(height, width, cbr)
        except CodecError:
            return [][0]


class Limitless(Tiles):
    def transmitter(self, cbr):
        return Sender(self, cbr)


class Rude(Tiles):
    def check_cbr(self, cbr):
        if not 0.009 < cbr < 0.17:
            raise ValueError("no such CBR")


class Inventive(Tiles):
    """Asks for a modulation that there is not."""

    side_info_mcs = 99


class Trusting(Tiles):
    def decode(self, reception, height, width):
        SIDE_INFO.unpack(reception.side_info or bytes(6))
        return super().decode(reception, height, width)


class NeedsSideInfo(Tiles):
    def decode(self, reception, height, width):
        if not reception.arrived.any():
            return None
        if len(reception.side_info) != SIDE_INFO.size:
            return None
        return super().decode(reception, height, width)


class Fragile(Tiles):
    def decode(self, reception, height, width):
        if not reception.arrived.any():
            raise IndexError("nothing arrived")
        return super().decode(reception, height, width)


class Black(Tiles):
    """Shows black, and does not say that nothing came."""

    def decode(self, reception, height, width):
        picture = super().decode(reception, height, width)
        return np.zeros((height, width, 3), np.uint8) if picture is None else picture


class Gloomy(Tiles):
    """Never sets shows_grey back."""

    def receiver(self, height, width):
        return GloomyTaker(self, height, width)


class GloomyTaker(Taker):
    def push(self, reception):
        was_grey = self.shows_grey
        picture = super().push(reception)
        self.shows_grey = self.shows_grey or was_grey
        return picture


class Dithered(Tiles):
    def encode(self, image, cbr):
        return super().encode(np.clip(image + np.random.default_rng().normal(0, 4, image.shape), 0, 255), cbr)


class Threaded(Tiles):
    """Keeps its scratch in the codec, and looks at it again later."""

    def encode(self, image, cbr):
        self.scratch = image
        time.sleep(0.02)
        return super().encode(self.scratch, cbr)


class Leftover(Tiles):
    """Blends into the picture before."""

    def decode(self, reception, height, width):
        picture = super().decode(reception, height, width)
        before, self.before = getattr(self, "before", None), picture
        if picture is None or before is None or before.shape != picture.shape:
            return picture
        return before // 2 + picture // 2 if np.abs(before.astype(int) - picture).mean() > 20 else picture


class Endless(Tiles):
    """Goes on as long as somebody answers."""

    def after(self, feedback):
        return None if feedback is None else Payload(np.zeros(0, np.complex64))


class Expectant(Tiles):
    """Reckons with feedback of a length."""

    def after(self, feedback):
        if feedback is not None and len(feedback.symbols) < 1000:
            raise ValueError(f"feedback of {len(feedback.symbols)} symbols")


class Scribbler(Tiles):
    def encode(self, image, cbr):
        payload = super().encode(image, cbr)
        image[:4] = 0
        return payload


class Floating(Tiles):
    """Shows real numbers."""

    def receiver(self, height, width):
        return FloatingTaker(self, height, width)


class FloatingTaker(Taker):
    def push(self, reception):
        return super().push(reception).astype(np.float32)


class Padded(Tiles):
    """Leaves its padding in the picture."""

    def decode(self, reception, height, width):
        picture = super().decode(reception, height, width)
        return picture if picture is None else np.pad(picture, [(0, 2), (0, 0), (0, 0)])


class Reusing(Tiles):
    """Hands out the same array again."""

    def receiver(self, height, width):
        return ReusingTaker(self, height, width)


class ReusingTaker(Taker):
    array = None

    def push(self, reception):
        picture = super().push(reception)
        if self.shows_grey:
            return picture
        if self.array is None:
            self.array = np.zeros_like(picture)
        else:
            picture = picture // 2
        self.array[:] = picture
        return self.array


class Shuffled(Tiles):
    """Its two halves do not agree on the order."""

    def encode(self, image, cbr):
        payload = super().encode(image, cbr)
        return Payload(np.ascontiguousarray(payload.symbols[::-1]) * 1j, payload.side_info)


class Noisy(Tiles):
    """Takes the noise variance for something good."""

    def decode(self, reception, height, width):
        worst = np.minimum(reception.noise_var, 1)
        other = Reception(reception.symbols * worst, np.where(reception.arrived, 0.01, np.inf), reception.side_info)
        return super().decode(other, height, width)


class Anonymous(Tiles):
    weights_hash = b"toolong"


class PerProcess(Tiles):
    @property
    def weights_hash(self):
        return struct.pack(">I", os.getpid())


class Unreportable(Tiles):
    """What it tells of its transmitter is no `Insight`."""

    def receiver(self, height, width):
        taker = Taker(self, height, width)
        taker.insight = "much"
        return taker


class Stubborn(Tiles):
    """Fails with everything."""

    def encode(self, image, cbr):
        return np.linalg.inv(np.zeros((2, 2)))


class Sizeless(Tiles):
    """Sends no size at all."""

    def check_size(self, height, width, cbr):
        raise self.too_small(height, width, cbr)
