"""Finds a codec by its name, and its weights with it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

from gr_jscc.codecs.base import Codec, CodecError

__all__ = ["CODECS", "codec_class", "load_codec", "load_codec_for_air"]

# Name → module and class. Modules are imported when asked for, so that listing codecs costs nothing.
CODECS: dict[str, tuple[str, str]] = {
    "deepjscc": ("gr_jscc.codecs.deepjscc.codec", "DeepJSCC"),
    "successive-multiple": ("gr_jscc.codecs.successive.multiple", "SuccessiveMultiple"),
    "successive-residual": ("gr_jscc.codecs.successive.residual", "SuccessiveResidual"),
    "successive-single": ("gr_jscc.codecs.successive.single", "SuccessiveSingle"),
    "hjscc": ("gr_jscc.codecs.hjscc.codec", "HJSCC"),
    "hjscc-feedback": ("gr_jscc.codecs.hjscc.codec", "HJSCCFeedback"),
    "ntscc": ("gr_jscc.codecs.ntscc.codec", "NTSCC"),
    "separation": ("gr_jscc.codecs.separation.codec", "Separation"),
    "separation-capacity": ("gr_jscc.codecs.separation.capacity", "SeparationCapacity"),
}


def codec_class(name: str) -> Callable[..., Codec]:
    """The class behind a codec's name.

    Raises:
        CodecError: for a name nobody registered.
    """
    if name not in CODECS:
        raise CodecError(f"unknown codec {name!r}; known: {', '.join(sorted(CODECS))}")
    module, attribute = CODECS[name]
    return getattr(importlib.import_module(module), attribute)


def load_codec(name: str, weights: str | Path | None = None, device: str = "cpu") -> Codec:
    """Loads a codec ready to send and receive.

    Args:
        name: one of `CODECS`.
        weights: a shipped model's name or a ``.safetensors`` file, or what a codec without weights takes in their
            place; the codec's default when None.
        device: a torch device, ``cpu`` or ``cuda``.

    Raises:
        CodecError: unknown codec.
        WeightsError: weights missing, damaged, or of another codec.
    """
    return codec_class(name)(weights=weights, device=device)


def load_codec_for_air(name: str, weights: str | Path | None = None, device: str = "cpu") -> Codec:
    """`load_codec` of a codec whose symbols are going to be sent.

    Raises:
        CodecError: as `load_codec`; or the codec is a bound for ideal channels.
    """
    codec = load_codec(name, weights, device)
    if codec.ideal_only:
        raise CodecError(f"{name} is a bound, not something that can be sent: use gr-jscc loopback --ideal")
    return codec
