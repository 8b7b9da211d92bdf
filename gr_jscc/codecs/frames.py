"""What a codec may know of pictures that are frames of a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from typing import Self

    from gr_jscc.codecs.base import Payload


class OfFrames:
    """The part of `gr_jscc.codecs.base.Codec` that is for streams; as it stands no frame needs another.

    Attributes:
        side_info_lasts: whether side information may hold for frames that follow, see `restated`.
        most_behind: frames that may wait for a receiver before it passes one over, for those that follow need it.

    Example:
        >>> from gr_jscc.codecs.registry import load_codec
        >>> codec = load_codec("separation")
        >>> codec.of_stream(refresh=10) is codec
        True
    """

    side_info_lasts: ClassVar[bool] = True
    most_behind: ClassVar[int] = 0

    def restated(self, payload: Payload, side_info: bytes) -> Payload | None:
        """The same round, for which other side information holds, such as the last frame's; None where none such is."""
        return payload if payload.side_info == side_info else None

    def of_stream(self, refresh: int, is_even: bool = False) -> Self:
        """The codec for one end of one stream, whose frames may need the one before; itself where none does.

        Args:
            refresh: frames from one that needs no other to the next, at most.
            is_even: whether each frame is held to the CBR, and not only their mean.
        """
        return self

    def sent(self, payload: Payload) -> None:
        """Is told which of the frames that were encoded goes out."""
        return None
