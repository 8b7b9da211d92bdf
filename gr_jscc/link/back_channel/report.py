"""A report on a transfer, as JSON."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from typing import ClassVar, NoReturn

from gr_jscc.link.back_channel.message import Message, MessageError, pack_fields, unpack_head
from gr_jscc.link.back_channel.wire import Kind

MAX_JSON = 64 * 1024
MAX_DEPTH = 8  # of containers within each other, the content itself included
_HEAD = struct.Struct(">I")


@dataclass(frozen=True)
class Report(Message):
    """What one end says of a transfer.

    Attributes:
        transfer: which.
        content: of str, finite numbers, bool, None, and lists and dicts of such, `MAX_DEPTH` deep at most; at most
            `MAX_JSON` bytes as JSON.

    Example:
        >>> Report.unpack(Report(7, {"event": "stored", "psnr_db": 31.5}).pack()).content["psnr_db"]
        31.5
    """

    kind: ClassVar[Kind] = Kind.REPORT
    limit: ClassVar[int] = _HEAD.size + MAX_JSON

    transfer: int
    content: dict

    def pack(self) -> bytes:
        _check(self.content)
        text = json.dumps(self.content, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) > MAX_JSON:
            raise MessageError(f"a report of {len(text)} bytes; the maximum is {MAX_JSON}")
        return pack_fields(_HEAD, self.transfer) + text

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> Report:
        (transfer,), rest = unpack_head(_HEAD, data)
        if len(rest) > MAX_JSON:
            raise MessageError(f"a report of {len(rest)} bytes; the maximum is {MAX_JSON}")
        try:
            content = json.loads(bytes(rest).decode(), parse_constant=_refuse, parse_int=_integer)
        except (ValueError, RecursionError) as error:
            raise MessageError(f"not JSON: {error}") from error
        _check(content)
        return cls(transfer, content)


def _check(content: object) -> None:
    if not isinstance(content, dict):
        raise MessageError("a report must be an object")
    _check_value(content, 0)


def _check_value(value: object, depth: int) -> None:
    if isinstance(value, (dict, list, tuple)):
        if depth == MAX_DEPTH:
            raise MessageError(f"a report nested more than {MAX_DEPTH} deep")
        if isinstance(value, dict):
            for key in value:
                if not isinstance(key, str):
                    raise MessageError("keys of a report must be text")
                _check_value(key, depth)
        for item in value.values() if isinstance(value, dict) else value:
            _check_value(item, depth + 1)
    elif isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:  # half a surrogate pair, which "\ud800" in JSON makes
            raise MessageError("a report with text that is not Unicode") from error
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise MessageError("a report with NaN or infinity")
    elif isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 63:
            raise MessageError("a report with an integer of more than 64 bits")
    elif value is not None:
        raise MessageError(f"a report cannot hold a {type(value).__name__}")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _integer(digits: str) -> int:
    if len(digits) > 20:  # no 64 bits are longer, and reading long ones takes quadratic time
        raise ValueError("the integer is too long")
    return int(digits)
