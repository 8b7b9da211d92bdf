"""Cyclic redundancy checks: CRC-16 (CCITT) for headers, CRC-32 (IEEE 802.3) for payloads."""

import binascii
import zlib

__all__ = ["crc16", "crc32"]


def crc16(data: bytes) -> int:
    """CRC-16 of `data`, 0 to 2¹⁶-1. Starts from all ones, so that leading zeros and an all-zero message do not pass."""
    return binascii.crc_hqx(data, 0xFFFF)


def crc32(data: bytes) -> int:
    """CRC-32 of `data` as in Ethernet and zip, 0 to 2³²-1."""
    return zlib.crc32(data)
