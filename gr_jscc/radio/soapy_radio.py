"""SoapySDR devices as the radios that an address ``soapy:…`` names."""

from __future__ import annotations

from gr_jscc.radio.address import RadioAddress
from gr_jscc.radio.profile import Profile
from gr_jscc.radio.soapy_sink import SoapySink
from gr_jscc.radio.soapy_source import SoapySource


def sink(address: RadioAddress, profile: Profile, reconnect: bool) -> SoapySink:
    """See `gr_jscc.radio.radio_sink`."""
    return SoapySink(address, profile, reconnect)


def source(address: RadioAddress, silence: int, profile: Profile, reconnect: bool) -> SoapySource:
    """See `gr_jscc.radio.radio_source`; a device's stream has no end for silence to follow."""
    return SoapySource(address, profile, reconnect)
