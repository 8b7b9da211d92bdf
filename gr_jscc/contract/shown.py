"""What is shown: a picture of the right kind, that stays as it is, and resembles what was sent."""

from __future__ import annotations

import numpy as np

from gr_jscc.codecs.grey import grey_picture
from gr_jscc.contract.check import BreachError, held
from gr_jscc.contract.crossing import estimates, reception, same_pictures
from gr_jscc.contract.subject import Subject
from gr_jscc.metrics.picture import psnr_db

QUIET, LOUD = 1e-4, 1.0  # noise variances: 40 dB and 0 dB
LEAST_GAIN_DB = 3.0  # over the grey picture, without noise
MOST_LOSS_DB = 1.0  # that less noise may cost


def photo(subject: Subject) -> str:
    """A photo is encoded, and what arrives of it decoded."""
    counts = " + ".join(str(len(one.symbols)) for one in subject.rounds)
    _ = subject.shown
    return f"{subject.size[1]}x{subject.size[0]} at CBR {subject.cbr:.4g}: {counts} symbols"


def untouched(subject: Subject) -> str:
    """The picture that is sent is left as it was."""
    image = subject.image.copy()
    with held(subject.codec, "encoding a photo"):
        transmitter = subject.codec.transmitter(subject.cbr)
        payload = transmitter.start(image)
        symbols = payload.symbols.copy()
        transmitter.next(None)
    if not np.array_equal(image, subject.image):
        raise BreachError(f"{np.count_nonzero(image != subject.image)} values of the picture were changed")
    if not np.array_equal(symbols, payload.symbols):
        raise BreachError("the symbols of the first round were changed after they were handed over")
    return ""


def output(subject: Subject) -> str:
    """Pictures are uint8[H, W, 3] of the size that was asked for, and stay as they are once handed out."""
    height, width = subject.size
    receptions = [reception(one) for one in subject.rounds]
    with held(subject.codec, "decoding"):
        receiver = subject.codec.receiver(height, width)
        handed_out, copies = [], []
        for one in [*receptions, receptions[0]]:
            picture = receiver.push(one)
            if not isinstance(picture, np.ndarray):
                raise BreachError(f"push returns {type(picture).__name__}, not an array")
            if picture.dtype != np.uint8 or picture.shape != (height, width, 3):
                found = f"{picture.dtype}{list(picture.shape)}"
                raise BreachError(f"push returns {found}, not uint8[{height}, {width}, 3]")
            handed_out.append(picture)
            copies.append(picture.copy())
    if not all(map(np.array_equal, handed_out, copies)):
        raise BreachError("a picture that was handed out changed with a later push")
    with held(subject.codec, "decoding without looking before the last round"):
        receiver = subject.codec.receiver(height, width)
        for one in [*receptions, receptions[0]]:
            receiver.hear(one)
        if differ := same_pictures([receiver.show()], copies[-1:]):
            raise BreachError(f"hear and show instead of push: {differ}")
    return ""


def quality(subject: Subject) -> str:
    """Without noise a photo is better than plain grey, and more noise does not make it better."""
    found = {}
    for noise_var in (QUIET, LOUD):
        with held(subject.codec, f"decoding with a noise variance of {noise_var:g}"):
            receptions = [reception(one, noise_var) for one in subject.rounds]
            picture = estimates(subject.codec, receptions, *subject.size)[-1]
        if picture.shape != subject.image.shape:
            raise BreachError(f"the picture is {list(picture.shape)} in place of {list(subject.image.shape)}")
        found[noise_var] = psnr_db(subject.image, picture)
    grey = psnr_db(subject.image, grey_picture(*subject.size))
    told = f"{found[QUIET]:.1f} dB at 40 dB, {found[LOUD]:.1f} dB at 0 dB, plain grey {grey:.1f} dB"
    if found[QUIET] < grey + LEAST_GAIN_DB:
        raise BreachError(f"hardly better than plain grey: {told}")
    if found[LOUD] > found[QUIET] + MOST_LOSS_DB:
        raise BreachError(f"better with more noise: {told}")
    return told
