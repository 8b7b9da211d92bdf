"""What a receiving end took in and decided, in order: enough to do it again without a clock or a peer."""

from __future__ import annotations

from gr_jscc.link.arrival import Arrival
from gr_jscc.link.session import Session
from gr_jscc.modem import ReceivedBurst


class Journal:
    """Is told by `ReceivingEnd`; this one forgets it.

    Example:
        >>> class Restarts(Journal):
        ...     def restarted(self):
        ...         print("the transmitter is a new process")
        >>> Restarts().restarted()
        the transmitter is a new process
    """

    def burst(self, burst: ReceivedBurst, needed: bool) -> None:
        """A burst came; ``needed`` unless its round had been handed over."""

    def manifest(self, transfer: int, round_: int, data: bytes) -> None:
        """A packed manifest came over the back-channel."""

    def handed_over(self, arrival: Arrival) -> None:
        """A round went to the codec as it stood."""

    def session(self, session: Session) -> None:
        """The transmitter told whose transfers it sends: those of others were dropped."""

    def restarted(self) -> None:
        """The transmitter is a new process: open rounds were dropped."""

    def told(self, transfer: int, content: dict) -> None:
        """The transmitter told something of a transfer."""
