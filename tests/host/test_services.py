"""Programs as services: what they tell systemd, Prometheus and collectors of logs; the units and the board."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from gr_jscc.data import demo_image
from gr_jscc.errors import UserError
from gr_jscc.host import channel, log, main, rx, service
from gr_jscc.imaging import load_image, save_image
from gr_jscc.ports import free_addresses

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "packaging/systemd").glob("*.service"))
pytestmark = pytest.mark.timeout(120)


def fetched(address):
    """The figures of a page as Prometheus's own parser reads them: (name, labels) → value."""
    from prometheus_client.parser import text_string_to_metric_families

    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as page:
        families = text_string_to_metric_families(page.read().decode())
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


@pytest.mark.gnuradio
@pytest.mark.slow
def test_a_receiver_serves_figures_and_tells_systemd(tmp_path):
    pytest.importorskip("prometheus_client")
    air, page = free_addresses(2)
    page = page.removeprefix("tcp://")
    save_image(tmp_path / "photo.png", load_image(demo_image())[:128, :192])
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        environment = os.environ | {"OMP_NUM_THREADS": "1", "NOTIFY_SOCKET": str(tmp_path / "notify")}
        command = [sys.executable, "-m", "gr_jscc.host"]
        words = ["rx", "--radio", f"zmq:{air}", "--metrics", page, "--log-format", "json", "--out", str(tmp_path / "r")]
        receiver = subprocess.Popen([*command, *words], stdout=-1, stderr=-1, text=True, env=environment)
        try:
            assert systemd.recv(100) == b"READY=1"
            before = fetched(page)
            assert before["jscc_pictures_total",] == 0 and ("jscc_snr_db",) not in before
            words = ["tx", str(tmp_path / "photo.png"), "--radio", f"zmq:{air}", "--quiet"]
            subprocess.run([*command, *words], check=True, timeout=60, env=environment)
            after, end = before, time.monotonic() + 40
            while not after["jscc_pictures_total",] and time.monotonic() < end:
                assert systemd.recv(100) == b"WATCHDOG=1"
                after = fetched(page)
        finally:
            receiver.send_signal(signal.SIGTERM)
            out, err = receiver.communicate(timeout=60)
    assert after["jscc_pictures_total",] == 1 and after["jscc_snr_db",] > 20
    assert after["jscc_bursts_total", "sent"] >= 3 and after["jscc_bursts_total", "lost"] == 0
    assert after["jscc_radio_overflows_total",] == 0 and after["jscc_decoder_queue",] == 0
    lines = [json.loads(line) for line in err.splitlines()]
    (picture,) = [line["picture"] for line in lines if line["message"] == "picture"]
    assert picture["arrived"] and out == ""
    assert all(line["level"] in ("info", "warning", "error") and line["time"].endswith("+00:00") for line in lines)


def test_errors_are_lines_of_the_log(capsys):
    with pytest.raises(SystemExit):
        main.main(["rx", "--radio", "zmq:tcp://127.0.0.1:5556", "--codec", "\x1b[2J", "--log-format", "json"])
    line = json.loads(capsys.readouterr().err)
    assert line["level"] == "error" and "unknown codec" in line["message"] and "\x1b" not in line["message"]
    with pytest.raises(SystemExit):
        main.main(["rx", "--log-format", "xml"])
    assert capsys.readouterr().err == "gr-jscc: --log-format must be text or json, not 'xml'\n"
    assert not log.logs_json()  # nothing is left of the run before


def test_what_a_page_cannot_be_is_one_line(monkeypatch):
    for address in ("9464", "127.0.0.1:", "127.0.0.1:99999", "host:port"):
        with pytest.raises(UserError, match="must be HOST:PORT"), service.metrics_page(address, list):
            pass
    with service.metrics_page("", list):
        pass
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(UserError, match=r"pip install 'gr-jscc\[metrics\]'"), service.metrics_page("[::1]:0", list):
        pass


def test_a_port_in_use_is_one_line():
    pytest.importorskip("prometheus_client")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(UserError, match="in use"), service.metrics_page(address, list):
            pass


def test_the_board_shows_figures_that_there_are():
    board = json.loads((ROOT / "packaging/grafana/gr-jscc.json").read_text())
    shown = {name for panel in board["panels"] for target in panel["targets"] for name in named(target["expr"])}
    sources = Path(rx.__file__).read_text() + Path(channel.__file__).read_text()
    served = set(re.findall(r'Metric\("(jscc_\w+)', sources)) | {
        f"jscc_channel_{name}" for name in ("samples", "bursts", "erased")
    }
    assert shown == served


def named(expression):
    return {name.removesuffix("_total") for name in re.findall(r"jscc_\w+", expression)}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="without systemd")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_units_are_sound_and_confined(tmp_path, unit):
    copy = tmp_path / unit.name.replace("@", "@air")
    copy.write_text(unit.read_text().replace("/usr/local/bin/gr-jscc", "/bin/true"))
    verified = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, timeout=60)
    assert verified.returncode == 0 and copy.name not in verified.stderr, verified.stderr
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=40", copy], capture_output=True, timeout=60
    )
    assert judged.returncode == 0, judged.stdout[-300:]
