"""gr-jscc sweep and report as programs: killed and started again, on a scheduler, and what the page holds."""

import contextlib
import json
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser

import pytest
from dask_cluster import dask_cluster
from distributed import Client

from gr_jscc import __version__
from gr_jscc.host.main import main
from gr_jscc.sweeps.cells import make_plan
from gr_jscc.sweeps.cluster_key import make_cluster_key
from gr_jscc.sweeps.experiment import load_experiment
from gr_jscc.sweeps.measurement import measure
from gr_jscc.sweeps.modes import send
from gr_jscc.sweeps.store import Store

pytestmark = pytest.mark.timeout(400)
PATIENCE = 190  # seconds, for a run of a few

EXPERIMENT = """
title = "Two codecs, <small> & quick"
snr_db = [0, 10]
cbr = ["1/24", "1/12", "1/6"]
seeds = [1, 2]
metrics = ["psnr_db"]
anchor = "A"
times = true
images = [{name = "demo", kind = "demo", crop = 64}]
strips = [{images = "demo", image = "demo.png", snr_db = 10, cbr = "1/6"}]

[[schemes]]
label = "A"
codec = "deepjscc"

[[schemes]]
label = "B, layers"
codec = "successive-single"
weights = "successive-photo"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "small.toml").write_text(EXPERIMENT)
    return tmp_path


@pytest.fixture(scope="module")
def cluster():
    """One that needs no further processes, in place of the local one."""
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0") as client:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gr_jscc.sweeps.cluster.local_client", lambda workers: contextlib.nullcontext(client))
            yield client


@pytest.fixture(scope="module")
def unbroken(cluster, tmp_path_factory):
    """The store of a sweep that nothing happened to."""
    path = tmp_path_factory.mktemp("unbroken")
    (path / "small.toml").write_text(EXPERIMENT)
    with pytest.raises(SystemExit) as left:
        main(["sweep", str(path / "small.toml"), "--store", str(path / "store")])
    assert left.value.code == 0
    return path / "store"


def start(folder, *arguments):
    command = [sys.executable, "-m", "gr_jscc.host", "sweep", *map(str, arguments)]
    log = open(folder / "log", "a")
    return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True)


def lines(store):
    """Whole lines of all the store's files, without heads."""
    found = []
    for path in sorted(store.glob("cells-*.csv")):
        found += path.read_bytes().split(b"\n")[1:-1]
    return found


def processes_of(group):
    """Those of a process group that still run."""
    status = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True).stdout
    return [line for line in status.splitlines() if line.split()[0] == str(group) and "Z" not in line.split()[1]]


def figures(row):
    """A row without what no two runs have in common."""
    return {key: value for key, value in row.items() if not key.startswith(("seconds.", "measured"))}


KEY = ("--tls-ca-file", "cluster.pem", "--tls-cert", "cluster.pem", "--tls-key", "cluster.pem")


def test_a_killed_sweep_goes_on_even_on_another_cluster_and_loses_and_repeats_nothing(folder, unbroken):
    store = folder / "store"
    first = start(folder, "small.toml", "--store", store, "--workers", 1)
    end = time.monotonic() + PATIENCE
    while len(lines(store)) < 5:
        assert first.poll() is None and time.monotonic() < end, (folder / "log").read_text()
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    while processes_of(first.pid):  # its workers notice
        assert time.monotonic() < end, processes_of(first.pid)
        time.sleep(0.05)
    done = lines(store)
    assert 5 <= len(done) < 24

    make_cluster_key(folder / "cluster.pem")
    with dask_cluster(folder, scheduler=("--protocol", "tls"), common=KEY) as scheduler:
        assert scheduler.startswith("tls://")
        joined = ["--scheduler", scheduler, "--cluster-key", "cluster.pem"]
        second = start(folder, "small.toml", "--store", store, *joined)
        assert second.wait(PATIENCE) == 0, (folder / "log").read_text()
    assert lines(store)[: len(done)] == done and len(lines(store)) == 24
    assert f"{len(done)} of 24 cells are in" in (folder / "log").read_text()

    rows, expected = Store(store).rows(), Store(unbroken).rows()
    assert len(rows) == 24
    assert {key: figures(row) for key, row in rows.items()} == {key: figures(row) for key, row in expected.items()}


def test_a_cell_alone_gives_what_it_gave_in_the_sweep(folder, unbroken):
    rows = Store(unbroken).rows()
    plan = make_plan(load_experiment(folder / "small.toml"), None)
    assert sorted(planned.cell.key for planned in plan.cells) == sorted(rows)  # stored as their groups were done
    for planned in plan.cells[::-5]:
        (alone,) = measure(lambda *task: send("cpu", *task), [planned.cell], [planned.picture.read()])
        assert figures(rows[planned.cell.key]) == figures(json.loads(json.dumps(alone.row)))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--scheduler", "tcp://192.0.2.1:8786"], "can be reached by other machines"),
        (["--scheduler", "tcp://lab-7:8786"], "can be reached by other machines"),
        (["--scheduler", "tls://lab-7:8786"], "needs the cluster's key"),
        (["--scheduler", "tcp://lab-7:8786", "--cluster-key", "none.pem"], "must begin with tls://"),
        (["--scheduler", "tls://lab-7:8786", "--cluster-key", "none.pem"], "no such key"),
    ],
)
def test_machines_of_others_are_not_joined_in_the_open(folder, capsys, options, line):
    code, told = run(capsys, "sweep", folder / "small.toml", "--store", folder / "none", *options)
    assert code == 2 and line in told.strip().splitlines()[-1]


