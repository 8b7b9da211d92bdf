"""Checks of Python and of packages from PyPI."""

from __future__ import annotations

import shutil
import sys

from gr_jscc.environment import installed, probing
from gr_jscc.environment.check import Check

MINIMUM_PYTHON = (3, 10)
MINIMUM_NUMPY = (1, 26, 4)

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
    "pydantic": "radio profiles",
    "tomlkit": "writing radio profiles",
    "sigmf": "recordings",
    "av": "HEVC in the separation codecs",
    "constriction": "side information of ntscc",
    "distributed": "sweeps",
    "bjontegaard": "sweep reports",
    "threadpoolctl": "threads that do not spin",
}
OPTIONAL_DEPENDENCIES = {"tensorboard": "training logs", "pytest": "tests", "pytest-timeout": "tests"}


def check_python() -> Check:
    found = f"{sys.version.split()[0]} ({sys.executable})"
    ok = sys.version_info[:2] >= MINIMUM_PYTHON
    remedy = "" if ok else installed.new_environment() + "   # on Debian 12+ or Ubuntu 22.04+"
    return Check("Python", ok, found, "everything", remedy)


def check_dependencies() -> list[Check]:
    checks = []
    for name, needed_for in (DEPENDENCIES | OPTIONAL_DEPENDENCIES).items():
        version = installed.version_of(name)
        remedy = ""
        if version is None:
            bound = installed.numpy_bound(installed.system_gnuradio_version()) if name == "numpy" else name
            remedy = installed.pip_install(bound)
        checks.append(Check(name, version is not None, version or "missing", needed_for, remedy, name in DEPENDENCIES))
    return checks


def check_numpy() -> Check:
    """Whether numpy is one that the GNU Radio of this machine accepts."""
    version, radio = installed.version_of("numpy"), installed.system_gnuradio_version()
    needed_for = "numpy and GNU Radio in one process"
    if version is None:
        return Check(
            "numpy fits", False, "numpy is missing", needed_for, installed.pip_install(installed.numpy_bound(radio))
        )
    ok = installed.numbers(version) >= MINIMUM_NUMPY and not installed.numpy_too_new(version, radio)
    found = f"numpy {version}, " + (f"GNU Radio {radio}" if radio else "no GNU Radio")
    if not ok:
        found += f" requires {installed.numpy_bound(radio)}"
    return Check("numpy fits", ok, found, needed_for, "" if ok else installed.pip_install(installed.numpy_bound(radio)))


def check_torch() -> Check:
    """PyTorch's device and threads; that it is missing is said by `check_dependencies`."""
    code = """
cuda = torch.cuda.is_available()
names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if cuda else []
answer = {"version": torch.__version__, "threads": torch.get_num_threads(), "names": names}
"""
    probe = probing.probe("import torch" + code)
    if probe.answer is None:
        return Check("torch device", False, probe.trouble, "codecs, training", installed.pip_install("torch"))
    names, threads = probe.answer["names"], probe.answer["threads"]
    found = ("CUDA: " + ", ".join(names)) if names else "CPU"
    found += f", {threads} thread" + ("s" if threads != 1 else "")
    if not names and shutil.which("nvidia-smi"):
        return Check(
            "torch device",
            False,
            found + "; there is an NVIDIA driver but this PyTorch does not use it",
            "faster codecs and training",
            installed.torch_for_cuda(),
            required=False,
        )
    return Check("torch device", True, found, "codecs, training")
