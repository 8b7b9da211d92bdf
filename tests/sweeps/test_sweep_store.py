"""The store is whole at every moment; the runner brings each cell there once, and errors too."""

import os
import resource

import numpy as np
import pytest
from distributed import Client

from gr_jscc.errors import UserError
from gr_jscc.sweeps.cells import Cell, Plan, Planned
from gr_jscc.sweeps.experiment import Experiment
from gr_jscc.sweeps.pictures import Picture, picture_hash
from gr_jscc.sweeps.runner import TOGETHER, original_name, run_work, work_left
from gr_jscc.sweeps.store import Store, StoreError, strays_line

pytestmark = pytest.mark.timeout(60)

ROW = {
    "key": "00123456", "error": "", "snr_db": 10.0, "psnr_db": None, "rounds": [{"round": 0, "psnr_db": 30.25}],
    "image.name": 'a "b", c.png', "weights_hash": "12345678", "seed": 1,
}  # fmt: skip


def planned(number, mode="ideal", shown=False, snr_db=10.0):
    picture = np.full((8, 8, 3), number, np.uint8)
    name, code = f"{number}.png", picture_hash(picture)
    cell = Cell("one", "", "00", name, code, snr_db, 0.1, "awgn", mode, 1)
    return Planned(cell, Picture(name, code, lambda: picture, (8, 8)), "A", "all", shown)


def plan(cells):
    experiment = Experiment(
        title="t", images=[{"name": "all"}], schemes=[{"label": "A", "codec": "one"}], snr_db=[10], cbr=[0.1]
    )
    return Plan(experiment, cells, [], {})


def test_rows_come_back_as_they_were_written(tmp_path):
    store = Store.create(tmp_path / "s")
    store.append(ROW)
    store.append({**ROW, "key": "2", "psnr_db": 31.0, "error": "ValueError: a\nb"})
    store.close()
    rows = Store(tmp_path / "s").rows()
    assert rows["00123456"] == ROW
    assert rows["2"]["psnr_db"] == 31.0 and rows["2"]["error"] == "ValueError: a b"


def test_a_torn_line_is_passed_over_at_every_length(tmp_path):
    store = Store.create(tmp_path)
    store.append(ROW)
    store.append({**ROW, "key": "2"})
    store.close()
    path = tmp_path / "cells-0001.csv"
    whole = path.read_bytes()
    begin = whole[:-1].rindex(b"\n") + 1
    for length in range(begin, len(whole)):
        path.write_bytes(whole[:length])
        assert list(Store(tmp_path).rows()) == ["00123456"]
    for length in range(begin):
        path.write_bytes(whole[:length])
        assert "2" not in Store(tmp_path).rows()


def test_a_store_that_goes_on_leaves_old_files_alone(tmp_path):
    for key in ("1", "2"):
        store = Store.create(tmp_path)
        store.append({**ROW, "key": key})
        store.append({**ROW, "key": key + "0", "new": 1})  # another column: another file
        store.close()
    assert sorted(path.name for path in tmp_path.glob("cells-*")) == [f"cells-000{n}.csv" for n in (1, 2, 3, 4)]
    assert sorted(Store(tmp_path).rows()) == ["1", "10", "2", "20"]


def test_a_damaged_line_in_the_middle_is_told(tmp_path):
    store = Store.create(tmp_path)
    store.append(ROW)
    store.close()
    path = tmp_path / "cells-0001.csv"
    path.write_bytes(path.read_bytes() + b"1,2\n")
    with pytest.raises(StoreError, match="cells-0001.csv, line 3"):
        Store(tmp_path).rows()


def test_only_one_program_writes(tmp_path):
    first = Store.create(tmp_path)
    with pytest.raises(StoreError, match="another sweep"):
        Store.create(tmp_path)
    Store(tmp_path).rows()  # reading is free
    first.close()
    Store.create(tmp_path).close()
    with pytest.raises(StoreError, match="not a sweep's store"):
        Store(tmp_path / "nowhere")


@pytest.fixture(scope="module")
def client():
    with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address="127.0.0.1:0") as one:
        yield one


