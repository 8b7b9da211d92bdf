"""The back-channel as a person asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gr_jscc.blocks import back_channel


def back_channel_of(address: str, keys: str, insecure: bool) -> back_channel | None:
    """The block; None without an address.

    Args:
        address, keys, insecure: as after ``--back-channel``, ``--keys`` and ``--insecure``.

    Raises:
        UserError: it cannot be.
    """
    from gr_jscc.blocks import back_channel

    return back_channel(address, keys, insecure) if address else None
