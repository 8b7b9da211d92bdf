"""Each copy of the package brings its own programs and procedures, and runs from a plain checkout."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("gr_jscc", "host", "calibration")
# Programs that need no GNU Radio, asked for their help.
PROGRAMS = (
    "bench calibration", "bench codec", "bench compressor", "bench ldpc", "bench modem", "bench back-channel",
    "bench sweep", "calibrate", "demo", "devices", "doctor", "keys make", "loopback", "lpips", "models", "replay",
    "report", "reproduce", "sweep", "train", "tx", "rx", "channel",
)  # fmt: skip
WITHOUT_GNU_RADIO = "import sys; sys.modules.update(dict.fromkeys(('gnuradio', 'pmt', 'SoapySDR', 'uhd')))\n"


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory):
    """Two plain copies of the code, with the programs of each marked; weights and tests are not needed."""
    copies = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    for copy in copies:
        for folder in FOLDERS:
            for path in (ROOT / folder).rglob("*"):
                if path.suffix in (".py", ".csv", ".toml", ".png"):
                    target = copy / path.relative_to(ROOT)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(path.read_bytes())
    return copies


def run(code, *path, cwd=None):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


FROM_WHERE = """
import json, gr_jscc, gr_jscc.host.console, gr_jscc.calibration.bursts, gr_jscc.host.options
modules = (gr_jscc, gr_jscc.host.console, gr_jscc.calibration.bursts, gr_jscc.host.options)
print(json.dumps([module.__file__ for module in modules]))
"""


def test_the_checkout_that_comes_first_brings_all_of_itself(checkouts, tmp_path):
    for first, second in (checkouts, checkouts[::-1]):
        files = json.loads(run(FROM_WHERE, first, second, cwd=tmp_path))
        assert all(Path(file).is_relative_to(first) for file in files), files


def test_the_installed_one_is_this_checkout(tmp_path):
    files = json.loads(run(FROM_WHERE, cwd=tmp_path))
    assert all(Path(file).is_relative_to(ROOT) for file in files), files


@pytest.mark.parametrize("module", ["host", "gr_jscc.host"])
def test_a_program_is_one_module_however_it_was_started(checkouts, module):
    """Not ``host.main`` beside ``gr_jscc.host.main``, each with settings of its own."""
    code = (
        "import runpy, sys\nsys.argv = ['gr-jscc', '--version']\n"
        f"try: runpy.run_module('{module}', run_name='__main__')\nexcept SystemExit: pass\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] == 'host'))"
    )
    assert run(code, checkouts[0], cwd=checkouts[0]).splitlines()[-1] in ("['host']", "[]")


def test_programs_run_from_a_plain_checkout_without_gnu_radio(checkouts):
    code = WITHOUT_GNU_RADIO + (
        "import contextlib, io\nfrom gr_jscc.host.main import main\n"
        f"for words in {[program.split() for program in PROGRAMS]!r}:\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit):\n"
        "        main([*words, '--help'])\n"
        "    assert 'Usage' in shown.getvalue(), words\n"
        "print(gr_jscc.__file__ if 'gr_jscc' in dir() else sys.modules['gr_jscc'].__file__)"
    )
    assert Path(run(code, checkouts[1], cwd=checkouts[1]).splitlines()[-1]).is_relative_to(checkouts[1])


def test_what_needs_gnu_radio_says_so_in_one_line(checkouts, tmp_path):
    code = WITHOUT_GNU_RADIO + "from gr_jscc.host.main import main\nmain(['rx', '--radio', 'zmq:tcp://127.0.0.1:5556'])"
    environment = os.environ | {"PYTHONPATH": str(checkouts[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("gr-jscc: this needs GNU Radio"), done.stderr
    assert done.stderr.count("\n") == 1


def test_a_wheel_holds_the_programs_and_no_pointers(tmp_path):
    """Where ``host/`` is not beside the package, it is in it."""
    code = (
        "import setuptools, sys, runpy\nfrom unittest import mock\n"
        "with mock.patch.object(setuptools, 'setup') as setup: runpy.run_path('setup.py')\n"
        "import json; print(json.dumps(setup.call_args.kwargs))"
    )
    told = json.loads(run(code, ROOT, cwd=ROOT))
    assert told["package_dir"]["gr_jscc.host"] == "host" and told["package_dir"]["gr_jscc.calibration"] == "calibration"
    assert {"gr_jscc.host", "gr_jscc.host.options", "gr_jscc.calibration"} <= set(told["packages"])
    assert len(told["packages"]) == len(set(told["packages"]))
    assert told["package_dir"]["gr_jscc.data.flowgraphs"] == "flowgraphs"
    assert "gr_jscc.data.flowgraphs.examples" in told["packages"]
    shared = {folder: {Path(file).name for file in files} for folder, files in told["data_files"]}
    assert shared["share/gnuradio/grc/blocks"] == {path.name for path in (ROOT / "gr_jscc" / "grc").glob("*.yml")}
    assert "virtual-radio.md" in shared["share/doc/gr-jscc/docs/guide"]
    assert not any(name.split(".")[0] in ("host", "calibration", "tests") for name in told["packages"])
