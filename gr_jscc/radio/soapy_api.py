"""SoapySDR's Python API: importing it, finding devices, and its troubles in one line."""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType

from gr_jscc.radio.address import RadioError

#: Drivers that Debian has: the part of its module's file name by which it is known, and its package.
MODULES = {
    "hackrf": ("hackrf", "soapysdr-module-hackrf"),
    "uhd": ("uhd", "soapysdr-module-uhd"),
    "rtlsdr": ("rtlsdr", "soapysdr-module-rtlsdr"),
    "lime": ("lms7", "soapysdr-module-lms7"),
    "bladerf": ("bladerf", "soapysdr-module-bladerf"),
    "airspy": ("airspy", "soapysdr-module-airspy"),
    "remote": ("remote", "soapysdr-module-remote"),
    "xtrx": ("xtrx", "soapysdr-module-xtrx"),
    "redpitaya": ("redpitaya", "soapysdr-module-redpitaya"),
}
VIRTUAL_MODULE = "jsccVirtualRadio"  # in the name of its file, where SoapySDR has it among its own
PLUGIN_PATH = "SOAPY_SDR_PLUGIN_PATH"


def soapy() -> ModuleType:
    """The module `SoapySDR`, which also finds the virtual radio.

    Raises:
        RadioError: it is not installed.
    """
    folder = virtual_folder()
    listed = os.environ.get(PLUGIN_PATH, "").split(os.pathsep)
    if folder and folder not in listed:
        os.environ[PLUGIN_PATH] = os.pathsep.join([folder, *filter(None, listed)])
    try:
        module = import_module("SoapySDR")
    except ImportError as error:
        raise RadioError("SoapySDR is not installed; gr-jscc doctor names the command that installs it") from error
    if "SOAPY_SDR_LOG_LEVEL" not in os.environ:  # its errors are told in one line, by us
        module.setLogLevel(module.SOAPY_SDR_CRITICAL)
    return module


def virtual_folder() -> str:
    """The folder of the built virtual radio; "" where it is not built."""
    from gr_jscc.radio.virtual import module_folder

    return str(module_folder() or "")


def found_devices(place: str = "") -> list[dict[str, str]]:
    """What SoapySDR finds: each device's arguments.

    Args:
        place: arguments that they must have.

    Raises:
        RadioError: SoapySDR is not installed.
    """
    return [dict(found) for found in soapy().Device.enumerate(place)]


def has_module(driver: str) -> bool:
    """Whether the driver's module is installed; True for one that we know nothing of."""
    if driver == "jscc":
        return bool(virtual_folder()) or any(VIRTUAL_MODULE in path for path in soapy().listModules())
    if driver not in MODULES:
        return True
    known = MODULES[driver][0]
    return any(known in os.path.basename(path).lower() for path in soapy().listModules())


def missing_module(driver: str) -> str:
    """What to do about a driver whose module is not installed, in one line."""
    if driver == "jscc":
        return "the virtual radio is not built: gr-jscc virtual-radio build"
    package = MODULES[driver][1]
    return f"SoapySDR's driver {driver!r} is not installed: sudo apt-get install {package}"


def explained(address: str, error: Exception) -> RadioError:
    """An exception of SoapySDR as one line for a person."""
    text = " ".join(str(error).split())
    text = text.removeprefix("SoapySDR::Device::make() ").removeprefix("Exception: ")
    return RadioError(f"{address}: {text}")