def report(cell):
    return {"codec": cell.codec, "psnr_db": cell.snr_db, "cbr": {"total": 0.1}}


def send_all_but_three(cells, pictures):
    if any(picture[0, 0, 0] == 3 for picture in pictures):
        raise RuntimeError("three\nis too many")
    return [(report(cell), picture // 2) for cell, picture in zip(cells, pictures)]


def test_cells_arrive_once_errors_are_told_and_tried_again(tmp_path, client):
    cells = [planned(number, shown=number == 5) for number in range(8)]
    with pytest.raises(ZeroDivisionError):  # the program ends after four cells
        store = Store.create(tmp_path)
        for count, _ in enumerate(run_work(client, work_left(plan(cells), store).tasks, send_all_but_three, store)):
            1 / (3 - count)
    store.close()
    assert len(store.rows()) == 4

    store = Store.create(tmp_path)
    work = work_left(plan(cells), store)
    failed_before = sum(bool(row["error"]) for row in store.rows().values())
    assert work.cells == 4 + failed_before and work.done == 4 - failed_before
    measured = dict(list(run_work(client, work.tasks, send_all_but_three, store)))
    errors = {p.cell.image: m.row["error"] for p, m in measured.items() if m.row["error"]}
    assert errors == {"3.png": "RuntimeError: three is too many"}
    lines = [line for path in tmp_path.glob("cells-*") for line in path.read_text().splitlines()[1:]]
    assert len(lines) == 8 + failed_before and set(store.rows()) == {p.cell.key for p in cells}
    assert store.picture(cells[5].cell.key)[0, 0, 0] == 2 and not store.has_picture(cells[4].cell.key)
    assert store.picture(original_name(cells[5].cell.image_hash))[0, 0, 0] == 5

    (task,) = work_left(plan(cells), store).tasks
    assert [p.cell.image for p in task] == ["3.png"]
    os.remove(tmp_path / "pictures" / f"{cells[5].cell.key}.png")
    assert work_left(plan(cells), store).cells == 2
    store.close()


def test_pictures_between_two_hosts_and_channels_of_one_encoding_go_together(tmp_path):
    cells = [
        planned(number, mode, snr_db=snr) for mode in ("ideal", "two-hosts") for snr in (1.0, 2.0) for number in (1, 2)
    ]
    store = Store.create(tmp_path)
    tasks = work_left(plan(cells + cells), store).tasks
    assert [[(p.cell.mode, p.cell.image, p.cell.snr_db) for p in task] for task in tasks] == [
        [("ideal", "1.png", 1.0), ("ideal", "1.png", 2.0)],
        [("ideal", "2.png", 1.0), ("ideal", "2.png", 2.0)],
        [("two-hosts", "1.png", 1.0), ("two-hosts", "2.png", 1.0)],
        [("two-hosts", "1.png", 2.0), ("two-hosts", "2.png", 2.0)],
    ]
    many = [planned(1, snr_db=snr) for snr in range(TOGETHER + 1)]
    assert [len(task) for task in work_left(plan(many), store).tasks] == [TOGETHER // 2, TOGETHER - TOGETHER // 2 + 1]
    flowgraph = [planned(1, "flowgraph", snr_db=snr) for snr in (1.0, 2.0)]
    assert [len(task) for task in work_left(plan(flowgraph), store).tasks] == [1, 1]
    store.close()


def test_a_send_that_loses_pictures_is_an_error_of_all(tmp_path, client):
    cells = [planned(number, "two-hosts") for number in (1, 2)]
    store = Store.create(tmp_path)
    results = list(run_work(client, work_left(plan(cells), store).tasks, lambda c, p: [], store))
    assert [m.row["error"] for _, m in results] == ["ValueError: 0 of 2 pictures came back"] * 2
    store.close()


def test_a_full_disk_is_one_line_and_all_rows_before_are_whole(tmp_path):
    """A file system that takes a part of a line before it fails, as they do when they are full."""
    store = Store.create(tmp_path / "s")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(UserError, match="cannot be written") as told:
            for number in range(100):
                store.append({**ROW, "key": f"{number:08d}"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    store.close()
    assert "\n" not in str(told.value) and 3 < number < 20
    assert list(Store(tmp_path / "s").rows()) == [f"{place:08d}" for place in range(number)]
    again = Store.create(tmp_path / "s")
    again.append({**ROW, "key": "later"})
    again.close()
    assert len(Store(tmp_path / "s").rows()) == number + 1


def test_a_disk_that_gets_room_again_has_every_row_that_was_taken(tmp_path):
    """The same program goes on: no row may follow on the part of another."""
    store, taken = Store.create(tmp_path / "s"), []
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for number in range(60):
        full = number % 10 >= 6
        resource.setrlimit(resource.RLIMIT_FSIZE, (700 if full else before[0], before[1]))
        try:
            store.append({**ROW, "key": f"{number:08d}"})
            taken.append(f"{number:08d}")
        except UserError:
            assert full
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    store.close()
    assert list(Store(tmp_path / "s").rows()) == taken and 36 <= len(taken) < 60


def test_strays_are_named_and_left_alone(tmp_path):
    store = Store.create(tmp_path / "s")
    store.append(ROW)
    store.save_experiment("x", {"experiment": {"name": "x"}})
    store.close()
    rows, experiment = tmp_path / "s" / "cells-0001.csv", tmp_path / "s" / "experiments" / "x.json"
    contents = {
        rows.with_name("cells-0001 (copy).csv"): rows.read_bytes() + b"1,2\n",
        rows.with_name("cells-0001.csv~"): b"\0",
        rows.with_name(".~lock.cells-0001.csv#"): b"me",
        rows.with_name("cells-mine.csv"): b"a,b\n1\n",
        experiment.with_name("x (copy).json"): experiment.read_bytes(),
        experiment.with_name("notes.json"): b"{",
        experiment.with_name("deep.json"): b"[" * 100_000,
        experiment.with_name(".x.json.swp"): b"\0",
    }
    for path, content in contents.items():
        path.write_bytes(content)
    rows.with_name("cells-0007.csv").mkdir()
    again = Store.create(tmp_path / "s")
    again.append({**ROW, "key": "2"})
    assert set(again.strays()) == {*contents, rows.with_name("cells-0007.csv")}
    assert (tmp_path / "s" / "cells-0008.csv").is_file() and set(again.rows()) == {"00123456", "2"}
    assert again.experiments() == {"x": {"experiment": {"name": "x"}}}
    assert all(path.read_bytes() == content for path, content in contents.items())
    assert strays_line([tmp_path] * 20).endswith("and 8 more")
    again.close()


def test_what_a_killed_sweep_left_half_written_goes(tmp_path):
    store = Store.create(tmp_path / "s")
    part = tmp_path / "s" / "experiments" / ".gr-jscc-00.part"
    part.write_text("{")
    assert store.strays() == []
    store.close()
    Store.create(tmp_path / "s").close()
    assert not part.exists()


@pytest.mark.parametrize("place", ["experiments/x.json", "pictures"])
def test_what_is_in_the_way_is_one_line(tmp_path, place):
    store = Store.create(tmp_path / "s")
    if place == "pictures":
        (tmp_path / "s" / place).write_text("")
    else:
        (tmp_path / "s" / place).mkdir()
    with pytest.raises(UserError) as told:
        store.save_experiment("x", {}) if place != "pictures" else store.save_picture(
            "x", np.zeros((8, 8, 3), np.uint8)
        )
    assert "\n" not in str(told.value)
    store.close()


def test_names_with_other_line_ends_and_bad_bytes_are_kept_on_their_line(tmp_path):
    store = Store.create(tmp_path / "s")
    names = ["a\u2028b.png", "a\x85b.png", 'a\x1cb, "c".png', "a\rb.png"]
    for number, name in enumerate(names):
        store.append({**ROW, "key": str(number), "image.name": name})
    assert [row["image.name"] for row in store.rows().values()] == [" ".join(name.split()) for name in names]
    store.close()
