"""Radios behind an address, as a person gives it with ``--radio``:

    soapy:driver=hackrf        a device, through SoapySDR
    uhd:type=b200              a USRP, through GNU Radio's UHD blocks
    zmq:tcp://127.0.0.1:5555   samples to or from another GNU Radio program, with flow control
    zmq-pub:…, zmq-req:…       the same in ZMQ's other patterns
    file:PATH                  a recording

`radio_sink` and `radio_source` make the block to connect; `parse_radio` only checks the address, without GNU Radio.
A device is set by a profile, see `gr_jscc.radio.profile`. A further kind is an entry of `gr_jscc.radio.address.KINDS`
and a module with the functions ``sink(address, profile, reconnect)`` and ``source(address, silence, profile,
reconnect)``, to which `profile` is None where the user gave none and the address is no device.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from gr_jscc.radio.address import KINDS, RadioAddress, RadioError, kind_of, parse_radio
from gr_jscc.radio.statistics import RadioStatistics, Tuned

if TYPE_CHECKING:
    from gnuradio import gr

    from gr_jscc.radio.profile import Profile

__all__ = [
    "KINDS",
    "RadioAddress",
    "RadioError",
    "RadioStatistics",
    "Tuned",
    "parse_radio",
    "radio_sink",
    "radio_source",
]


def radio_sink(address: str, profile: Profile | str | None = None, reconnect: bool = False) -> gr.basic_block:
    """The block that sends: one stream in, complex64 samples whose mean power in a burst is about 1.

    It has ``finish(patience: float = 5.0) -> bool``, to be called when the flowgraph has ended or was stopped: what was
    sent is then complete at the other end or, where that takes nothing for ``patience`` seconds, False is returned.
    ``taken`` counts the samples that it took so far.
    And ``failure``: what it ended the flowgraph with, or None; ``statistics``: `RadioStatistics` so far; ``tuned``:
    `Tuned`, what it was set to, or None.

    Args:
        address: see above.
        profile: how a device is set: a profile, or what `load_profile` takes; None for the one that ships for the
            device.
        reconnect: go on when a device that went away is back, instead of ending with a failure.

    Raises:
        RadioError: no such address, or it cannot be opened, or it cannot do what the profile says.
        ProfileError: no such profile, or none ships for the device.
    """
    radio = parse_radio(address)
    return import_module(kind_of(radio.kind).module).sink(radio, _profile(radio, profile), reconnect)


def radio_source(
    address: str, silence: int = 0, profile: Profile | str | None = None, reconnect: bool = False
) -> gr.basic_block:
    """The block that receives: one stream out, complex64 samples; of a device full scale is 1.

    It has ``failure``, ``statistics`` and ``tuned`` as `radio_sink` has them.

    Args:
        address: see above.
        silence: zeros that follow what has an end, for blocks that look ahead.
        profile, reconnect: as for `radio_sink`.

    Raises:
        RadioError, ProfileError: as for `radio_sink`.
    """
    radio = parse_radio(address)
    return import_module(kind_of(radio.kind).module).source(radio, silence, _profile(radio, profile), reconnect)


def _profile(radio: RadioAddress, profile: Profile | str | None) -> Profile | None:
    if profile is None and not kind_of(radio.kind).device:
        return None
    from gr_jscc.radio.profile import default_profile, load_profile

    if profile is None:
        return default_profile(radio.kind, radio.place)
    return load_profile(profile) if isinstance(profile, str) else profile
