"""gr-jscc doctor: says what is there, recognises the known troubles, and names the command that mends each."""

import ast
import json
import os
import re
import shlex
import sys
import textwrap
from pathlib import Path

import pytest

from gr_jscc import environment
from gr_jscc.environment import (
    Check,
    gnu_radio,
    installed,
    probing,
    python_packages,
    radios,
    run_checks,
    weights,
    windows,
)
from gr_jscc.environment.check import APT
from gr_jscc.files import installation

pytestmark = pytest.mark.timeout(120)
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def system(monkeypatch, tmp_path):
    """A machine whose Debian packages lie in tmp_path, for the same Python as this one; GNU Radio 3.10.5."""
    monkeypatch.setattr(installed, "SYSTEM_PACKAGES", tmp_path)
    monkeypatch.setattr(installed, "system_python_version", lambda: sys.version_info[:2])
    monkeypatch.setattr(installed, "system_gnuradio_version", lambda: "3.10.5.1")
    monkeypatch.setattr(installed, "version_of", lambda name: "1.26.4")
    return tmp_path


def failing_probe(monkeypatch, trouble="ModuleNotFoundError: No module named 'gnuradio'", log=""):
    monkeypatch.setattr(probing, "probe", lambda code: probing.Probe(trouble=trouble, log=log))


def test_run_checks_covers_everything_and_remedies_what_fails():
    checks = run_checks()
    names = [check.name for check in checks]
    assert len(names) == len(set(names))
    for name in ("Python", "torch", "torch device", "gnuradio", "pmt", "SoapySDR", "PyQt5 and qtgui", "weights"):
        assert name in names
    for check in checks:
        assert isinstance(check, Check)
        assert check.needed_for and check.found and "\n" not in check.found + check.remedy
        assert bool(check.remedy) == (not check.ok), check
        json.dumps(check.as_dict())


def test_this_module_imports_neither_gnuradio_nor_torch():
    probe = probing.probe(
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nimport gr_jscc.environment\n"
        "answer = [name for name in ('gnuradio', 'torch', 'pmt', 'SoapySDR') if name in sys.modules]"
    )
    assert probe.answer == [], probe.trouble


def test_dependencies_are_those_of_pyproject():
    text = (ROOT / "pyproject.toml").read_text()
    listed = re.search(r"^dependencies = \[(.*?)^\]", text, re.DOTALL | re.MULTILINE).group(1)
    assert set(re.findall(r'"([a-z-]+)', listed)) == set(python_packages.DEPENDENCIES)
    assert not {"pmt", "soapysdr", "gnuradio"} & set(python_packages.DEPENDENCIES)


def test_missing_dependency(monkeypatch):
    real = installed.version_of
    monkeypatch.setattr(installed, "version_of", lambda name: None if name in ("scipy", "torch") else real(name))
    checks = {check.name: check for check in python_packages.check_dependencies()}
    assert not checks["scipy"].ok and checks["scipy"].required
    assert checks["scipy"].remedy.startswith(f"{shlex.quote(sys.executable)} -m pip install scipy")
    assert "whl/cpu" in checks["torch"].remedy
    assert checks["numpy"].ok


@pytest.mark.parametrize(
    "log",
    [
        "A module that was compiled using NumPy 1.x cannot be run in\nNumPy 2.4.6 as it may crash.",
        "AttributeError: _ARRAY_API not found",
        "ImportError: numpy.core.multiarray failed to import",
    ],
)
def test_numpy_2_under_an_old_gnuradio_is_explained(monkeypatch, system, log):
    monkeypatch.setattr(installed, "version_of", lambda name: "2.4.6")
    failing_probe(monkeypatch, "ImportError: numpy.core.multiarray failed to import", log)
    check = gnu_radio.check_gnuradio()
    assert not check.ok
    assert check.found == "GNU Radio 3.10.5.1 was built for numpy 1 and cannot load with numpy 2.4.6"
    assert check.remedy == f"{shlex.quote(sys.executable)} -m pip install 'numpy>=1.26.4,<2'"


@pytest.mark.parametrize(
    ("numpy", "radio", "ok"),
    [
        ("1.26.4", "3.10.5.1", True),
        ("1.26.4", "3.10.12.0", True),
        ("2.2.4", "3.10.12.0", True),
        ("2.2.4", "v3.11.0.0git-15", True),
        ("2.4.6", None, True),
        ("2.0.0", "3.10.9.2", False),
        ("2.0.0", "3.10.5.1", False),
        ("1.24.2", "3.10.5.1", False),
        ("1.24.2", None, False),
        (None, "3.10.5.1", False),
    ],
)
def test_numpy_fits(monkeypatch, numpy, radio, ok):
    monkeypatch.setattr(installed, "version_of", lambda name: numpy)
    monkeypatch.setattr(installed, "system_gnuradio_version", lambda: radio)
    check = python_packages.check_numpy()
    assert check.ok == ok
    assert bool(check.remedy) != ok


def test_gnuradio_not_installed(monkeypatch, system):
    failing_probe(monkeypatch)
    check = gnu_radio.check_gnuradio()
    assert not check.ok and "not installed" in check.found
    assert check.remedy == "sudo apt-get update && sudo apt-get install --no-install-recommends gnuradio"


