"""Cyclic redundancy checks: CRC-24 (3GPP TS 36.212, "CRC24A") for headers, CRC-32 (IEEE 802.3) for payloads."""

import zlib

__all__ = ["crc24", "crc32"]

_POLYNOMIAL_24 = 0x864CFB


def _table24() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 16
        for _ in range(8):
            value = (value << 1) ^ (_POLYNOMIAL_24 if value & 0x800000 else 0)
        table.append(value & 0xFFFFFF)
    return tuple(table)


_TABLE_24 = _table24()


def crc24(data: bytes) -> int:
    """CRC-24 of `data`, 0 to 2²⁴-1. Starts from all ones, so that leading zeros and an all-zero message do not pass."""
    value = 0xFFFFFF
    for byte in data:
        value = ((value << 8) & 0xFFFFFF) ^ _TABLE_24[(value >> 16) ^ byte]
    return value


def crc32(data: bytes) -> int:
    """CRC-32 of `data` as in Ethernet and zip, 0 to 2³²-1."""
    return zlib.crc32(data)