def test_a_clusters_key_is_its_owners_alone_and_is_not_written_over(tmp_path, capsys):
    path = tmp_path / "new" / "cluster.pem"
    code, _ = run(capsys, "keys", "cluster", path)
    text = path.read_text()
    assert code == 0 and path.stat().st_mode & 0o077 == 0 and "PRIVATE KEY" in text and "CERTIFICATE" in text
    code, told = run(capsys, "keys", "cluster", path)
    assert code == 2 and "already exists" in told and path.read_text() == text


def test_nobody_at_the_scheduler(folder, monkeypatch, capsys):
    monkeypatch.setattr("gr_jscc.sweeps.cluster.CONNECT_SECONDS", 1)
    code, told = run(
        capsys, "sweep", folder / "small.toml", "--store", folder / "none", "--scheduler", "tcp://127.0.0.1:9"
    )
    assert code == 2 and told.strip().splitlines()[-1].startswith("gr-jscc: no Dask scheduler at tcp://127.0.0.1:9")


def test_failed_cells_are_told_and_the_others_go_on(folder, cluster, capsys):
    text = EXPERIMENT.replace('"1/24", "1/12", "1/6"', '"1/8", "1/2"').replace("[1, 2]", "[1]")
    (folder / "half.toml").write_text(text)
    code, told = run(capsys, "sweep", folder / "half.toml", "--store", folder / "store")
    assert code == 2 and "gr-jscc: 4 of 8 cells failed" in told
    assert "failed: A, demo.png, 0 dB, CBR 0.5, ideal: CodecError: deepjscc with deepjscc-photo supports a CBR" in told
    rows = Store(folder / "store").rows().values()
    assert sum(bool(row["error"]) for row in rows) == 4 and len(rows) == 8
    code, told = run(capsys, "sweep", folder / "half.toml", "--store", folder / "store")
    assert code == 2 and "4 of 8 cells are in" in told and "gr-jscc: 4 of 4 cells failed" in told


def test_the_list_and_what_is_not_in_it(capsys):
    code, told = run(capsys, "sweep", "--list")
    assert code == 0 and "ntscc-fig-11 " in told and "references" not in told
    code, told = run(capsys, "sweep")
    assert code == 2 and told.startswith("gr-jscc: which experiment?")


class Sources(HTMLParser):
    """Everything in a page that a browser would fetch, and its text."""

    def __init__(self, page):
        super().__init__()
        self.fetched, self.text = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        assert tag not in ("script", "iframe", "object", "embed", "base")
        self.fetched += [value for key, value in attributes if key in ("src", "href", "srcset", "poster", "data")]
        assert "url(" not in (dict(attributes).get("style") or "")

    def handle_data(self, data):
        self.text.append(data)


def test_the_report_is_one_page_that_fetches_nothing_and_files_for_papers(folder, unbroken, capsys):
    code, _ = run(capsys, "report", unbroken, "--experiment", "small", "--out", folder / "out")
    assert code == 0
    page = (folder / "out" / "index.html").read_text()
    sources = Sources(page)
    assert sources.fetched and all(source.startswith("data:") for source in sources.fetched)
    assert "http://" not in page and "https://" not in page and "@import" not in page and "url(" not in page
    text = "".join(sources.text)
    assert "Two codecs, <small> & quick" in text and "BD-CBR" in text and "B, layers" in text
    rows = [row for row in Store(unbroken).rows().values() if row["cbr"] == 1 / 6 and row["snr_db"] == 10]
    mean = sum(row["psnr_db"] for row in rows if row["codec"] == "deepjscc") / 2
    assert f"{mean:.2f}" in text and f"{mean:.2f} ± " not in text  # two values have no interval
    assert f"by gr-jscc {__version__}: gr-jscc report" in text and f"with gr-jscc {__version__}." in text
    assert {row["weights_hash"] for row in rows} <= set(re.findall(r"[0-9a-f]{8}", text))

    files = {path.relative_to(folder / "out").as_posix() for path in (folder / "out").rglob("*") if path.is_file()}
    demo = "demo-crops-of-64"
    over_cbr, over_snr = f"psnr-over-cbr-at-10-db-{demo}", f"psnr-over-snr-at-cbr-1-12-{demo}"
    assert {f"small/tables/{over_cbr}.{kind}" for kind in ("md", "tex", "csv")} <= files
    assert {f"small/plots/{over_snr}.{kind}" for kind in ("png", "pdf")} <= files
    assert {f"small/tables/bd-{over_cbr}.tex", "small/pictures/strip-1-ideal-awgn.webp", "points.csv"} <= files
    latex = (folder / "out" / "small" / "tables" / f"{over_cbr}.tex").read_text()
    assert re.search(r"^  A( & \d\d\.\d\d){3} \\\\$", latex, re.MULTILINE) and "too few for an interval" in latex
    assert not [path for path in (folder / "out").rglob("*.part")]


def test_the_report_as_a_document(folder, unbroken, capsys):
    code, _ = run(capsys, "report", unbroken, "--experiment", "small", "--docs", folder / "docs" / "results.md")
    assert code == 0
    page = (folder / "docs" / "results.md").read_text()
    shown = re.findall(r"\]\((images/[^)]+)\)", page)
    assert len(shown) == 6 and all((folder / "docs" / name).stat().st_size > 1000 for name in shown)
    code, told = run(capsys, "report", unbroken, "--experiment", "moon")
    assert code == 2 and "no experiment 'moon'" in told
    code, told = run(capsys, "report", folder / "docs")
    assert code == 2 and "not a sweep's store" in told


def run(capsys, *arguments):
    """A program in this process: its exit code, and what it printed."""
    with pytest.raises(SystemExit) as left:
        main(list(map(str, arguments)))
    printed = capsys.readouterr()
    return left.value.code, printed.out + printed.err
