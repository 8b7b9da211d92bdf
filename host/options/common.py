"""What is sent, what is shown, and how programs end."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from gr_jscc.errors import UserError
from gr_jscc.host.options import panels


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """One of a few words.

    Raises:
        UserError: another.
    """
    if value not in choices:
        raise UserError(f"{name} must be {' or '.join(choices)}, not {value!r}")
    return value


def completed(words: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """What a shell offers as an option's value: the words that begin with what was typed.

    Args:
        words: to choose from; asked for only when a shell asks.

    Example:
        >>> completed(lambda: ("ntscc", "hjscc", "hjscc-feedback"))("h")
        ['hjscc', 'hjscc-feedback']
    """

    def offers(incomplete: str) -> list[str]:
        return [word for word in words() if word.startswith(incomplete)]

    return offers


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[Callable[[], None]]:
    """Lets SIGTERM end a program as Ctrl-C does, and both with what was under way put in order.

    Yields what a loop calls each time: it raises KeyboardInterrupt where one was raised before and is lost, as in a
    library's callback.
    """
    asked = False

    def stop(*_: object) -> None:
        nonlocal asked
        asked = True
        raise KeyboardInterrupt

    def check() -> None:
        if asked:
            raise KeyboardInterrupt

    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN  # as of a shell's background jobs
    numbers = (signal.SIGTERM,) if ignored else (signal.SIGTERM, signal.SIGINT)
    previous = [signal.signal(number, stop) for number in numbers]
    try:
        yield check
    finally:
        for number, handler in zip(numbers, previous):
            signal.signal(number, handler)


Images = Annotated[list[Path], typer.Argument(help="Image files, or folders of them.", show_default=False)]
Json = Annotated[
    bool,
    typer.Option(
        "--json", rich_help_panel=panels.OUTPUT, help="Print figures as JSON, one object per line, and nothing else."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", rich_help_panel=panels.OUTPUT, help="Show nothing but errors.")]
