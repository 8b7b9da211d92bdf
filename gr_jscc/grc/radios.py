"""Radios as GNU Radio Companion's blocks make them: from an address, a profile's name and what differs from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from gr_jscc import telling
from gr_jscc.radio import parse_radio, radio_sink, radio_source
from gr_jscc.radio.profile import Profile, default_profile, load_profile

if TYPE_CHECKING:
    from gnuradio import gr


def companion_sink(
    address: str = "",
    profile: str = "",
    frequency: float = 0.0,
    sample_rate: float = 0.0,
    gains: dict[str, float] | None = None,
    reconnect: bool = False,
) -> gr.basic_block:
    """`gr_jscc.radio.radio_sink` of a device.

    Args:
        address: of a device; "" for the profile's.
        profile: a shipped profile's name or a TOML file; "" for the one that ships for the device.
        frequency: Hz; 0 for the profile's.
        sample_rate: samples per second; 0 for the profile's.
        gains: dB by stage, in place of the profile's.
        reconnect: go on when a device that went away is back.

    Raises:
        RadioError, ProfileError: as `radio_sink`.
    """
    address, chosen = _chosen("tx", address, profile, frequency, sample_rate, gains)
    return _calibrated(radio_sink(address, chosen, reconnect), chosen)


def companion_source(
    address: str = "",
    profile: str = "",
    frequency: float = 0.0,
    sample_rate: float = 0.0,
    gains: dict[str, float] | None = None,
    reconnect: bool = False,
) -> gr.basic_block:
    """`gr_jscc.radio.radio_source` of a device; arguments and errors are those of `companion_sink`."""
    address, chosen = _chosen("rx", address, profile, frequency, sample_rate, gains)
    return _calibrated(radio_source(address, 0, chosen, reconnect), chosen)


def _calibrated(radio: gr.basic_block, profile: Profile) -> gr.basic_block:
    """The radio, after telling what speaks against the calibration that it uses."""
    if profile.calibration:
        for line in profile.calibration.warnings(radio.tuned and radio.tuned.serial):
            telling.remark(radio.name(), line)
    return radio


def _chosen(
    direction: Literal["tx", "rx"],
    address: str,
    name: str,
    frequency: float,
    sample_rate: float,
    gains: dict[str, float] | None,
) -> tuple[str, Profile]:
    profile = load_profile(name) if name else None
    address = address or (profile.address if profile else "")
    radio = parse_radio(address)
    profile = profile or default_profile(radio.kind, radio.place)
    return address, profile.adjusted(direction, frequency or None, sample_rate or None, gains)
