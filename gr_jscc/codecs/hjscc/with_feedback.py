"""HJSCC with feedback, of either kind of model: which one it is, the weights say."""

from __future__ import annotations

import contextlib
from pathlib import Path

from safetensors import SafetensorError

from gr_jscc.codecs.base import Codec
from gr_jscc.codecs.hjscc.codec import HJSCCFeedback
from gr_jscc.codecs.hjscc.hyper_feedback import HyperFeedback
from gr_jscc.weights import describe_model


def with_feedback(weights: str | Path | None = None, device: str = "cpu") -> Codec:
    """The codec of a hierarchy over NTSCC's hyperlatents, or of one that `HJSCC` reads as well.

    Args:
        weights: a shipped model's name or a ``.safetensors`` file; the default model of the former when None.
        device: a torch device.

    Raises:
        WeightsError: weights missing, damaged, of another codec, or with a bad configuration.
        CodecError: the device is not there.

    Example:
        >>> with_feedback("hjscc-cifar").weights_name, with_feedback().weights_name
        ('hjscc-cifar', 'hjscc-photo-feedback')
    """
    weights, whose = weights or HyperFeedback.default_weights, None
    with contextlib.suppress(SafetensorError, OSError):  # which is told when it is loaded
        whose = describe_model(weights).get("codec")
    return (HJSCCFeedback if whose == HJSCCFeedback.weights_codec else HyperFeedback)(weights, device)
