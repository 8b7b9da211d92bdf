"""What is installed where, in which version, and the commands that install or restore something."""

from __future__ import annotations

import importlib.metadata
import re
import shlex
import subprocess
import sys
from pathlib import Path

from gr_jscc.files.installation import PACKAGE, checkout

NUMPY_2_GNURADIO = (3, 10, 12)  # the first GNU Radio that distributions build for numpy 2
SYSTEM_PACKAGES = Path("/usr/lib/python3/dist-packages")
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def version_of(name: str) -> str | None:
    """The installed version of a package from PyPI. The first one on sys.path counts, as for import."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def system_has(module: str) -> bool:
    return (SYSTEM_PACKAGES / module).exists() or any(SYSTEM_PACKAGES.glob(f"{module}.*"))


def system_python_version() -> tuple[int, int] | None:
    try:
        code = "import sys; print(*sys.version_info[:2])"
        done = subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True, text=True, timeout=20)
        major, minor = done.stdout.split()
        return int(major), int(minor)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def system_gnuradio_version() -> str | None:
    try:
        done = subprocess.run(["gnuradio-config-info", "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def numbers(version: str) -> tuple[int, ...]:
    """'1.26.4+x' -> (1, 26, 4)"""
    return tuple(int(part) for part in re.match(r"[\d.]*", version.lstrip("v")).group().split(".") if part)


def numpy_too_new(version: str, radio: str | None) -> bool:
    return radio is not None and numbers(radio) < NUMPY_2_GNURADIO and numbers(version) >= (2,)


def numpy_bound(radio: str | None) -> str:
    return "numpy>=1.26.4" + (",<2" if radio is not None and numbers(radio) < NUMPY_2_GNURADIO else "")


def pip_install(requirement: str) -> str:
    command = [sys.executable, "-m", "pip", "install", requirement]
    constraints = PACKAGE.parent / "constraints.txt"  # of a checkout
    if constraints.exists() and not requirement.startswith("numpy"):  # numpy's version depends on GNU Radio's
        command += ["-c", str(constraints)]
    if requirement == "torch":  # elsewhere its default build is several gigabytes of CUDA
        command += ["--extra-index-url", TORCH_CPU_INDEX]
    return shlex.join(command)


def restore(folder: str) -> str:
    """The command that brings back files of the project."""
    if (PACKAGE.parent / ".git").exists():
        return shlex.join(["git", "-C", str(PACKAGE.parent), "checkout", "--", folder])
    return again()


def again() -> str:
    """The command that installs this copy of gr-jscc once more."""
    return (
        "make setup"
        if checkout()
        else f"{shlex.quote(sys.executable)} -m pip install --force-reinstall --no-deps gr-jscc"
    )


def new_environment() -> str:
    """The commands that make a virtual environment of the system's Python, for which GNU Radio's packages are."""
    if checkout():
        return "make clean && make setup"
    return "/usr/bin/python3 -m venv --system-site-packages jscc && jscc/bin/pip install gr-jscc"


def torch_for_cuda() -> str:
    """The commands that put PyTorch's build for NVIDIA GPUs in place of the one that is there."""
    if checkout():
        return "make setup TORCH=torch"
    pip = f"{shlex.quote(sys.executable)} -m pip"
    return f"{pip} uninstall --yes torch && {pip} install torch"
