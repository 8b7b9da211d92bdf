"""What scripts/kill-trial.py counts: a fault of each kind is found, and what is whole is none."""

import dataclasses
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from gr_jscc.imaging import save_image
from gr_jscc.sweeps.store import Store

pytestmark = pytest.mark.timeout(60)
SCRIPT = Path(__file__).parents[1] / "scripts" / "kill-trial.py"


@pytest.fixture(scope="module")
def trial():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPT.parent)  # as it is where a script runs
        yield _loaded()


def _loaded():
    spec = importlib.util.spec_from_file_location("kill_trial", SCRIPT)
    module = sys.modules["kill_trial"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def store_picture(folder, name, size=(8, 8)):
    save_image(folder / "received.png", np.zeros((*size, 3), np.uint8))
    (folder / "report.json").write_text(json.dumps({"image": {"name": name}}))


@pytest.fixture
def received(tmp_path):
    for name in ("a", "b"):
        save_image(tmp_path / "sent" / f"{name}.png", np.zeros((8, 8, 3), np.uint8))
        store_picture(tmp_path / "out" / name, f"{name}.png")
    return tmp_path / "out", tmp_path / "sent"


def counts(found):
    return {name: value for name, value in dataclasses.asdict(found).items() if value}


def test_whole_pictures_are_no_fault(trial, received):
    assert counts(trial.in_folder(*received)) == {}


def test_faults_of_pictures_are_counted(trial, received):
    out, _ = received
    store_picture(out / "a-2", "a.png")
    assert counts(trial.in_folder(*received)) == {"twice": 1}
    store_picture(out / "a-2", "a.png", (8, 9))
    assert counts(trial.in_folder(*received)) == {"twice": 1, "wrong": 1}
    (out / "a-2" / ".gr-jscc-00.part").write_bytes(b"")
    assert counts(trial.in_folder(*received)) == {"twice": 1, "wrong": 1, "half": 1}
    (out / "b" / "report.json").unlink()
    assert counts(trial.in_folder(*received)) == {"twice": 1, "wrong": 1, "half": 3, "lost": 1}


def test_faults_of_stores_are_counted(trial, tmp_path):
    rows = {key: {"key": key, "error": "", "psnr_db": 30.0, "seconds.air": 1.0} for key in "12"}
    store = Store.create(tmp_path)
    for row in rows.values():
        store.append({**row, "seconds.air": 2.0})
    assert counts(trial.in_store(tmp_path, rows)) == {}
    store.append({**rows["2"], "psnr_db": 29.0})
    assert counts(trial.in_store(tmp_path, rows)) == {"twice": 1, "wrong": 1}
    assert counts(trial.in_store(tmp_path, rows | {"3": {}})) == {"twice": 1, "wrong": 1, "lost": 1}
    store.close()
    with open(tmp_path / "cells-0001.csv", "ab") as file:
        file.write(b"1,2\n")
    assert counts(trial.in_store(tmp_path, rows)) == {"half": 1, "lost": 2}
