"""Tags and messages that the blocks exchange.

Stream tags, on the first item of a burst:

* ``burst``: the packed `BurstHeader` as a u8vector. On symbols and on samples.
* ``round_end``: true on the last burst of a round, from the encoder.
* ``quality``: from the demodulator, f64vector [start in samples, cfo in cycles/sample, snr_db, evm_db, `HeaderSource`].

Messages are GNU Radio's PDUs, pairs (dictionary . u8vector), so that in-tree PDU blocks make and take
them; those without a picture have an empty vector. What they tell of pictures is in `gr_jscc.scheduler.events`.
Texts in them, but for the kinds of messages, are u8vectors of UTF-8, as GNU Radio keeps whatever was once a symbol for
ever; symbols are read, too.
"""

from __future__ import annotations

import numpy as np
import pmt

BURST = pmt.intern("burst")
ROUND_END = pmt.intern("round_end")
QUALITY = pmt.intern("quality")

SYMBOLS = ("event", "class")  # fields whose texts are few


def image_message(image: np.ndarray, **meta: object) -> pmt.pmt_base:
    """A picture uint8[H, W, 3] as a message; ``meta`` holds strings and numbers."""
    height, width = image.shape[:2]
    return pmt.cons(dictionary({"height": height, "width": width, **meta}), u8vector_of_bytes(image.tobytes()))


def notice(**meta: object) -> pmt.pmt_base:
    """A message without a picture; ``meta`` holds strings and numbers."""
    # An empty vector and not nil, on which in-tree PDU blocks die.
    return pmt.cons(dictionary(meta), pmt.make_u8vector(0, 0))


def dictionary(fields: dict[str, object]) -> pmt.pmt_base:
    """Fields of ours, with strings and numbers, as a message's dictionary. `message_fields` undoes it."""
    packed = pmt.make_dict()
    for key, value in fields.items():
        if isinstance(value, str) and key not in SYMBOLS:
            value = u8vector_of_bytes(value.encode(errors="replace"))
        else:
            value = pmt.to_pmt(value)
        packed = pmt.dict_add(packed, pmt.intern(key), value)
    return packed


def message_fields(message: pmt.pmt_base) -> dict:
    """The dictionary of a message as Python values.

    Raises:
        ValueError: not a pair with a dictionary first.
    """
    if not pmt.is_pair(message):
        raise ValueError("a message of these blocks must be a pair (dictionary . data)")
    fields = pmt.to_python(pmt.car(message))
    if fields is None:
        fields = {}
    if not isinstance(fields, dict):
        raise ValueError("the first part of a message must be a dictionary")
    return {key: _read(value) for key, value in fields.items()}


def _read(value: object) -> object:
    is_text = isinstance(value, np.ndarray) and value.dtype == np.uint8
    return value.tobytes().decode(errors="replace") if is_text else value


def message_image(message: pmt.pmt_base) -> np.ndarray | None:
    """The picture uint8[H, W, 3] of a message, or None when it carries none.

    Raises:
        ValueError: the data are not H·W·3 bytes, or H and W are not there.
    """
    data = pmt.cdr(message)
    if not pmt.is_u8vector(data) or pmt.length(data) == 0:
        return None
    fields = message_fields(message)
    if not {"height", "width"} <= fields.keys():
        raise ValueError("a picture's message must give its height and width")
    size = pmt.length(data)
    height, width = int(fields["height"]), int(fields["width"])
    if size != height * width * 3:
        raise ValueError(f"{size} bytes are not a {width}x{height} RGB picture")
    return np.frombuffer(bytes_of_u8vector(data), np.uint8).reshape(height, width, 3)


def u8vector_of_bytes(data: bytes) -> pmt.pmt_base:
    """Bytes as a u8vector.

    Python's `pmt.init_u8vector` and `pmt.u8vector_elements` turn every byte into a Python object: a tenth
    of a second for a photo, during which no other block runs. Through the serialized form it takes two
    thousandths.
    """
    if not data:
        return pmt.make_u8vector(0, 0)
    uniform_vector, of_bytes, padding = b"\x0a", b"\x00", b"\x01\x00"
    return pmt.deserialize_str(uniform_vector + of_bytes + len(data).to_bytes(4, "big") + padding + data)


def bytes_of_u8vector(vector: pmt.pmt_base) -> memoryview:
    """Undoes `u8vector_of_bytes`."""
    serialized = pmt.serialize_str(vector)
    return memoryview(serialized)[len(serialized) - pmt.length(vector) :]
