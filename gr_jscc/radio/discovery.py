"""What devices there are, what they can do, and which shipped profiles fit them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from gr_jscc.radio.address import RadioError

if TYPE_CHECKING:
    from gr_jscc.radio.limits import Limits

_IDENTIFYING = ("serial", "addr", "name")  # of which one tells a device from others of its driver
_DESCRIBING = ("label", "product", "manufacturer", "version", "hardware", "part_id", "tuner", "remote")


@dataclass(frozen=True)
class FoundDevice:
    """A device that an API found.

    Attributes:
        address: for ``--radio``.
        driver: the API's name of it.
        label: for people.
        serial: None where it has none.
        profiles: names of shipped profiles that fit.
        limits: of ``tx`` and ``rx``; empty where they are not known without opening it for long, or it is in use.
        trouble: why it cannot be opened; "" where it can.

    Example:
        >>> found = FoundDevice("soapy:driver=hackrf", "hackrf", "HackRF One", None, profiles=["hackrf"], limits={})
        >>> found.as_dict()["profiles"]
        ['hackrf']
    """

    address: str
    driver: str
    label: str
    serial: str | None
    profiles: list[str]
    limits: dict[str, Limits]
    trouble: str = ""

    def as_dict(self) -> dict:
        return asdict(self)


def find_soapy() -> list[FoundDevice]:
    """Devices that SoapySDR finds.

    Raises:
        RadioError: SoapySDR is not installed.
    """
    from gr_jscc.radio.soapy_api import explained, found_devices, soapy
    from gr_jscc.radio.soapy_device import limits_of

    api, found = soapy(), []
    for told in found_devices():
        place = _place(told)
        limits, trouble = {}, ""
        try:
            device = api.Device(place)
            for name, way in (("tx", api.SOAPY_SDR_TX), ("rx", api.SOAPY_SDR_RX)):
                if device.getNumChannels(way):
                    limits[name] = limits_of(device, way)
            device.close()
        except RuntimeError as error:
            trouble = str(explained(f"soapy:{place}", error))
        label, driver = told.get("label", told.get("product", place)), told.get("driver", "")
        profiles = _fitting("soapy", told)
        found.append(FoundDevice(f"soapy:{place}", driver, label, told.get("serial"), profiles, limits, trouble))
    return found


def find_uhd() -> list[FoundDevice]:
    """USRPs that UHD finds. They are not opened, which would load their FPGA.

    Raises:
        RadioError: GNU Radio's UHD blocks are not installed.
    """
    from gr_jscc.radio.uhd_api import found_devices

    found = []
    for told in found_devices():
        place = ",".join(f"{key}={told[key]}" for key in ("type", *_IDENTIFYING) if told.get(key))
        label = " ".join(filter(None, (told.get("product"), told.get("name")))) or "USRP"
        kind = told.get("type", "")
        found.append(FoundDevice(f"uhd:{place}", kind, label, told.get("serial"), _fitting("uhd", told), {}))
    return found


def _place(told: dict[str, str]) -> str:
    """Arguments that find the device again."""
    keys = ["driver"]
    keys += next(([key] for key in _IDENTIFYING if told.get(key)), [key for key in told if key not in _DESCRIBING])
    if told.get("driver") == "jscc":  # its devices are told apart within an air
        keys = ["driver", "air", "model", "id"]
    return ",".join(f"{key}={told[key]}" for key in dict.fromkeys(keys) if told.get(key))


def _fitting(kind: str, told: dict[str, str]) -> list[str]:
    from gr_jscc.radio.profile import load_profile, shipped_profiles, split_arguments

    names = []
    for name, path in shipped_profiles().items():
        device = load_profile(path).device
        asked = split_arguments(device.args)
        if told.get("driver") == "jscc":
            asked.setdefault("model", "plain")
        if device.radio == kind and all(told.get(key) == value for key, value in asked.items()):
            names.append(name)
    return names


def find_all() -> tuple[list[FoundDevice], list[str]]:
    """All devices, and a line for each API that is missing."""
    found, missing = [], []
    for find in (find_soapy, find_uhd):
        try:
            found += find()
        except RadioError as error:
            missing.append(str(error))
    return found, missing
