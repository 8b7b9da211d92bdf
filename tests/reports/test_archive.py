"""What a run leaves in its folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gr_jscc.errors import UserError
from gr_jscc.imaging import load_image
from gr_jscc.reports.archive import MOST_BEGUN, Archive
from gr_jscc.reports.collector import Result

pytestmark = pytest.mark.timeout(30)


def result(name, transfer=0, round_=0, grey=100, key="", run=""):
    picture = np.full((8, 8, 3), grey, np.uint8)
    return Result(transfer, round_, None, picture, {"image": {"name": name}, "key": key, "run": run})


def lost(name, transfer=0):
    return Result(transfer, 0, None, None, {"image": {"name": name}, "key": "now", "run": ""})


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
    for i, (key, run) in enumerate((("aa" * 8, "1"), ("bb" * 8, "1"), ("cc" * 8, "2"))):
        archive.save(result(f"{i}.png", i, key=key, run=run))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "report.json").write_text("{")
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / "report.json").write_text(json.dumps([1]))
    assert Archive(tmp_path).keys("1") == {"aa" * 8, "bb" * 8}
    assert Archive(tmp_path).keys("3") == set()


def test_a_folder_that_cannot_be_made_is_told_in_a_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot make the folder"):
        Archive(tmp_path / "file" / "sub")


@pytest.mark.parametrize(
    "name", ["...png", "../../up.png", "/tmp/x.png", "\0.png", "x" * 300 + ".png", "\ud800.png", "", ".png"]
)
def test_a_name_leads_nowhere_else(tmp_path, name):
    archive = Archive(tmp_path / "deep" / "out")
    archive.save_estimate(result(name, 1))
    folder = archive.save(result(name, 1, 1))
    assert folder.resolve().parent == (tmp_path / "deep" / "out").resolve()
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(folder.iterdir())
    assert archive.save(result(name, 2)).name == f"{folder.name}-2"


def test_a_lost_picture_leaves_nothing_of_an_earlier_run_beside_its_report(tmp_path):
    archive = Archive(tmp_path)
    archive.save_estimate(result("x.png", 1))
    folder = archive.save(result("x.png", 1, 1))
    (folder / "comparison.png").write_bytes(b"")
    (folder / "notes.txt").write_text("mine")
    again = Archive(tmp_path)
    assert again.to_be_replaced(["x.png", "y.png"]) == ["x"] and again.replaced == []
    again.save(lost("x.png"))
    assert {path.name for path in folder.iterdir()} == {"report.json", "notes.txt"} and again.replaced == ["x"]
    assert json.loads((folder / "report.json").read_text())["key"] == "now"


def test_fewer_rounds_leave_no_estimates_of_more(tmp_path):
    first, second = Archive(tmp_path), Archive(tmp_path)
    for round_ in range(3):
        first.save_estimate(result("x.png", 1, round_))
    folder = first.save(result("x.png", 1, 3))
    second.save_estimate(result("x.png", 1, 0, grey=7))
    assert not (folder / "report.json").exists()  # not finished: there is no report of another run to be taken for it
    second.save(result("x.png", 1, 1))
    assert {path.name for path in folder.iterdir()} == {"estimate-1.png", "received.png", "report.json"}


def test_an_unfinished_picture_of_a_receiver_leaves_nothing_either(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "estimate-5.png").write_bytes(b"half")
    folder = Archive(tmp_path).save(result("x.png"), fresh=True)
    assert folder.name == "x" and {path.name for path in folder.iterdir()} == {"received.png", "report.json"}


def test_what_would_be_replaced_counts_pictures_of_one_name(tmp_path):
    archive = Archive(tmp_path)
    for i in range(3):
        archive.save(result("x.png", i))
    assert Archive(tmp_path).to_be_replaced(["a/x.png", "b/x.jpg"]) == ["x", "x-2"]


def test_files_in_the_way_are_left_alone(tmp_path):
    (tmp_path / "x").write_text("mine")
    (tmp_path / "x-2").symlink_to(tmp_path / "nowhere")
    assert Archive(tmp_path).save(result("x.png")).name == "x-3" and (tmp_path / "x").read_text() == "mine"


@pytest.mark.parametrize("place", ["received.png", "report.json"])
def test_a_folder_in_a_files_place_is_told_in_a_line(tmp_path, place):
    (tmp_path / "x" / place).mkdir(parents=True)
    with pytest.raises(UserError) as told:
        Archive(tmp_path).save(result("x.png"))
    assert "\n" not in str(told.value)


STORE = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_archive import Archive, result
archive = Archive({folder!r})
print("ready", flush=True)
sys.stdin.readline()
for number in range({count}):
    archive.save_estimate(result("x.png", number, 0, {grey}), fresh=True)
    archive.save(result("x.png", number, 1, {grey}), fresh=True)
"""


