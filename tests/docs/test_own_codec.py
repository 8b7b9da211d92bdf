"""docs/guide/own-codec.md, as a person with a model follows it: in an empty folder, with no package of theirs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dask_cluster import dask_cluster
from pages import ROOT, blocks, code

from gr_jscc.data import demo_image
from gr_jscc.host.main import main
from gr_jscc.imaging import load_image, save_image
from gr_jscc.plugins import blame
from gr_jscc.ports import free_addresses
from gr_jscc.sweeps.store import Store

pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("one_thread")]
PAGE = ROOT / "docs/guide/own-codec.md"
TOMLS = [block.text for block in blocks(PAGE) if block.language == "toml"]
PATIENCE = 100  # seconds, for what takes a few
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
TOY = ("--codec", "toy.py:Toy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With the page's files, and pictures."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "toy.py").write_text(code(PAGE))
    (folder / "toy.toml").write_text(TOMLS[0])
    (folder / "photos").mkdir()
    photo = load_image(demo_image())[:96, :120]
    save_image(folder / "photo.jpg", photo)
    save_image(folder / "photos" / "one.png", photo)
    path = list(sys.path)
    yield folder
    sys.path[:] = path


@pytest.fixture(autouse=True)
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)


def run(*words):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return end.value.code


def report(name):
    return json.loads(Path(name, "report.json").read_text())


@pytest.fixture(scope="module")
def weights(folder):
    """Trained as the page says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run("train", "toy.toml", "--data", "photos", "--validation", "photos", "--out", "run") == 0
    return folder / "run" / "toy.safetensors"


def test_neither_the_codec_nor_its_task_is_longer_than_40_lines():
    lengths = [len(block.text.splitlines()) for block in blocks(PAGE) if block.language == "python"]
    assert len(lengths) == 2 and max(lengths) <= 40


def test_untrained_over_the_ideal_channel(capsys):
    assert run("loopback", "photo.jpg", *TOY, "--cbr", "1/12", "--ideal", "--json", "--out", "ideal") == 0
    assert report("ideal/photo")["codec"] == "toy"


def test_trained_it_is_better(weights, capsys):
    for name, more in {"before": (), "after": ("--weights", weights)}.items():
        assert run("loopback", "photo.jpg", *TOY, "--ideal", "--out", name, *more) == 0
    before, after = report("before/photo"), report("after/photo")
    assert after["psnr_db"] > before["psnr_db"] + 3 and after["weights"] == "toy"
    lines = [json.loads(line) for line in (weights.parent / "log.jsonl").read_text().splitlines()]
    assert [line["psnr_db/snr10"] for line in lines if "psnr_db/snr10" in line]


@pytest.mark.gnuradio
def test_through_the_flowgraph_and_between_two_programs(weights):
    given = (*TOY, "--weights", weights)
    assert run("loopback", "photo.jpg", *given, "--out", "air") == 0
    assert report("air/photo")["bursts"]["lost"] == 0 and report("air/photo")["codec"] == "toy"
    address, back = free_addresses(2)
    given = (*given, "--back-channel", back)
    command = [sys.executable, "-m", "gr_jscc.host"]
    receiver = subprocess.Popen(
        [*command, "rx", "--radio", f"zmq:{address}", *given, "--once", "--out", "far", "--originals", "photos"],
        env=ENVIRONMENT, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        transmitter = [*command, "tx", "photos/one.png", "--radio", f"zmq:{address}", *given]
        assert subprocess.run(transmitter, env=ENVIRONMENT, timeout=PATIENCE).returncode == 0
        assert receiver.wait(PATIENCE) == 0
    finally:
        receiver.kill()
        receiver.wait()
    assert report("far/one")["codec"] == "toy" and report("far/one")["psnr_db"] > 12


@pytest.mark.gnuradio
def test_with_other_weights_at_the_other_end_nothing_arrives(weights, capsys):
    """The hash is over all tensors, so both ends know."""
    from gr_jscc.codecs.registry import load_codec

    assert load_codec("toy.py:Toy").weights_hash != load_codec("toy.py:Toy", weights).weights_hash


def test_a_sweep_on_workers_of_a_scheduler(folder, weights):
    experiment = TOMLS[1].replace("run/toy.safetensors", str(weights))
    Path("mine.toml").write_text(experiment)
    with dask_cluster(folder, workers=2, cwd="/") as scheduler:  # by hand, in another folder
        assert run("sweep", "mine.toml", "--data", folder, "--store", "lab", "--scheduler", scheduler) == 0
    rows = list(Store("lab").rows().values())
    assert len(rows) == 4 and not any(row["error"] for row in rows)
    assert sum(row["codec"] == f"{folder}/toy.py:Toy" for row in rows) == 2


@pytest.mark.gnuradio
def test_a_flowgraph_of_companion(folder, weights):
    flowgraph = yaml.safe_load((ROOT / "flowgraphs/examples/receiver.grc").read_text())
    for block in flowgraph["blocks"]:
        if block["id"] in ("jscc_transmitter", "jscc_receiver"):
            block["parameters"] |= {"codec": str(folder / "toy.py:Toy"), "weights": str(weights)}
            if "paths" in block["parameters"]:
                block["parameters"]["paths"] = str(folder / "photo.jpg")
    Path("own.grc").write_text(yaml.safe_dump(flowgraph))
    environment = ENVIRONMENT | {"GRC_BLOCKS_PATH": str(ROOT / "gr_jscc" / "grc")}
    compiler = "import sys; from gnuradio.grc.compiler import main; sys.exit(main())"
    for command in (["-c", compiler, "own.grc"], ["receiver_example.py"]):
        done = subprocess.run(
            [sys.executable, *command], env=environment, timeout=PATIENCE, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert report("received/photo")["codec"] == "toy" and report("received/photo")["bursts"]["lost"] == 0


def test_a_slip_in_a_task_is_found_before_training(folder, monkeypatch):
    text = Path("toy.py").read_text().replace("photo[None].float() / 255", "photo[None].float() / nothing")
    Path("slip.py").write_text(text)
    Path("slip.toml").write_text(Path("toy.toml").read_text().replace("toy.py", "slip.py"))
    with pytest.raises(NameError) as raised:
        main(["train", "slip.toml", "--data", "photos", "--validation", "photos", "--out", "slipped"])
    assert "slip.py" in blame(raised.value) and not list(Path("slipped").glob("step-*"))
