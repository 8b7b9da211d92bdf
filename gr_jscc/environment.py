"""What this machine has, what it lacks, and the command that mends it: the checks behind ``gr-jscc doctor``.

Everything that could crash, hang or print (GNU Radio, Qt, PyTorch) is imported in a process of its own, so a broken
installation ends in a line of the table and not in a traceback. This module imports neither GNU Radio nor PyTorch.
"""

from __future__ import annotations

import configparser
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from gr_jscc.radio.soapy_api import MODULES

__all__ = ["Check", "run_checks"]

PACKAGE = Path(__file__).resolve().parent
MINIMUM_PYTHON = (3, 10)
MINIMUM_NUMPY = (1, 26, 4)
NUMPY_2_GNURADIO = (3, 10, 12)  # the first GNU Radio that distributions build for numpy 2
SYSTEM_PACKAGES = Path("/usr/lib/python3/dist-packages")
APT = "sudo apt-get update && sudo apt-get install --no-install-recommends "
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PROBE_SECONDS = 90
UHD_IMAGE_FOLDERS = [Path("/usr/share/uhd/images"), Path("/usr/local/share/uhd/images")]
SOAPY_DRIVERS = {"hackrf": ("HackRF", "a HackRF"), "uhd": ("USRP", "a USRP through SoapySDR")}

# The packages from PyPI that pyproject.toml asks for, and what each one is for.
DEPENDENCIES = {
    "torch": "codecs, training",
    "numpy": "everything",
    "scipy": "modem, channel models",
    "matplotlib": "plots",
    "pyzmq": "back-channel, radios over the network",
    "safetensors": "weights",
    "pillow": "reading and writing images",
    "typer": "the gr-jscc command",
    "rich": "the gr-jscc command",
    "numba": "error correction",
    "pytorch-msssim": "MS-SSIM, training",
    "pydantic": "profiles of radios",
    "tomlkit": "writing profiles of radios",
    "sigmf": "recordings",
    "av": "HEVC of the separation codecs",
    "constriction": "side information of ntscc",
    "distributed": "sweeps",
    "bjontegaard": "reports of sweeps",
}
OPTIONAL_DEPENDENCIES = {"tensorboard": "training logs", "pytest": "make test", "pytest-timeout": "make test"}


@dataclass(frozen=True)
class Check:
    """One line of the table."""

    name: str
    ok: bool
    found: str
    """What is there, or what is wrong, in one line."""
    needed_for: str
    remedy: str = ""
    """The exact command that mends it; empty where nothing needs mending."""
    required: bool = True
    """Whether a simulated link already needs it; the rest serves radios, windows, tests or speed."""

    def as_dict(self) -> dict:
        return asdict(self)


def run_checks() -> list[Check]:
    """All checks, in the order to show them. Takes some seconds; never raises for what it finds."""
    probes: list[Callable[[], Check | list[Check]]] = [
        check_python,
        check_dependencies,
        check_torch,
        check_gnuradio,
        check_pmt,
        check_numpy,
        check_qt,
        check_soapy,
        check_soapy_drivers,
        check_uhd_images,
        check_virtual_radio,
        check_companion,
        check_blocks,
        check_xvfb,
        check_weights,
    ]
    with ThreadPoolExecutor(max_workers=4) as pool:
        results = list(pool.map(_guarded, probes))
    return [check for result in results for check in (result if isinstance(result, list) else [result])]


def _guarded(probe: Callable[[], Check | list[Check]]) -> Check | list[Check]:
    try:
        return probe()
    except Exception as error:  # a doctor must not fall ill
        name = probe.__name__.removeprefix("check_")
        found = " ".join(f"the check itself failed: {type(error).__name__}: {error}".split())
        return Check(name, False, found, "gr-jscc doctor", "make setup")


# ------------------------------------------------------------------------------------------------ Python and PyPI


def check_python() -> Check:
    found = f"{sys.version.split()[0]} ({sys.executable})"
    ok = sys.version_info[:2] >= MINIMUM_PYTHON
    remedy = "" if ok else "make setup   # on Debian 12+ or Ubuntu 22.04+, whose Python is new enough"
    return Check("Python", ok, found, "everything", remedy)


def check_dependencies() -> list[Check]:
    checks = []
    for name, needed_for in (DEPENDENCIES | OPTIONAL_DEPENDENCIES).items():
        version = _version(name)
        remedy = "" if version else _pip_install(_numpy_bound(_system_gnuradio_version()) if name == "numpy" else name)
        checks.append(Check(name, version is not None, version or "missing", needed_for, remedy, name in DEPENDENCIES))
    return checks


