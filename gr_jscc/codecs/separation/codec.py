"""Separate source and channel coding, the digital baseline: a picture codec, an LDPC code and QAM; one round.

What papers call *BPG + LDPC*, with BPG's core (HEVC intra) or another picture codec. The rate control fills the channel
uses that the CBR allows and never exceeds them. The message is the picture's bytes and a CRC-32; its length follows
from the number of symbols, so there is no side information. Where it does not arrive whole the receiver shows a grey
picture: the cliff.
"""

from __future__ import annotations

import contextlib

import numpy as np

from gr_jscc.codecs.base import Payload, Receiver, Reception, Transmitter, channel_uses
from gr_jscc.codecs.separation.digital import DigitalCodec
from gr_jscc.codecs.separation.options import parse_separation
from gr_jscc.codecs.separation.picture_codecs import DamagedPictureError, picture_codec
from gr_jscc.modem.crc import crc32

CRC_BYTES = 4


class Separation(DigitalCodec):
    """A picture codec and a channel code; see `gr_jscc.codecs.base.Codec`.

    Args:
        weights: which, see `gr_jscc.codecs.separation.options`; what suits 10 dB when None.
        device: of no consequence, as nothing here runs on a GPU.

    Raises:
        CodecError: ``weights`` is not understood, or this machine lacks the picture codec.

    Example:
        >>> import numpy as np
        >>> image = np.full((64, 96, 3), 90, np.uint8)
        >>> payload = Separation("hevc:ldpc-2/3:16qam").transmitter(1 / 12).start(image)
        >>> len(payload.symbols) <= 64 * 96 * 3 // 12
        True
    """

    name = "separation"

    def __init__(self, weights: str | None = None, device: str = "cpu") -> None:
        source, self.code = parse_separation(str(weights or ""))
        self.pictures = picture_codec(source)

    @property
    def weights_name(self) -> str:
        return f"{self.pictures.name}:{self.code.name}"

    def transmitter(self, cbr: float) -> Transmitter:
        self.check_cbr(cbr)
        return _Transmitter(self, cbr)

    def room(self, height: int, width: int, cbr: float) -> int:
        """Bytes for a picture of a size; none or fewer where the CBR is too low for any."""
        return self.code.message_bytes(channel_uses(cbr, height, width)) - CRC_BYTES

    def receiver(self, height: int, width: int) -> Receiver:
        return MessageReceiver(self, height, width)

    def packed(self, data: bytes) -> Payload:
        """Bytes and their check as symbols."""
        return Payload(self.code.encode(data + crc32(data).to_bytes(CRC_BYTES, "big")))

    def picture(self, data: bytes, height: int, width: int) -> np.ndarray:
        """The picture in the bytes that were packed: uint8[H, W, 3].

        Raises:
            DamagedPictureError: there is none in them.
        """
        return self.pictures.decode(data, height, width)


class _Transmitter(Transmitter):
    def __init__(self, codec: Separation, cbr: float) -> None:
        self.codec, self.cbr = codec, cbr

    def start(self, image: np.ndarray) -> Payload:
        room = self.codec.room(*image.shape[:2], self.cbr)
        return self.codec.packed(self.codec.best_picture(image, room, self.cbr))


class MessageReceiver(Receiver):
    """Shows what its codec makes of the message, if that arrived whole.

    Example:
        >>> codec = Separation("jpeg:ldpc-1/2:qpsk")
        >>> payload = codec.packed(codec.best_picture(np.full((32, 32, 3), 90, np.uint8), room=380, cbr=1))
        >>> noise_var = np.full(len(payload.symbols), 0.1, np.float32)
        >>> int(MessageReceiver(codec, 32, 32).push(Reception(payload.symbols, noise_var, None)).mean())
        90
    """

    def __init__(self, codec: Separation, height: int, width: int) -> None:
        self.codec, self.height, self.width = codec, height, width

    def push(self, reception: Reception) -> np.ndarray:
        self.shows_grey = False
        code, count = self.codec.code, len(reception.symbols)
        # No transmitter sends more than one symbol a colour value: the decoder is not to be kept busy by such.
        sendable = code.message_bytes(count) > CRC_BYTES and count <= channel_uses(1, self.height, self.width)
        # Where fewer coded bits came than the message has, no decoder finds it: large sizes of which little arrives
        # take neither time nor memory.
        heard = np.count_nonzero(reception.arrived) * code.bits_per_symbol
        if sendable and heard >= 8 * code.message_bytes(count):
            message = code.decode(reception.symbols, reception.noise_var)
            data, check = message[:-CRC_BYTES], message[-CRC_BYTES:]
            if crc32(data) == int.from_bytes(check, "big"):
                with contextlib.suppress(DamagedPictureError):
                    return self.codec.picture(data, self.height, self.width)
        return self.grey(self.height, self.width)
