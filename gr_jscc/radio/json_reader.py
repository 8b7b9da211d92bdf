"""Large JSON files, piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO

CHUNK = 1 << 16  # characters read at once
DELIMITERS = tuple(" \t\r\n,:]}")  # behind a value


class JsonReader:
    """Reads a JSON text without holding more of it than one value.

    Args:
        file: the text, from its beginning.

    Example:
        >>> import io
        >>> reader = JsonReader(io.StringIO('{"rate": 5.5, "gains": [20, 14]}'))
        >>> {key: list(reader.items()) if key == "gains" else reader.value() for key in reader.members()}
        {'rate': 5.5, 'gains': [20, 14]}
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._text, self._at = "", 0
        self._decoder = json.JSONDecoder()

    def members(self) -> Iterator[str]:
        """Keys of an object that begins here; the caller reads the value after each.

        Raises:
            ValueError: no object, or it ends too early.
        """
        self._expect("{")
        while self._peek() != "}":
            key = self.value()
            if not isinstance(key, str):
                raise ValueError(f"{key!r} is not a key")
            self._expect(":")
            yield key
            self._comma("}")
        self._expect("}")

    def items(self) -> Iterator[object]:
        """Values of an array that begins here.

        Raises:
            ValueError: no array, or it ends too early.
        """
        self._expect("[")
        while self._peek() != "]":
            yield self.value()
            self._comma("]")
        self._expect("]")

    def value(self) -> object:
        """The value that begins here, whole.

        Raises:
            ValueError: none, or it ends too early.
        """
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except RecursionError as error:
                raise ValueError("it is nested too deeply") from error
            except json.JSONDecodeError as error:
                if not self._more():
                    raise ValueError(f"{error.msg}: {self._text[self._at : self._at + 40]!r}") from error
                continue
            if self._text[end : end + 1] not in DELIMITERS and self._more():
                continue  # a number that goes on
            self._at = end
            return value

    def _comma(self, closing: str) -> None:
        if self._peek() != closing:
            self._expect(",")
            if self._peek() == closing:
                raise ValueError("a comma with nothing after it")

    def _expect(self, character: str) -> None:
        found = self._peek()
        if found != character:
            raise ValueError(f"{character!r} expected, not {found!r}")
        self._at += 1

    def _peek(self) -> str:
        """The next character that is no white space."""
        while True:
            while self._at < len(self._text):
                if not self._text[self._at].isspace():
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                raise ValueError("it ends too early")

    def _more(self) -> bool:
        """Reads on, each time twice as much, so that a long value is not tried too often; False at the end."""
        rest = self._text[self._at :]
        chunk = self._file.read(max(CHUNK, len(rest)))
        self._text, self._at = rest + chunk, 0
        return bool(chunk)