def check_numpy() -> Check:
    """Whether numpy is one that the GNU Radio of this machine accepts."""
    version, radio = _version("numpy"), _system_gnuradio_version()
    needed_for = "numpy and GNU Radio in one process"
    if version is None:
        return Check("numpy fits", False, "numpy is missing", needed_for, _pip_install(_numpy_bound(radio)))
    ok = _numbers(version) >= MINIMUM_NUMPY and not _numpy_too_new(version, radio)
    found = f"numpy {version}, " + (f"GNU Radio {radio}" if radio else "no GNU Radio")
    if not ok:
        found += f" wants {_numpy_bound(radio)}"
    return Check("numpy fits", ok, found, needed_for, "" if ok else _pip_install(_numpy_bound(radio)))


def check_torch() -> Check:
    """PyTorch's device and threads; that it is missing is said by `check_dependencies`."""
    code = """
cuda = torch.cuda.is_available()
names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if cuda else []
answer = {"version": torch.__version__, "threads": torch.get_num_threads(), "names": names}
"""
    probe = _probe("import torch" + code)
    if probe.answer is None:
        return Check("torch device", False, probe.trouble, "codecs, training", _pip_install("torch"))
    names, threads = probe.answer["names"], probe.answer["threads"]
    found = ("CUDA: " + ", ".join(names)) if names else "CPU"
    found += f", {threads} thread" + ("s" if threads != 1 else "")
    if not names and shutil.which("nvidia-smi"):
        return Check(
            "torch device",
            False,
            found + "; there is an NVIDIA driver but this PyTorch does not use it",
            "faster codecs and training",
            "make setup TORCH=torch",
            required=False,
        )
    return Check("torch device", True, found, "codecs, training")


# ------------------------------------------------------------------------------------------ GNU Radio and Debian's


def check_gnuradio() -> Check:
    needed_for = "flowgraphs, radios"
    probe = _probe("from gnuradio import gr, blocks, digital\nanswer = gr.version()")
    if probe.answer is not None:
        return Check("gnuradio", True, str(probe.answer), needed_for)
    return Check("gnuradio", False, *_explain_system_import("gnuradio", "gnuradio", probe, needed_for))


def check_pmt() -> Check:
    needed_for = "messages between GNU Radio blocks"
    # The `pmt` on PyPI is something else; only GNU Radio's has intern().
    probe = _probe("import pmt\nanswer = pmt.__file__ if hasattr(pmt, 'intern') else ''")
    if probe.answer:
        return Check("pmt", True, str(Path(probe.answer).parent), needed_for)
    if probe.answer == "":
        remedy = f"{shlex.quote(sys.executable)} -m pip uninstall -y pmt"
        return Check("pmt", False, "an unrelated package called pmt hides GNU Radio's", needed_for, remedy)
    return Check("pmt", False, *_explain_system_import("pmt", "gnuradio", probe, needed_for))


def check_soapy() -> Check:
    needed_for = "HackRF and other radios through SoapySDR"
    probe = _probe("import SoapySDR\nanswer = SoapySDR.getLibVersion()")
    if probe.answer is not None:
        return Check("SoapySDR", True, str(probe.answer), needed_for, required=False)
    explained = _explain_system_import("SoapySDR", "python3-soapysdr soapysdr-tools", probe, needed_for)
    return Check("SoapySDR", False, *explained, required=False)


def check_virtual_radio() -> Check:
    """Whether the SoapySDR driver of the virtual radio is built, and loads."""
    from gr_jscc.radio.virtual import module_folder

    name, needed_for, folder = "virtual radio", "trying radios without hardware, tests", module_folder()
    if folder is None:
        missing = [tool for tool in ("cmake", "g++") if not shutil.which(tool)]
        missing += [] if Path("/usr/include/SoapySDR/Device.hpp").exists() else ["libsoapysdr-dev"]
        found = "not built" + (f", and {', '.join(missing)} missing" if missing else "")
        remedy = (f"{APT}{' '.join(missing)} && " if missing else "") + "make virtual-radio"
        return Check(name, False, found, needed_for, remedy, required=False)
    code = f"import os\nos.environ['SOAPY_SDR_PLUGIN_PATH'] = {str(folder)!r}\nimport SoapySDR\n"
    code += "answer = [dict(found)['label'] for found in SoapySDR.Device.enumerate('driver=jscc')]"
    probe = _probe(code)
    if probe.answer:
        return Check(name, True, f"driver=jscc in {folder}", needed_for, required=False)
    found = probe.trouble or f"built in {folder}, but SoapySDR does not load it"
    remedy = f"rm -r {shlex.quote(str(folder))} && make virtual-radio"
    return Check(name, False, found, needed_for, remedy, required=False)


