"""What all messages of the back-channel have in common, and how their fields become bytes."""

from __future__ import annotations

import struct
from typing import ClassVar

from gr_jscc.link.back_channel.wire import Kind
from gr_jscc.plain_text import shown


class MessageError(ValueError):
    """Bytes that are no such message, or values that none can carry.

    Example:
        >>> from gr_jscc.link.back_channel.messages import Stop
        >>> Stop.unpack(b"seven")
        Traceback (most recent call last):
            ...
        gr_jscc.link.back_channel.message.MessageError: 5 bytes instead of 4
    """


class Message:
    """A typed message; subclasses are frozen dataclasses.

    Attributes:
        kind: its number on the wire.
        limit: largest body, bytes.

    Example:
        >>> from gr_jscc.link.back_channel.messages import Stop
        >>> isinstance(Stop(transfer=7), Message), Stop.limit
        (True, 4)
        >>> Stop.unpack(Stop(transfer=7).pack())
        Stop(transfer=7)
    """

    kind: ClassVar[Kind]
    limit: ClassVar[int]

    def pack(self) -> bytes:
        """The body as bytes.

        Raises:
            MessageError: a value that the message cannot carry.
        """
        raise NotImplementedError

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> Message:
        """Reads `pack`'s bytes.

        Raises:
            MessageError: anything else.
        """
        raise NotImplementedError


def pack_fields(layout: struct.Struct, *values: object) -> bytes:
    """``layout.pack`` that raises `MessageError`."""
    try:
        return layout.pack(*values)
    except struct.error as error:
        raise MessageError(str(error)) from error


def unpack_fields(layout: struct.Struct, data: bytes | memoryview) -> tuple:
    """The fields of a body that holds nothing else."""
    if len(data) != layout.size:
        raise MessageError(f"{len(data)} bytes instead of {layout.size}")
    return layout.unpack(data)


def unpack_head(layout: struct.Struct, data: bytes | memoryview) -> tuple[tuple, memoryview]:
    """The fields that a body begins with, and the rest."""
    if len(data) < layout.size:
        raise MessageError(f"{len(data)} bytes instead of at least {layout.size}")
    return layout.unpack_from(data), memoryview(data)[layout.size :]


def unpack_bool(value: int) -> bool:
    """A byte that is 0 or 1."""
    if value > 1:
        raise MessageError(f"a boolean of value {value}")
    return bool(value)


def fitting(text: str, most: int) -> str:
    """A name of ours as `check_text` takes it: whatever a file is called, controls are escaped and the rest is cut."""
    return shown(text).encode()[:most].decode(errors="ignore")


def check_text(name: str, text: str, most: int) -> bytes:
    """One line of printable text as at most ``most`` bytes of UTF-8: it will be shown in terminals."""
    if not isinstance(text, str) or not text.isprintable():
        raise MessageError(f"{name} must be printable text")
    data = text.encode()
    if len(data) > most:
        raise MessageError(f"{name} of {len(data)} bytes; the maximum is {most}")
    return data


def read_text(name: str, data: bytes | memoryview, most: int) -> str:
    """Undoes `check_text`."""
    if len(data) > most:
        raise MessageError(f"{name} of {len(data)} bytes; the maximum is {most}")
    try:
        text = bytes(data).decode()
    except UnicodeDecodeError as error:
        raise MessageError(f"{name} is not UTF-8") from error
    check_text(name, text, most)
    return text
