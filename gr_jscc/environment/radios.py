"""Checks of radios' drivers and firmware, and of the virtual radio."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from gr_jscc.environment import probing
from gr_jscc.environment.check import APT, Check
from gr_jscc.environment.system_imports import explain_system_import
from gr_jscc.radio.soapy_api import MODULES, PLUGIN_PATH

UHD_IMAGE_FOLDERS = [Path("/usr/share/uhd/images"), Path("/usr/local/share/uhd/images")]
BUILD = "gr-jscc virtual-radio build"
SOAPY_DRIVERS = {"hackrf": ("HackRF", "a HackRF"), "uhd": ("USRP", "a USRP through SoapySDR")}


def check_soapy() -> Check:
    needed_for = "HackRF and other radios through SoapySDR"
    probe = probing.probe("import SoapySDR\nanswer = SoapySDR.getLibVersion()")
    if probe.answer is not None:
        return Check("SoapySDR", True, str(probe.answer), needed_for, required=False)
    explained = explain_system_import("SoapySDR", "python3-soapysdr soapysdr-tools", probe, needed_for)
    return Check("SoapySDR", False, *explained, required=False)


def check_virtual_radio() -> Check:
    """Whether the SoapySDR driver of the virtual radio is built, and loads."""
    from gr_jscc.radio.virtual import module_folder
    from gr_jscc.radio.virtual.building import missing_tools

    name, needed_for, folder = "virtual radio", "trying out radios without hardware, tests", module_folder()
    code = f"import os\nos.environ[{PLUGIN_PATH!r}] = {str(folder)!r}\n" if folder else ""
    code += "import SoapySDR\n"
    code += "answer = [dict(found)['label'] for found in SoapySDR.Device.enumerate('driver=jscc')]"
    probe = probing.probe(code)
    if probe.answer:
        where = f"in {folder}" if folder else "among SoapySDR's own"
        return Check(name, True, f"driver=jscc {where}", needed_for, required=False)
    if folder is None:
        missing = missing_tools()
        found = "not built" + (f", and {', '.join(missing)} missing" if missing else "")
        remedy = (f"{APT}{' '.join(missing)} && " if missing else "") + BUILD
        return Check(name, False, found, needed_for, remedy, required=False)
    found = probe.trouble or f"built in {folder}, but SoapySDR does not load it"
    remedy = f"rm -r {shlex.quote(str(folder))} && {BUILD}"
    return Check(name, False, found, needed_for, remedy, required=False)


def check_soapy_drivers() -> list[Check]:
    """Whether SoapySDR has the drivers of the radios that we ship profiles for."""
    probe = probing.probe("import SoapySDR\nanswer = SoapySDR.listModules()")
    modules = [Path(path).name for path in probe.answer or []]
    checks = []
    for driver, (radio, needed_for) in SOAPY_DRIVERS.items():
        known, package = MODULES[driver]
        found = next((name for name in modules if known in name.lower()), None)
        remedy = "" if found else APT + package
        checks.append(
            Check(f"SoapySDR: {radio}", found is not None, found or "not installed", needed_for, remedy, required=False)
        )
    return checks


def check_uhd_images() -> Check:
    """Whether the firmware and FPGA images are there that UHD loads into a USRP."""
    name, needed_for = "UHD images", "USRPs, through uhd: and soapy:driver=uhd"
    folders = [Path(os.environ[key]) for key in ("UHD_IMAGES_DIR",) if key in os.environ] or UHD_IMAGE_FOLDERS
    for folder in folders:
        if count := len([*folder.glob("usrp_*"), *folder.glob("*.img")]):
            return Check(name, True, f"{count} in {folder}", needed_for, required=False)
    found = f"none in {' or '.join(str(folder) for folder in folders)}"
    remedy = APT + "uhd-host && sudo uhd_images_downloader"
    return Check(name, False, found, needed_for, remedy, required=False)
