"""All checks, from what everything rests on to what takes longest."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from gr_jscc.contract import feedback, payloads, processes, receptions, repeatable, shown, speed
from gr_jscc.contract.check import FAILED, PASSED, SKIPPED, BreachError, Check, SkippedError, Verdict, held
from gr_jscc.contract.subject import Subject

CHECKS: tuple[Check, ...] = (
    Check(
        "a photo",
        "a photo is encoded, and what arrives of it decoded",
        "read docs/guide/add-a-codec.md, and begin with the line that is named",
        shown.photo,
    ),
    Check(
        "two processes",
        "a receiver in another process gives the picture that one beside the transmitter gives, to the bit",
        "let the receiver use nothing but the weights, the size and what push is given: no global, no attribute of the "
        "codec that the transmitter sets; what it needs of the picture goes into side_info",
        processes.two_processes,
    ),
    Check(
        "nothing but payload",
        "what a receiver shows does not change when the transmitter encodes another picture",
        "let the halves share no file, no socket and no memory",
        processes.nothing_else,
    ),
    Check(
        "power",
        "symbols are finite and of mean power 1 in every round, side information is bytes",
        "divide the symbols by the root of their mean power, and tell the receiver the scale in side_info",
        payloads.power,
    ),
    Check(
        "CBR",
        "never more symbols than the CBR allows, at 100 odd sizes; too small ones are refused by check_size",
        "count with gr_jscc.codecs.base.channel_uses, with what padding adds and all rounds together, and raise "
        "self.too_small in check_size where not even the fewest symbols fit",
        payloads.bound,
    ),
    Check(
        "unserved CBR",
        "a CBR beyond cbr_range is refused by CodecError when the transmitter is asked for",
        "call self.check_cbr(cbr) first in transmitter, and let cbr_range say what is served",
        payloads.unserved,
    ),
    Check(
        "link",
        "the link can carry its rounds: their number, their symbols, their side information",
        "send fewer rounds and less side information; what is large belongs into symbols",
        payloads.carried,
    ),
    Check(
        "side information",
        "damaged or missing side information raises nothing and gives a picture",
        "look at its length and at every value before it is used, and return self.grey where it cannot be meant; "
        "gr_jscc.codecs.parts.side_info_check adds a check sum",
        receptions.side_information,
    ),
    Check(
        "losses",
        "lost symbols, bursts and rounds and any noise raise nothing; with nothing at all plain grey is shown",
        "return self.grey(height, width), which sets shows_grey, where nothing is usable, and set shows_grey back in "
        "every push; lost symbols have an infinite variance, and their number may be any",
        receptions.losses,
    ),
    Check(
        "determinism",
        "the same picture gives the same rounds and the same rounds the same picture, in another process too",
        "seed what is random by the picture or not at all, iterate over no set, use no hash() and no clock",
        repeatable.determinism,
    ),
    Check(
        "threads",
        "neither the number of threads nor a second thread at work makes a difference",
        "keep what is computed in the two halves, not in the codec; decide nothing in side_info by the last digits of "
        "sums",
        repeatable.threads,
    ),
    Check(
        "state",
        "nothing is left of the picture before, and receivers that take turns do not disturb each other",
        "make a new object in each call of transmitter and receiver, and keep all that belongs to a picture there",
        repeatable.state,
    ),
    Check(
        "feedback",
        "with any feedback or none a transmitter raises nothing, ends within 64 rounds and stays within the CBR",
        "take None and rounds of another length in next, return None after the last round, and count the symbols of "
        "all rounds",
        feedback.feedback,
    ),
    Check(
        "input",
        "the picture that is sent, and symbols that were handed over, are left as they were",
        "work on a copy",
        shown.untouched,
    ),
    Check(
        "output",
        "push returns uint8[H, W, 3] of the receiver's size, which later ones leave as it is",
        "cut the padding off, round and clip to 0 to 255, and return a new array each time",
        shown.output,
    ),
    Check(
        "quality",
        "without noise a photo comes out better than plain grey, and with more noise not better",
        "see that both halves agree on order and scale of the symbols, and use noise_var; a network must be trained",
        shown.quality,
    ),
    Check(
        "identity",
        "weights_name is a line, weights_hash four bytes, and both are the same in another process",
        "hash the weights or choices themselves, such as with hashlib.sha256(…).digest()[:4]",
        processes.identity,
    ),
    Check(
        "sweep worker",
        "a worker of a sweep finds it by its name and measures a cell with it",
        "let the class be found where its name says on every machine, and return plain values: texts, bytes, arrays",
        processes.sweep_worker,
    ),
    Check(
        "CPU and GPU",
        "one half on the CPU and one on a GPU give what both give on one of them, within a grey level",
        "compute what decides about rates and entropy coding on the CPU, or round it coarsely before it decides",
        processes.gpu,
    ),
    Check(
        "speed",
        "both halves take at most twice what the bare passes of the network take",
        "look for what runs once per symbol or position in Python; gr-jscc bench codec measures it more closely",
        speed.speed,
    ),
)


def run_checks(subject: Subject, checks: Iterable[Check] = CHECKS) -> Iterator[Verdict]:
    """Holds a codec to the contract; yields each verdict as it is found.

    No failure keeps other checks from being made, but where not even a photo can be sent, which is the first check,
    there is nothing to try the others with.
    """
    checks = list(checks)
    for number, check in enumerate(checks):
        verdict = _verdict(subject, check)
        yield verdict
        if check is CHECKS[0] and verdict.result == FAILED:
            yield from (
                Verdict(other, SKIPPED, "no photo can be sent, see above", 0.0) for other in checks[number + 1 :]
            )
            return


def _verdict(subject: Subject, check: Check) -> Verdict:
    before = time.perf_counter()
    try:
        with held(subject.codec, "beyond what it was asked"):
            result, detail = PASSED, check.look(subject)
    except BreachError as breach:
        result, detail = FAILED, str(breach)
    except SkippedError as skipped:
        result, detail = SKIPPED, str(skipped)
    return Verdict(check, result, detail, time.perf_counter() - before)