def check_soapy_drivers() -> list[Check]:
    """Whether SoapySDR has the drivers of the radios that we ship profiles for."""
    probe = _probe("import SoapySDR\nanswer = SoapySDR.listModules()")
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


def check_qt() -> Check:
    needed_for = "flowgraphs with windows"
    probe = _probe("from PyQt5 import Qt, QtCore, sip\nfrom gnuradio import qtgui\nanswer = QtCore.QT_VERSION_STR")
    if probe.answer is not None:
        return Check("PyQt5 and qtgui", True, f"Qt {probe.answer}", needed_for, required=False)
    explained = _explain_system_import("PyQt5", "gnuradio python3-pyqt5", probe, needed_for)
    return Check("PyQt5 and qtgui", False, *explained, required=False)


def check_companion() -> Check:
    needed_for = "GNU Radio Companion (make grc)"
    name = "Companion"
    if not shutil.which("gnuradio-companion"):
        return Check(name, False, "gnuradio-companion is missing", needed_for, APT + "gnuradio", required=False)
    probe = _probe("import gi\ngi.require_version('Gtk', '3.0')\nfrom gi.repository import Gtk\nanswer = 'Gtk 3'")
    if probe.answer is not None:
        return Check(name, True, f"{shutil.which('gnuradio-companion')}, {probe.answer}", needed_for, required=False)
    explained = _explain_system_import("gi", "python3-gi-cairo gir1.2-gtk-3.0", probe, needed_for)
    return Check(name, False, *explained, required=False)


def check_blocks() -> Check:
    """Whether GNU Radio Companion, started from this shell, finds the blocks in the category [JSCC]."""
    name, needed_for, folder = "JSCC blocks", "GNU Radio Companion started without make grc", PACKAGE / "grc"
    count = len(list(folder.glob("*.block.yml")))
    if not count:
        found = f"no *.block.yml in {folder}"
        return Check(name, False, found, "GNU Radio Companion", _restore("gr_jscc/grc"), required=False)
    if folder in _companion_folders():
        return Check(name, True, f"{count} blocks in {folder}", needed_for, required=False)
    remedy = f'export GRC_BLOCKS_PATH={shlex.quote(str(folder))}"${{GRC_BLOCKS_PATH:+:$GRC_BLOCKS_PATH}}"'
    found = f"{count} blocks, but GRC_BLOCKS_PATH does not name {folder}; make grc sets it itself"
    return Check(name, False, found, needed_for, remedy, required=False)


def check_xvfb() -> Check:
    found = shutil.which("Xvfb")
    remedy = "" if found else APT + "xvfb xauth"
    return Check("Xvfb", found is not None, found or "missing", "tests of windows", remedy, required=False)


def check_weights(folder: Path = PACKAGE / "weights") -> Check:
    files = sorted(folder.glob("*.safetensors"))
    remedy = _restore("gr_jscc/weights")
    if not files:
        return Check("weights", False, f"no *.safetensors in {folder}", "codecs", remedy)
    broken = [file.name for file in files if not _whole_safetensors(file)]
    if broken:
        return Check("weights", False, "damaged: " + ", ".join(broken), "codecs", remedy)
    size = sum(file.stat().st_size for file in files) / 1e6
    return Check("weights", True, f"{len(files)} in {folder}, {size:.1f} MB", "codecs")


# ---------------------------------------------------------------------------------------------------------- tools


@dataclass(frozen=True)
class _Probe:
    answer: object = None
    trouble: str = ""
    log: str = ""


def _probe(code: str, seconds: float = PROBE_SECONDS) -> _Probe:
    """Run `code`, which sets `answer`, in a fresh interpreter of this environment."""
    mark = "gr-jscc-answer:"
    code += f"\nimport json\nprint('\\n{mark}' + json.dumps(answer), flush=True)"
    try:
        # From /, so that nothing in the user's folder is imported by mistake (-P is younger than Python 3.10).
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            cwd="/",
        )
    except subprocess.TimeoutExpired:
        return _Probe(trouble=f"no answer in {seconds:.0f} s")
    for line in done.stdout.splitlines():
        if line.startswith(mark):
            return _Probe(answer=json.loads(line.removeprefix(mark)))
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    if done.returncode < 0:
        trouble = f"crashes on import (signal {-done.returncode})"
    else:
        trouble = next((line for line in reversed(lines) if re.match(r"[\w.]*(Error|Exception)\b", line)), "")
        trouble = trouble or (lines[-1] if lines else f"exit code {done.returncode}")
    return _Probe(trouble=trouble, log=done.stdout + done.stderr)


