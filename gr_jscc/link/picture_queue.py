"""Pictures that wait for the codec, and how many more to ask of their source."""

from __future__ import annotations

import collections
from dataclasses import dataclass

import numpy as np

from gr_jscc.link.outgoing import picture_key

QUEUED_IMAGES = 2  # asked of the source ahead of need, so that the network is never idle


@dataclass(frozen=True)
class WaitingPicture:
    """One that waits for the codec.

    Attributes:
        name: of the picture, for people.
        image: uint8[H, W, 3].
        key: what identifies the picture in the run, 8 bytes.
        tries: 1, or more when it has to be sent from the beginning again.

    Example:
        >>> grey = np.full((64, 96, 3), 90, np.uint8)
        >>> WaitingPicture("a.png", grey, picture_key("a.png", occurrence=0, image=grey, cbr=1 / 6)).tries
        1
    """

    name: str
    image: np.ndarray
    key: bytes
    tries: int = 1


class PictureQueue:
    """Pictures in the order of sending.

    Args:
        endless: equal pictures of one name have one key. To tell them apart takes memory for each that was sent, which
            a stream has no use for where nobody says what arrived.

    Example:
        >>> queue = PictureQueue()
        >>> queue.requests()  # how many to ask the source for
        2
        >>> queue.add("a.png", np.full((64, 96, 3), 90, np.uint8), cbr=1 / 6)
        >>> queue.next().name, bool(queue)
        ('a.png', False)
    """

    def __init__(self, endless: bool = False) -> None:
        self._endless = endless
        self._waiting: collections.deque[WaitingPicture] = collections.deque()
        self._asked = 0
        self._occurrences: collections.Counter[bytes] = collections.Counter()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def requests(self) -> int:
        """How many pictures to ask of the source now; it is taken that they are asked for."""
        count = max(0, QUEUED_IMAGES - len(self._waiting) - self._asked)
        self._asked += count
        return count

    def add(self, name: str, image: np.ndarray, cbr: float) -> None:
        """Queues a picture uint8[H, W, 3] that the source gave, to be sent at a CBR."""
        self._asked = max(0, self._asked - 1)
        first = picture_key(name, 0, image, cbr)
        key = first
        if not self._endless:
            if number := self._occurrences[first]:
                key = picture_key(name, number, image, cbr)
            self._occurrences[first] += 1
        self._waiting.append(WaitingPicture(name, image, key))

    def add_first(self, picture: WaitingPicture) -> None:
        """Queues a picture before all others."""
        self._waiting.appendleft(picture)

    def next(self) -> WaitingPicture:
        """Takes the next one.

        Raises:
            IndexError: none waits.
        """
        return self._waiting.popleft()

    def clear(self) -> None:
        """Drops all."""
        self._waiting.clear()