def test_two_programs_that_store_in_one_place_never_replace_each_other(tmp_path):
    count, greys = 40, (10, 200)
    programs = []
    for grey in greys:
        text = STORE.format(tests=str(Path(__file__).parent), folder=str(tmp_path), count=count, grey=grey)
        command = [sys.executable, "-c", text]
        programs.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    for program in programs:
        assert program.stdout.readline() == "ready\n"
    for program in programs:
        program.stdin.write("\n")
        program.stdin.flush()
    assert [program.communicate()[1] or program.returncode for program in programs] == [0, 0]
    folders = [path.parent for path in tmp_path.glob("*/report.json")]
    shades = [{int(load_image(path)[0, 0, 0]) for path in folder.glob("*.png")} for folder in folders]
    assert sorted(shades, key=min) == [{grey} for grey in greys for _ in range(count)]


def test_a_folder_of_a_live_program_is_not_taken_and_that_of_a_dead_one_is(tmp_path):
    text = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_archive import Archive, result
Archive({str(tmp_path)!r}).save_estimate(result("x.png", 1), fresh=True)
print("ready", flush=True)
signal.pause()
"""
    program = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    assert program.stdout.readline() == "ready\n"
    (tmp_path / "x" / ".gr-jscc-00.part").write_bytes(b"half")
    assert Archive(tmp_path).save(result("x.png"), fresh=True).name == "x-2"
    program.kill()
    program.communicate()
    folder = Archive(tmp_path).save(result("x.png"), fresh=True)
    assert folder.name == "x" and {path.name for path in folder.iterdir()} == {"received.png", "report.json"}


def test_pictures_that_are_never_finished_hold_no_folder_for_ever(tmp_path):
    archive = Archive(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(MOST_BEGUN + 40):
        archive.save_estimate(result("x.png", number), fresh=True)
    assert len(os.listdir("/proc/self/fd")) == before + MOST_BEGUN
    assert archive.save(result("x.png", 0), fresh=True).name == f"x-{MOST_BEGUN + 41}"  # of the first: a folder anew


def test_a_number_that_is_used_again_does_not_lead_to_the_folder_of_a_picture_that_was_given_up(tmp_path):
    archive = Archive(tmp_path)
    archive.save_estimate(result("old.png", 7), fresh=True)  # before its key was told
    archive.save_estimate(result("old.png", 7, 1, key="0123456789abcdef"), fresh=True)
    archive.save_estimate(result("other.png", 8, key="0123456789abcdef"), fresh=True)
    assert archive.save(result("old.png", 7, 2, key="0123456789abcdef"), fresh=True).name == "old"
    assert archive.save(result("new.png", 8, key="fedcba9876543210"), fresh=True).name == "new"


@pytest.mark.parametrize(
    "key", ["zz" * 8, "ab", "AB" * 8, "ab" * 9, None, 7, ["ab" * 8], "\u0661" * 16, "ab" * 8 + "\n"]
)
def test_keys_that_are_none_are_not_told(tmp_path, key):
    archive = Archive(tmp_path)
    archive.save(result("x.png", 0, key=key, run="1"))
    archive.save(result("y.png", 1, key="ab" * 8, run="1"))
    assert Archive(tmp_path).keys("1") == {"ab" * 8}
