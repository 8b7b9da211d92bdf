"""Whether a receiver is there, and whether anything is still to be expected of it."""

from __future__ import annotations

from collections.abc import Callable

#: Seconds after the last burst left, in which a receiver that came at last may still connect its back-channel.
LINGER = 5.0


class Presence:
    """What a sender knows of its receiver's being there.

    Args:
        is_expected: whether there is a back-channel, over which one may come.
        patience: seconds without one, or without a word of what it was sent, until nothing is expected of it any more.
        clock: seconds.

    Attributes:
        connected: whether the back-channel is there.
        knows: whether the receiver has said which pictures it has, or need not be waited for any longer.

    Example:
        >>> now = 0.0
        >>> presence = Presence(is_expected=True, patience=30.0, clock=lambda: now)
        >>> presence.connection(True)
        >>> presence.answers
        True
        >>> presence.connection(False)
        >>> now = 31.0
        >>> presence.gave_up_hope
        True
    """

    def __init__(self, is_expected: bool, patience: float, clock: Callable[[], float]) -> None:
        self.is_expected, self._patience, self._clock = is_expected, patience, clock
        self.connected = False
        self.knows = not is_expected
        self._lost_at = self._moved = clock()
        self._mute = False  # it is there, and says nothing for longer than is waited for

    def moved(self) -> None:
        """Bursts are leaving, or about to: no word of them can be there yet."""
        self._moved = self._clock()

    def heard(self) -> None:
        """The receiver said something."""
        self._moved, self._mute = self._clock(), False

    def connection(self, connected: bool) -> None:
        """The back-channel came or went."""
        if connected != self.connected:
            self.connected, self._lost_at = connected, self._clock()
            self.heard()

    def look(self, is_awaited: bool) -> None:
        """Looks at the clock; ``is_awaited`` when the receiver is to say something of what was sent."""
        self._mute = self.connected and (is_awaited or not self.knows) and self.gave_up_hope
        if self.gave_up_hope:
            self.knows = True  # nobody there: start without

    @property
    def answers(self) -> bool:
        """Whether a receiver is there of which something is expected."""
        return self.connected and not self.gave_up_hope

    @property
    def gave_up_hope(self) -> bool:
        """Whether no receiver is there, or one that lives and says nothing of what it was sent."""
        if self.connected and self._mute:
            return True
        since = self._moved if self.connected else self._lost_at
        return self._clock() - since > self._patience

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to wait for once all has left: nobody is there, and nobody came to take it."""
        return self.gave_up_hope and self._clock() - self._moved > min(LINGER, self._patience)
