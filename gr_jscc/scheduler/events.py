"""What blocks tell each other about pictures: one schema, held where a message is made and where it is read.

An event is a message (see `gr_jscc.scheduler.tags`) whose dictionary has ``event``, the kind, and the fields that
`KINDS` lists for it; ``sent`` and ``received`` may carry the picture. Image sinks and `event_queue` hear them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType

import numpy as np
import pmt

from gr_jscc.scheduler.tags import image_message, message_fields, message_image, notice

NUMBER = (int, float)
NUMBER_OR_NONE = (int, float, NoneType)
PICTURE = {"height": int, "width": int}  # of a picture that is carried, or of a grey one that need not be


@dataclass(frozen=True)
class Kind:
    """A kind of event.

    Attributes:
        of: the block that tells it.
        needs: types of the fields that each has.
        may: of those that some have.

    Example:
        >>> KINDS["air"].of, KINDS["air"].needs["bursts"]
        ('ofdm_modulator', <class 'int'>)
    """

    of: str
    needs: Mapping[str, type | tuple[type, ...]]
    may: Mapping[str, type | tuple[type, ...]] = field(default_factory=dict)


TRANSFER = {"transfer": int, "name": str}
USES = {"payload": int, "side_info": int, "header": int, "air": int}
ABOUT = TRANSFER | {"key": str, "codec": str, "weights": str, "cbr": NUMBER, "encode_seconds": NUMBER}
SEEN = {"snr_db": NUMBER_OR_NONE, "cfo": NUMBER_OR_NONE, "evm_db": NUMBER_OR_NONE}
BURSTS = {"bursts_sent": int, "bursts_received": int}
ENCODER, MODULATOR, DECODER = "jscc_encoder", "ofdm_modulator", "jscc_decoder"
KINDS = {
    # Frames so far that gave way to newer ones.
    "dropped": Kind("video_source", {"frames": int}),
    # A picture went to the link; its rounds so far.
    "sent": Kind(ENCODER, ABOUT | {"layered": bool, "rounds": int, "started": NUMBER}, PICTURE),
    # The codec cannot send a picture, or the link not carry it: nothing of it will be on the air.
    "left_out": Kind(ENCODER, {"name": str, "reason": str}),
    # A round has left the modulator: channel uses, analog bursts, the sample at which the last one begins.
    "air": Kind(MODULATOR, USES | {"transfer": int, "round": int, "bursts": int, "start": int, "papr_db": NUMBER}),
    # The receiver's view of the channel.
    "state": Kind(ENCODER, SEEN | BURSTS | {"transfer": int, "round": int}),
    # Nothing of a picture will be sent again: what it cost.
    "done": Kind(
        ENCODER,
        ABOUT
        | USES
        | dict.fromkeys(("rounds", "bursts", "repeated", "side_info_bytes", "tries"), int)
        | dict.fromkeys(("feedback_rounds", "feedback_bytes", "feedback_missed"), int)
        | {"papr_db": NUMBER_OR_NONE},
    ),
    # What becomes of a picture at the receiver.
    "decoding": Kind(ENCODER, TRANSFER),
    "stored": Kind(ENCODER, TRANSFER | {"seconds": NUMBER}, {"psnr_db": NUMBER_OR_NONE}),
    "late": Kind(ENCODER, TRANSFER | {"reason": str}),
    "again": Kind(ENCODER, TRANSFER | {"reason": str}),
    "failed": Kind(ENCODER, TRANSFER),
    "skipped": Kind(ENCODER, {"name": str}),
    # All has left.
    "finished": Kind(ENCODER, {"unconfirmed": int}),
    # A round is on its way to the network; it was decoded, or nothing could be made of it.
    "taken": Kind(DECODER, {"transfer": int, "round": int, "back_channel": bool}),
    "received": Kind(
        DECODER,
        SEEN
        | BURSTS
        | {"transfer": int, "round": int, "side_info_bytes": int, "shown_grey": bool}
        | {"decode_seconds": NUMBER, "finished": NUMBER},
        PICTURE | {"drifted": int, "blind_from": int},
    ),
    # The air is quiet; the transmitter tells something of a picture, as JSON; no more will come.
    "quiet": Kind(DECODER, {}),
    "peer": Kind(DECODER, {"transfer": int, "content": str}),
    "end": Kind(DECODER, {}),
}


def event_message(event: str, image: np.ndarray | None = None, **fields: object) -> pmt.pmt_base:
    """An event as a message.

    Args:
        event: a key of `KINDS`.
        image: uint8[H, W, 3], or None.
        fields: the kind's.

    Raises:
        ValueError: not as `KINDS` says.
    """
    check_event(event, fields | ({} if image is None else dict(zip(PICTURE, image.shape))))
    return notice(event=event, **fields) if image is None else image_message(image, event=event, **fields)


def read_event(message: pmt.pmt_base) -> tuple[str, dict, np.ndarray | None]:
    """The kind of an event, its fields, and its picture uint8[H, W, 3] or None.

    Raises:
        ValueError: no event, or not as `KINDS` says.
    """
    fields = message_fields(message)
    event = fields.pop("event", None)
    check_event(event, fields)
    return event, fields, message_image(message)


def check_event(event: object, fields: Mapping[str, object]) -> None:
    """Holds an event to its kind.

    Raises:
        ValueError: an unknown kind, fields that are missing, of another type, or too many.
    """
    if not isinstance(event, str) or event not in KINDS:
        raise ValueError(f"unknown event {event!r}; known: {', '.join(KINDS)}")
    kind = KINDS[event]
    known = {**kind.needs, **kind.may}
    if missing := kind.needs.keys() - fields.keys():
        raise ValueError(f"an event {event} lacks {', '.join(sorted(missing))}")
    for name, value in fields.items():
        if name not in known:
            raise ValueError(f"an event {event} has no {name}")
        if not _is_a(value, known[name]):
            raise ValueError(f"{name} of an event {event} cannot be {value!r}")


def _is_a(value: object, types: type | tuple[type, ...]) -> bool:
    wanted = types if isinstance(types, tuple) else (types,)
    return isinstance(value, wanted) and (bool in wanted or not isinstance(value, bool))
