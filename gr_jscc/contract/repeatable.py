"""What must come out again: whoever asks, on how many threads, and after whatever pictures."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from gr_jscc.codecs.base import Payload
from gr_jscc.contract import crossing
from gr_jscc.contract.apart import sent_by
from gr_jscc.contract.check import BreachError, held
from gr_jscc.contract.crossing import estimates, on_threads, reception, rounds_of, same_pictures, same_rounds
from gr_jscc.contract.subject import Subject

ROUNDING = 1e-3  # of a symbol, where sums are taken in another order
LEVELS = 1  # grey levels, likewise


def determinism(subject: Subject) -> str:
    """The same picture gives the same rounds, and the same rounds the same picture, here and in another process."""
    again = _sent(subject, subject.image)
    if differ := same_rounds(subject.rounds, again):
        raise BreachError(f"encoded again: {differ}")
    if differ := same_pictures(subject.shown, _shown(subject, subject.rounds)):
        raise BreachError(f"decoded again: {differ}")
    there = subject.apart.ask(sent_by, subject.place, crossing.threads(), np.array(subject.image), subject.cbr)
    if differ := same_rounds(subject.rounds, there):
        raise BreachError(f"encoded in another process: {differ}")
    return "encoded three times, decoded twice"


def threads(subject: Subject) -> str:
    """Neither the number of PyTorch's threads nor a second one that encodes or decodes makes a difference."""
    results = []
    for count in (1, 2):
        with on_threads(count):
            rounds = _sent(subject, subject.image)
            results.append((rounds, _shown(subject, subject.rounds)))
    (rounds, shown), (rounds_of_two, shown_of_two) = results
    if differ := same_rounds(rounds, rounds_of_two, ROUNDING):
        raise BreachError(f"on two threads in place of one: {differ}")
    if differ := same_pictures(shown, shown_of_two, LEVELS):
        raise BreachError(f"on two threads in place of one {differ}")
    other = _sent(subject, subject.other)
    with ThreadPoolExecutor(2) as pool:
        encoding = [pool.submit(_sent, subject, image) for image in (subject.image, subject.other)]
        encoded = [one.result() for one in encoding]
        decoding = [pool.submit(_shown, subject, rounds) for rounds in (subject.rounds, other)]
        decoded = [one.result() for one in decoding]
    for expected, found in zip((subject.rounds, other), encoded):
        if differ := same_rounds(expected, found, ROUNDING):
            raise BreachError(f"while another thread encodes: {differ}")
    if differ := same_pictures(subject.shown, decoded[0], LEVELS):
        raise BreachError(f"while another thread decodes {differ}")
    return "one and two, and two at once"


def state(subject: Subject) -> str:
    """Nothing is left of the picture before, and receivers that take turns do not disturb each other."""
    others = _sent(subject, subject.other)
    their_pictures = _shown(subject, others)
    if differ := same_rounds(subject.rounds, _sent(subject, subject.image)):
        raise BreachError(f"encoded after another picture: {differ}")
    if differ := same_pictures(subject.shown, _shown(subject, subject.rounds)):
        raise BreachError(f"decoded after another picture {differ}")
    with held(subject.codec, "two receivers in turn"):
        pair = [subject.codec.receiver(*subject.size) for _ in range(2)]
        shown: tuple[list, list] = ([], [])
        for number in range(max(len(others), len(subject.rounds))):
            for which, rounds in enumerate((subject.rounds, others)):
                if number < len(rounds):
                    shown[which].append(np.array(pair[which].push(reception(rounds[number]))))
    for alone, in_turn in zip((subject.shown, their_pictures), shown):
        if differ := same_pictures(alone, in_turn):
            raise BreachError(f"with two receivers in turn {differ}")
    return "after another picture, and in turn with it"


def _sent(subject: Subject, image: np.ndarray) -> list[Payload]:
    with held(subject.codec, "encoding a photo once more"):
        return rounds_of(subject.codec, image, subject.cbr)


def _shown(subject: Subject, rounds: list[Payload]) -> list[np.ndarray]:
    with held(subject.codec, "decoding a photo once more"):
        return estimates(subject.codec, [reception(one) for one in rounds], *subject.size)
