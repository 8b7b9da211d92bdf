"""What a run leaves in its folder."""

import json

import numpy as np
import pytest

from gr_jscc.errors import UserError
from gr_jscc.evaluation.archive import Archive
from gr_jscc.evaluation.collector import Result
from gr_jscc.imaging import load_image

pytestmark = pytest.mark.timeout(30)


def result(name, transfer=0, round_=0, grey=100, key="", run=""):
    picture = np.full((8, 8, 3), grey, np.uint8)
    return Result(transfer, round_, None, picture, {"image": {"name": name}, "key": key, "run": run})


def test_pictures_of_one_name_do_not_overwrite_each_other(tmp_path):
    archive = Archive(tmp_path)
    names = ["a/x.png", "b/x.png", "y.png", "x.jpg"]
    assert [archive.save(result(n, i)).name for i, n in enumerate(names)] == ["x", "x-2", "y", "x-3"]


def test_estimates_lie_beside_the_picture(tmp_path):
    archive = Archive(tmp_path)
    for round_, grey in ((0, 50), (1, 60)):
        archive.save_estimate(result("x.png", 4, round_, grey))
    folder = archive.save(result("x.png", 4, 2, 70))
    assert {path.name for path in folder.iterdir()} == {
        "estimate-1.png", "estimate-2.png", "received.png", "report.json"
    }  # fmt: skip
    assert load_image(folder / "received.png")[0, 0, 0] == 70
    assert archive.save(result("x.png", 4)).name == "x-2"  # the number is used again


def test_earlier_runs_are_kept_or_replaced(tmp_path):
    Archive(tmp_path).save(result("x.png"))
    assert Archive(tmp_path).save(result("x.png"), fresh=True).name == "x-2"
    assert Archive(tmp_path).save(result("x.png")).name == "x"


def test_a_folder_without_a_report_was_not_finished(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "received.png").write_bytes(b"half")
    assert Archive(tmp_path).save(result("x.png"), fresh=True).name == "x"


def test_keys_are_those_of_the_run_and_survive_the_process(tmp_path):
    archive = Archive(tmp_path)
    for i, (key, run) in enumerate((("aa", "1"), ("bb", "1"), ("cc", "2"))):
        archive.save(result(f"{i}.png", i, key=key, run=run))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "report.json").write_text("{")
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / "report.json").write_text(json.dumps([1]))
    assert Archive(tmp_path).keys("1") == {"aa", "bb"}
    assert Archive(tmp_path).keys("3") == set()


def test_a_folder_that_cannot_be_made_is_told_in_a_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot make the folder"):
        Archive(tmp_path / "file" / "sub")
