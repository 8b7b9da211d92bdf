"""GNU Radio's UHD blocks: importing them, finding devices, and their troubles in one line."""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType

from gr_jscc.radio.address import RadioAddress, RadioError
from gr_jscc.radio.profile import Profile, split_arguments


def uhd() -> ModuleType:
    """The module `gnuradio.uhd`.

    Raises:
        RadioError: it is not installed.
    """
    os.environ.setdefault("UHD_LOG_CONSOLE_LEVEL", "error")  # what is wrong is told in one line, by us
    try:
        return import_module("gnuradio.uhd")
    except ImportError as error:
        raise RadioError(
            "GNU Radio's UHD blocks are missing; gr-jscc doctor names the command that installs them"
        ) from error


def found_devices(place: str = "") -> list[dict[str, str]]:
    """What UHD finds: each device's arguments.

    Args:
        place: arguments that they must have.

    Raises:
        RadioError: UHD is not installed.
    """
    api = uhd()
    return [split_arguments(found.to_string()) for found in api.find(api.device_addr(place))]


def open_block(address: RadioAddress, profile: Profile, name: str):
    """A USRP block, ``usrp_sink`` or ``usrp_source``.

    Raises:
        RadioError: there is no such device, or it cannot be opened.
    """
    api = uhd()
    arguments = ",".join(f"{key}={value}" for key, value in profile.stream.arguments.items())
    stream = api.stream_args(cpu_format="fc32", args=arguments, channels=[0])
    try:
        return getattr(api, name)(api.device_addr(address.place), stream)
    except RuntimeError as error:
        if "No devices found" in str(error):
            raise RadioError(f"{address}: no such device is connected: see gr-jscc devices") from error
        raise RadioError(f"{address}: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """What an exception says, in one line."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
