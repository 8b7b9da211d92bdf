"""Cyclic redundancy checks: CRC-24 for headers, CRC-32 (IEEE 802.3) for payloads."""

import zlib

__all__ = ["REMAINDERS", "crc24", "crc32"]

_CRC24 = 0x864CFB  # CRC-24A of 5G NR, 3GPP TS 38.212, section 5.1; also that of OpenPGP


def _remainder(byte: int) -> int:
    value = byte << 16
    for _ in range(8):
        value = value << 1 ^ (_CRC24 if value & 0x800000 else 0)
    return value & 0xFFFFFF


#: What each byte does to the CRC-24.
REMAINDERS = tuple(map(_remainder, range(256)))


def crc24(data: bytes) -> int:
    """CRC-24 of `data`, 0 to 2²⁴-1. Starts from all ones, so that leading zeros and an all-zero message do not pass."""
    value = 0xFFFFFF
    for byte in data:
        value = value << 8 & 0xFFFFFF ^ REMAINDERS[value >> 16 ^ byte]
    return value


def crc32(data: bytes) -> int:
    """CRC-32 of `data` as in Ethernet and zip, 0 to 2³²-1."""
    return zlib.crc32(data)
