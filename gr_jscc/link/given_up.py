"""What was spent on transfers that were given up: the pictures that are sent anew are charged with it."""

from __future__ import annotations

from gr_jscc.link.accounting import ChannelUses

NOTHING = ChannelUses(0, 0, 0, 0)


class GivenUp:
    """Transfers that were given up, and what their pictures have cost so far.

    Example:
        >>> given_up, uses = GivenUp(), ChannelUses(payload=100, side_info=10, header=5, air=200)
        >>> given_up.add(7, b"picture1", uses)
        >>> given_up.charge(7, uses)  # a train that was on its way
        >>> given_up.take(b"picture1").payload
        200
    """

    def __init__(self) -> None:
        self._pictures: dict[int, bytes] = {}  # keys of pictures, by transfer
        self._spent: dict[bytes, ChannelUses] = {}

    def add(self, transfer: int, key: bytes, uses: ChannelUses) -> None:
        """A transfer is given up, and its picture will be sent anew.

        Args:
            transfer: its number.
            key: of the picture.
            uses: what it cost.
        """
        self._pictures[transfer] = key
        self._spend(key, uses)

    def charge(self, transfer: int, uses: ChannelUses) -> None:
        """A train left the modulator; it counts here if its transfer was given up meanwhile."""
        if transfer in self._pictures:
            self._spend(self._pictures[transfer], uses)

    def number_again(self, transfer: int) -> None:
        """Another picture has this number now."""
        self._pictures.pop(transfer, None)

    def take(self, key: bytes) -> ChannelUses:
        """What a picture has cost by now, to be charged once."""
        return self._spent.pop(key, NOTHING)

    def _spend(self, key: bytes, uses: ChannelUses) -> None:
        self._spent[key] = self._spent.get(key, NOTHING) + uses
