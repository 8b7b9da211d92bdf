"""Finds a codec by its name, and its weights with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gr_jscc.codecs.base import Codec, CodecError
from gr_jscc.errors import UserError
from gr_jscc.plugins import Group, blame

__all__ = ["CODECS", "PLUGINS", "check_class", "codec_class", "load_codec", "load_codec_for_air"]

# Name → module and class. Modules are imported when asked for, so that listing codecs costs nothing.
CODECS: dict[str, tuple[str, str]] = {
    "deepjscc": ("gr_jscc.codecs.deepjscc.codec", "DeepJSCC"),
    "deepjscc-temporal": ("gr_jscc.codecs.deepjscc.temporal", "DeepJSCCTemporal"),
    "successive-multiple": ("gr_jscc.codecs.successive.multiple", "SuccessiveMultiple"),
    "successive-residual": ("gr_jscc.codecs.successive.residual", "SuccessiveResidual"),
    "successive-single": ("gr_jscc.codecs.successive.single", "SuccessiveSingle"),
    "hjscc": ("gr_jscc.codecs.hjscc.codec", "HJSCC"),
    "hjscc-feedback": ("gr_jscc.codecs.hjscc.with_feedback", "with_feedback"),
    "ntscc": ("gr_jscc.codecs.ntscc.codec", "NTSCC"),
    "separation": ("gr_jscc.codecs.separation.codec", "Separation"),
    "separation-video": ("gr_jscc.codecs.separation.video", "SeparationVideo"),
    "separation-capacity": ("gr_jscc.codecs.separation.capacity", "SeparationCapacity"),
}
PLUGINS = Group("codec", "gr_jscc.codecs", CODECS, CodecError)


def codec_class(name: str) -> Callable[..., Codec]:
    """The class behind a codec's name, or a function that makes one.

    Args:
        name: one of `CODECS`, a name that an installed package announces as an entry point ``gr_jscc.codecs``, or a
            class in full: ``package.module:Class`` or ``path/to/file.py:Class``. Code is loaded: pass on only what the
            user of this machine named.

    Raises:
        CodecError: an unknown name, a plug-in that cannot be imported, or a class that is no codec.
    """
    found = PLUGINS.find(name)
    if name not in CODECS and isinstance(found, type):
        check_class(found, name)
    return found


def check_class(found: type, name: str) -> None:
    """Refuses a class that cannot be a codec.

    Args:
        found: the class.
        name: by which the user named it.

    Raises:
        CodecError: it is no subclass of `Codec`, lacks what those must have, or has no name of its own.
    """
    if not issubclass(found, Codec):
        raise CodecError(f"codec {name}: {found.__name__} is no subclass of gr_jscc.codecs.base.Codec")
    if missing := sorted(found.__abstractmethods__):
        raise CodecError(f"codec {name}: {found.__name__} lacks {', '.join(missing)}")
    own = getattr(found, "name", None)
    if not isinstance(own, str) or not own or not all(c.isalnum() or c in "-_." for c in own):
        raise CodecError(f"codec {name}: {found.__name__}.name must be letters, digits, -, _ and ., not {own!r}")
    if own in CODECS and found is not PLUGINS.find(own):
        raise CodecError(f"codec {name}: {found.__name__}.name is {own!r}, which is a codec that ships; choose another")


def load_codec(
    name: str | type[Codec] | Codec, weights: str | Path | None = None, device: str = "cpu", precision: str = "fp32"
) -> Codec:
    """Loads a codec ready to send and receive.

    Args:
        name: as `codec_class`; or a class; or a codec, which is returned as it is.
        weights: a shipped model's name or a ``.safetensors`` file, or what a codec without weights takes in their
            place; the codec's default when None.
        device: a torch device, ``cpu`` or ``cuda``.
        precision: of its networks, see `Codec.compute_in`.

    Raises:
        CodecError: unknown codec, or one from outside that cannot be made; weights for a codec that has its own; a
            precision that it cannot compute in.
        WeightsError: weights missing, damaged, or of another codec.
    """
    if isinstance(name, Codec):
        if weights is not None:
            raise CodecError(f"a {name.name} codec that is made already keeps its weights, {name.weights_name}")
        return name
    if isinstance(name, str):
        made = codec_class(name)
        if name in CODECS:
            codec = made(weights=weights, device=device)
            codec.compute_in(precision)
            return codec
    elif isinstance(name, type):
        made, name = name, name.__name__
        check_class(made, name)
    else:
        raise CodecError(f"a codec is a name, a class or an object of one, not {name!r}")
    try:
        codec = made(weights=weights, device=device)
    except UserError:
        raise
    except Exception as error:
        raise CodecError(f"codec {name} cannot be made: {blame(error)}") from error
    check_class(type(codec), name)
    codec.compute_in(precision)
    return codec


def load_codec_for_air(
    name: str | type[Codec] | Codec, weights: str | Path | None = None, device: str = "cpu", precision: str = "fp32"
) -> Codec:
    """`load_codec` of a codec whose symbols are going to be sent.

    Raises:
        CodecError: as `load_codec`; or the codec is a bound for ideal channels.
    """
    codec = load_codec(name, weights, device, precision)
    if codec.ideal_only:
        raise CodecError(f"{codec.name} is a theoretical bound and cannot be sent: use gr-jscc loopback --ideal")
    return codec
