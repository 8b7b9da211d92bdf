"""What a check is, and what comes of one."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gr_jscc.codecs.base import Codec
from gr_jscc.plugins import blame

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class BreachError(Exception):
    """A codec breaks the contract; the message is one line that says where.

    Example:
        >>> raise BreachError("power: 1.1")
        Traceback (most recent call last):
            ...
        gr_jscc.contract.check.BreachError: power: 1.1
    """


class SkippedError(Exception):
    """A check cannot be made; the message is one line that says why.

    Example:
        >>> raise SkippedError("no GPU here")
        Traceback (most recent call last):
            ...
        gr_jscc.contract.check.SkippedError: no GPU here
    """


@dataclass(frozen=True)
class Check:
    """One thing that is asked of every codec.

    Attributes:
        name: of one or a few words.
        holds: what is held against the codec, a clause.
        remedy: how to mend a codec that fails.
        look: takes a `gr_jscc.contract.subject.Subject` and returns a remark, empty or one line. Raises `BreachError`
            or `SkippedError`.

    Example:
        >>> small = Check("small", "four bytes of side information", "pack them", lambda subject: "4 bytes")
        >>> small.look(None)
        '4 bytes'
    """

    name: str
    holds: str
    remedy: str
    look: Callable[..., str]


@dataclass(frozen=True)
class Verdict:
    """What came of a check.

    Attributes:
        check: which.
        result: `PASSED`, `FAILED` or `SKIPPED`.
        detail: one line: what failed and where, why it was skipped, or what was seen; may be empty where it passed.
        seconds: it took.

    Example:
        >>> small = Check("small", "four bytes of side information", "pack them", lambda subject: "")
        >>> Verdict(small, FAILED, "5 bytes", 0.1234).line()["remedy"]
        'pack them'
    """

    check: Check
    result: str
    detail: str
    seconds: float

    def line(self) -> dict:
        """As an object to print."""
        about = {"check": self.check.name, "result": self.result, "detail": self.detail}
        remedy = {"remedy": self.check.remedy} if self.result == FAILED else {}
        return {**about, **remedy, "seconds": round(self.seconds, 2)}


@contextlib.contextmanager
def held(codec: Codec, doing: str) -> Iterator[None]:
    """Makes whatever a codec raises a `BreachError`, with the line of the codec's code that it came from.

    Args:
        codec: whose code runs.
        doing: what it was asked to do, for the message.
    """
    try:
        yield
    except (BreachError, SkippedError):
        raise
    except (Exception, SystemExit) as error:
        raise BreachError(f"{doing}: {blame(error, home_of(codec))}") from error


def home_of(codec: Codec) -> Path | None:
    """The folder that a codec's class is in; None where it is in no file."""
    with contextlib.suppress(TypeError, OSError):
        return Path(inspect.getfile(type(codec))).parent
    return None