def _explain_system_import(module: str, packages: str, probe: _Probe, needed_for: str) -> tuple[str, str, str]:
    """Why a Debian package's module does not import: (found, needed_for, remedy)."""
    version = _version("numpy")
    for_numpy_1 = "compiled using NumPy 1.x" in probe.log or "_ARRAY_API not found" in probe.log
    for_numpy_1 = for_numpy_1 or "numpy.core.multiarray failed to import" in probe.log
    if for_numpy_1 and version and _numbers(version) >= (2,):
        radio = _system_gnuradio_version() or ""
        found = f"GNU Radio {radio} was built for numpy 1 and cannot load with numpy {version}".replace("  ", " ")
        return found, needed_for, _pip_install("numpy>=1.26.4,<2")

    if not _system_has(module):
        return f"not installed ({probe.trouble})", needed_for, APT + packages

    system = _system_python_version()
    if system and system != sys.version_info[:2]:
        mine = "{}.{}".format(*sys.version_info[:2])
        found = f"installed for Python {system[0]}.{system[1]}, but this is Python {mine}"
        return found, needed_for, "make clean && make setup   # makes .venv with /usr/bin/python3"

    if str(SYSTEM_PACKAGES) not in sys.path:
        site = sysconfig.get_path("purelib")
        remedy = f"echo {SYSTEM_PACKAGES} > {shlex.quote(site + '/system-gnuradio.pth')}"
        return "installed, but this virtual environment does not look there", needed_for, remedy

    reinstall = "sudo apt-get install --reinstall --no-install-recommends " + packages
    return f"installed, but fails: {probe.trouble}", needed_for, reinstall


def _system_has(module: str) -> bool:
    return (SYSTEM_PACKAGES / module).exists() or any(SYSTEM_PACKAGES.glob(f"{module}.*"))


def _system_python_version() -> tuple[int, int] | None:
    try:
        code = "import sys; print(*sys.version_info[:2])"
        done = subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True, text=True, timeout=20)
        major, minor = done.stdout.split()
        return int(major), int(minor)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def _system_gnuradio_version() -> str | None:
    try:
        done = subprocess.run(["gnuradio-config-info", "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _numbers(version: str) -> tuple[int, ...]:
    """'1.26.4+x' -> (1, 26, 4)"""
    return tuple(int(part) for part in re.match(r"[\d.]*", version.lstrip("v")).group().split(".") if part)


def _numpy_too_new(version: str, radio: str | None) -> bool:
    return radio is not None and _numbers(radio) < NUMPY_2_GNURADIO and _numbers(version) >= (2,)


def _numpy_bound(radio: str | None) -> str:
    return "numpy>=1.26.4" + (",<2" if radio is not None and _numbers(radio) < NUMPY_2_GNURADIO else "")


def _version(name: str) -> str | None:
    """The installed version of a package from PyPI. The first one on sys.path counts, as for import."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _pip_install(requirement: str) -> str:
    command = [sys.executable, "-m", "pip", "install", requirement]
    constraints = PACKAGE.parent / "constraints.txt"
    if constraints.exists() and not requirement.startswith("numpy"):  # numpy's version depends on GNU Radio's
        command += ["-c", str(constraints)]
    if requirement == "torch":  # elsewhere its default build is several gigabytes of CUDA
        command += ["--extra-index-url", TORCH_CPU_INDEX]
    return shlex.join(command)


def _restore(folder: str) -> str:
    """The command that brings back files of the project."""
    if (PACKAGE.parent / ".git").exists():
        return shlex.join(["git", "-C", str(PACKAGE.parent), "checkout", "--", folder])
    return "pip install --force-reinstall --no-deps .   # in a complete checkout of gr-jscc"


def _companion_folders() -> set[Path]:
    """Where GNU Radio Companion looks for blocks: the environment, then its configuration files."""
    listed = os.environ.get("GRC_BLOCKS_PATH", "").split(os.pathsep)
    home = Path.home()
    listed.append(str(home / ".grc_gnuradio"))
    for file in [*Path("/etc/gnuradio/conf.d").glob("*.conf"), home / ".gnuradio" / "config.conf"]:
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read(file)
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        for option in ("local_blocks_path", "global_blocks_path"):
            listed += parser.get("grc", option, fallback="").split(os.pathsep)
    return {Path(os.path.expandvars(os.path.expanduser(folder))).resolve() for folder in listed if folder.strip()}


def _whole_safetensors(file: Path) -> bool:
    """Whether the file has the length that its header names, so a cut download or an LFS pointer is noticed."""
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= size - 8:
                return False
            header = json.loads(stream.read(length))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        return size == 8 + length + max(ends, default=0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return False