def test_gnuradio_out_of_the_virtual_environments_sight(monkeypatch, system):
    (system / "gnuradio").mkdir()
    failing_probe(monkeypatch)
    check = gnu_radio.check_gnuradio()
    assert "cannot see it" in check.found
    *words, file = shlex.split(check.remedy)
    assert words == ["echo", str(system), ">"] and file.endswith("/system-gnuradio.pth")


def test_gnuradio_of_another_python(monkeypatch, system):
    (system / "gnuradio").mkdir()
    monkeypatch.setattr(installed, "system_python_version", lambda: (3, 99))
    failing_probe(monkeypatch)
    check = gnu_radio.check_gnuradio()
    assert "installed for Python 3.99" in check.found and "make setup" in check.remedy


def test_gnuradio_broken(monkeypatch, system):
    (system / "gnuradio").mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(system)])
    failing_probe(monkeypatch, "crashes on import (signal 11)")
    check = gnu_radio.check_gnuradio()
    assert "signal 11" in check.found and "--reinstall" in check.remedy


@pytest.mark.parametrize("installed", [[], ["/usr/lib/SoapySDR/modules0.8/libHackRFSupport.so"]])
def test_drivers_of_radios(monkeypatch, installed):
    monkeypatch.setattr(probing, "probe", lambda code: probing.Probe(answer=installed))
    hackrf, usrp = radios.check_soapy_drivers()
    assert not hackrf.required and hackrf.ok == bool(installed)
    assert hackrf.remedy == ("" if installed else APT + "soapysdr-module-hackrf")
    assert not usrp.ok and usrp.remedy == APT + "soapysdr-module-uhd"


def test_images_for_usrps(monkeypatch, tmp_path):
    monkeypatch.setenv("UHD_IMAGES_DIR", str(tmp_path))
    check = radios.check_uhd_images()
    assert not check.ok and check.remedy.endswith("uhd-host && sudo uhd_images_downloader")
    (tmp_path / "usrp_b210_fpga.bin").touch()
    assert radios.check_uhd_images().ok


def test_unrelated_pmt(monkeypatch):
    monkeypatch.setattr(probing, "probe", lambda code: probing.Probe(answer=""))
    check = gnu_radio.check_pmt()
    assert not check.ok and "unrelated" in check.found and check.remedy.endswith("pip uninstall -y pmt")


def test_probe_survives_crashes_hangs_and_chatter():
    assert probing.probe("print('hello')\nanswer = {'a': 1}").answer == {"a": 1}
    assert "signal" in probing.probe("import os; os.abort()").trouble
    assert "no answer" in probing.probe("import time; time.sleep(60)", seconds=1).trouble
    assert probing.probe("raise ValueError('so\\nwhat')").trouble == "ValueError: so"
    assert probing.probe("import sys; sys.exit(3)").trouble == "exit code 3"


def test_a_failing_check_becomes_a_line():
    def check_moon():
        raise RuntimeError("cloudy")

    check = environment._guarded(check_moon)
    assert check.name == "moon" and not check.ok and "cloudy" in check.found and check.remedy


def test_no_message_names_a_make_target_that_is_not_there(monkeypatch, tmp_path):
    targets = "|".join(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    files = [file for room in ("gr_jscc", "host", "calibration") for file in (ROOT / room).rglob("*.py")]
    texts = {
        file: [node.value for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant)]
        for file in files
    }
    told = [file for file, values in texts.items() if re.search(rf"\bmake ({targets})\b", "\n".join(map(str, values)))]
    assert told == [Path(installed.__file__)]  # which knows whether there is a Makefile
    remedies = (installed.again, installed.new_environment, installed.torch_for_cuda)
    assert all(remedy().startswith("make ") for remedy in remedies)
    monkeypatch.setattr(installation, "PACKAGE", tmp_path / "gr_jscc")
    assert not any("make " in remedy() for remedy in remedies)


def test_blocks_path(monkeypatch, tmp_path):
    monkeypatch.setattr(installed, "PACKAGE", tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRC_BLOCKS_PATH", "/somewhere/else")
    check = windows.check_blocks()
    assert not check.ok and "no *.block.yml" in check.found

    folder = tmp_path / "grc"
    folder.mkdir()
    (folder / "jscc_a.block.yml").touch()
    check = windows.check_blocks()
    assert not check.ok and not check.required and "gr-jscc grc" in check.found
    assert check.remedy.startswith(f"export GRC_BLOCKS_PATH={folder}")

    monkeypatch.setenv("GRC_BLOCKS_PATH", f"/somewhere/else{os.pathsep}{folder}/")
    assert windows.check_blocks().ok

    monkeypatch.delenv("GRC_BLOCKS_PATH")
    config = tmp_path / "home" / ".gnuradio" / "config.conf"
    config.parent.mkdir(parents=True)
    config.write_text(textwrap.dedent(f"[grc]\nlocal_blocks_path = /x:{folder}\n"))
    assert windows.check_blocks().ok
    config.write_text("not [a config\x00 file")
    assert not windows.check_blocks().ok


def test_weights(tmp_path):
    assert not weights.check_weights(tmp_path).ok
    header = json.dumps({"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}).encode()
    whole = len(header).to_bytes(8, "little") + header + b"abcd"
    (tmp_path / "a.safetensors").write_bytes(whole)
    assert weights.check_weights(tmp_path).ok
    for damaged in (whole[:-1], whole[:20], b"", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"):
        (tmp_path / "b.safetensors").write_bytes(damaged)
        check = weights.check_weights(tmp_path)
        assert not check.ok and "damaged: b.safetensors" in check.found and check.remedy
