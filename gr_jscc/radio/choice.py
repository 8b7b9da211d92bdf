"""A radio, and how it is set, as a user chose them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gr_jscc.radio.address import kind_of, parse_radio

if TYPE_CHECKING:
    from gr_jscc.radio.profile import Profile


@dataclass(frozen=True)
class RadioChoice:
    """A radio and how it is set.

    Attributes:
        address: see `gr_jscc.radio`.
        profile: None where the address is no device and the user named none.
        reconnect: go on when a device that went away is back.
        sample_rate: samples per second, for reports.

    Example:
        >>> RadioChoice("file:air.cf32").is_device
        False
    """

    address: str
    profile: Profile | None = None
    reconnect: bool = False
    sample_rate: float = 1e6

    @property
    def is_device(self) -> bool:
        """Whether there are samples that it can lose."""
        return kind_of(parse_radio(self.address).kind).device
