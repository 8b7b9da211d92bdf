"""Radios behind an address, as a person gives it with ``--radio``::

    zmq:tcp://127.0.0.1:5555   samples to or from another GNU Radio program, with flow control
    zmq-pub:…, zmq-req:…       the same in ZMQ's other patterns
    file:PATH                  a recording

`radio_sink` and `radio_source` make the block to connect; `parse_radio` only checks the address, without GNU Radio.
A further kind is an entry of `gr_jscc.radio.address.KINDS` and a module with the functions ``sink`` and ``source``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from gr_jscc.radio.address import KINDS, RadioAddress, RadioError, parse_radio

if TYPE_CHECKING:
    from gnuradio import gr

__all__ = ["KINDS", "RadioAddress", "RadioError", "parse_radio", "radio_sink", "radio_source"]


def radio_sink(address: str) -> gr.basic_block:
    """The block that sends: one stream in, complex64 samples.

    It has ``finish(patience: float = 5.0) -> bool``, to be called when the flowgraph has ended or was stopped: what was
    sent is then complete at the other end or, where that takes nothing for ``patience`` seconds, False is returned.
    And ``failure``: what it ended the flowgraph with, or None.

    Raises:
        RadioError: no such address, or it cannot be opened.
    """
    radio = parse_radio(address)
    return import_module(KINDS[radio.kind].module).sink(radio)


def radio_source(address: str, silence: int = 0) -> gr.basic_block:
    """The block that receives: one stream out, complex64 samples.

    It has ``failure``: what it ended the flowgraph with, or None.

    Args:
        silence: zeros that follow what has an end, for blocks that look ahead.

    Raises:
        RadioError: no such address, or it cannot be opened.
    """
    radio = parse_radio(address)
    return import_module(KINDS[radio.kind].module).source(radio, silence)
