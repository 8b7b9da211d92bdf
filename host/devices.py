"""``gr-jscc devices``: what radios are there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gr_jscc.host import options
from gr_jscc.host.loading import loading

if TYPE_CHECKING:
    from gr_jscc.radio.discovery import FoundDevice
    from gr_jscc.radio.limits import Limits

NOTHING = """\
No radio is connected, or its driver is not installed. On Debian and Ubuntu SoapySDR's drivers are packages:
    HackRF  soapysdr-module-hackrf      USRP  soapysdr-module-uhd      others  apt-cache search soapysdr-module
gr-jscc doctor lists those that are installed."""
VIRTUAL = """\
Without a radio, in two terminals:
    gr-jscc rx --profile virtual-hackrf --out received
    gr-jscc tx PHOTO --profile virtual-hackrf"""


def devices(json_lines: options.Json = False) -> None:
    """List the radios that are connected, what they can do, and the shipped profiles that fit them."""
    from gr_jscc.radio.profile import load_profile, shipped_profiles

    with loading("the drivers of radios"):
        from gr_jscc.radio.discovery import find_all

        found, missing = find_all()
    if json_lines:
        for device in found:
            print(json.dumps(device.as_dict()))
        return
    for device in found:
        print("\n".join(_lines(device)))
    for line in missing:
        print(line)
    if not any(device.driver != "jscc" for device in found):
        print(NOTHING)
    print(VIRTUAL)
    print("Profiles:")
    for name in shipped_profiles():
        profile = load_profile(name)
        print(f"    {name:<15} {profile.device.name}, {profile.address}")


def _lines(device: FoundDevice) -> list[str]:
    serial = f", serial {device.serial}" if device.serial else ""
    lines = [f"{device.address}", f"    {device.label}{serial}"]
    if device.trouble:
        lines.append(f"    {device.trouble}")
    lines += [f"    {way}: {_limits(limits)}" for way, limits in device.limits.items()]
    lines.append(f"    profiles: {', '.join(device.profiles) or 'none shipped'}")
    return lines


def _limits(limits: Limits) -> str:
    from gr_jscc.radio.limits import in_words

    gains = ", ".join(f"{stage} {in_words([gain], 1, 'dB')}" for stage, gain in limits.gains.items())
    parts = [in_words(limits.rates, 1e6, "Msps"), in_words(limits.frequencies, 1e6, "MHz"), f"gains {gains}"]
    return "; ".join([*parts, f"antennas {', '.join(limits.antennas)}"])
