"""Checks of windows: Qt, GNU Radio Companion and our blocks in it, a screen for tests."""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import sys
from pathlib import Path

from gr_jscc.environment import installed, probing
from gr_jscc.environment.check import APT, Check
from gr_jscc.environment.system_imports import explain_system_import


def check_qt() -> Check:
    needed_for = "flowgraphs with windows"
    probe = probing.probe(
        "from PyQt5 import Qt, QtCore, sip\nfrom gnuradio import qtgui\nanswer = QtCore.QT_VERSION_STR"
    )
    if probe.answer is not None:
        return Check("PyQt5 and qtgui", True, f"Qt {probe.answer}", needed_for, required=False)
    explained = explain_system_import("PyQt5", "gnuradio python3-pyqt5", probe, needed_for)
    return Check("PyQt5 and qtgui", False, *explained, required=False)


def check_companion() -> Check:
    needed_for = "GNU Radio Companion (gr-jscc grc)"
    name = "Companion"
    if not shutil.which("gnuradio-companion"):
        return Check(name, False, "gnuradio-companion is missing", needed_for, APT + "gnuradio", required=False)
    probe = probing.probe(
        "import gi\ngi.require_version('Gtk', '3.0')\nfrom gi.repository import Gtk\nanswer = 'Gtk 3'"
    )
    if probe.answer is not None:
        return Check(name, True, f"{shutil.which('gnuradio-companion')}, {probe.answer}", needed_for, required=False)
    explained = explain_system_import("gi", "python3-gi-cairo gir1.2-gtk-3.0", probe, needed_for)
    return Check(name, False, *explained, required=False)


def check_blocks() -> Check:
    """Whether GNU Radio Companion, started from this shell, finds the blocks in the category [JSCC]."""
    name, needed_for, folder = "JSCC blocks", "GNU Radio Companion started without gr-jscc grc", blocks_folder()
    count = len(list(folder.glob("*.block.yml")))
    if not count:
        found = f"no *.block.yml in {folder}"
        return Check(name, False, found, "GNU Radio Companion", installed.restore("gr_jscc/grc"), required=False)
    if found := folder_with_blocks():
        return Check(name, True, f"{count} blocks in {found}", needed_for, required=False)
    remedy = f'export GRC_BLOCKS_PATH={shlex.quote(str(folder))}"${{GRC_BLOCKS_PATH:+:$GRC_BLOCKS_PATH}}"'
    found = f"{count} blocks, but GRC_BLOCKS_PATH does not name {folder}; gr-jscc grc sets it itself"
    return Check(name, False, found, needed_for, remedy, required=False)


def blocks_folder() -> Path:
    """The descriptions of our blocks that belong to this copy of gr-jscc."""
    return installed.PACKAGE / "grc"


def folder_with_blocks() -> Path | None:
    """Where GNU Radio Companion, started from this shell, finds our blocks; None where it does not."""
    return next((folder for folder in _companion_folders() if any(folder.glob("jscc_*.block.yml"))), None)


def check_xvfb() -> Check:
    found = shutil.which("Xvfb")
    remedy = "" if found else APT + "xvfb xauth"
    return Check("Xvfb", found is not None, found or "missing", "tests with windows", remedy, required=False)


def _companion_folders() -> list[Path]:
    """Where GNU Radio Companion looks for blocks: the environment, then its configuration files."""
    listed = os.environ.get("GRC_BLOCKS_PATH", "").split(os.pathsep)
    home = Path.home()
    listed.append(str(home / ".grc_gnuradio"))
    system = [file for prefix in ("/", sys.prefix) for file in Path(prefix, "etc/gnuradio/conf.d").glob("*.conf")]
    for file in [*system, home / ".gnuradio" / "config.conf"]:
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read(file)
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        for option in ("local_blocks_path", "global_blocks_path"):
            listed += parser.get("grc", option, fallback="").split(os.pathsep)
    return [Path(os.path.expandvars(os.path.expanduser(folder))).resolve() for folder in listed if folder.strip()]
