"""Why a module of a Debian package does not import."""

from __future__ import annotations

import shlex
import sys
import sysconfig

from gr_jscc.environment import installed, probing
from gr_jscc.environment.check import APT


def explain_system_import(module: str, packages: str, probe: probing.Probe, needed_for: str) -> tuple[str, str, str]:
    """Why a Debian package's module does not import: (found, needed_for, remedy)."""
    version = installed.version_of("numpy")
    for_numpy_1 = "compiled using NumPy 1.x" in probe.log or "_ARRAY_API not found" in probe.log
    for_numpy_1 = for_numpy_1 or "numpy.core.multiarray failed to import" in probe.log
    if for_numpy_1 and version and installed.numbers(version) >= (2,):
        radio = installed.system_gnuradio_version() or ""
        found = f"GNU Radio {radio} was built for numpy 1 and cannot load with numpy {version}".replace("  ", " ")
        return found, needed_for, installed.pip_install("numpy>=1.26.4,<2")

    if not installed.system_has(module):
        return f"not installed ({probe.trouble})", needed_for, APT + packages

    system = installed.system_python_version()
    if system and system != sys.version_info[:2]:
        mine = "{}.{}".format(*sys.version_info[:2])
        found = f"installed for Python {system[0]}.{system[1]}, but this is Python {mine}"
        return found, needed_for, installed.new_environment()

    if str(installed.SYSTEM_PACKAGES) not in sys.path:
        site = sysconfig.get_path("purelib")
        remedy = f"echo {installed.SYSTEM_PACKAGES} > {shlex.quote(site + '/system-gnuradio.pth')}"
        return "installed, but this virtual environment cannot see it", needed_for, remedy

    reinstall = "sudo apt-get install --reinstall --no-install-recommends " + packages
    return f"installed, but fails: {probe.trouble}", needed_for, reinstall
