"""The page of a sweep: what it says of losses and exact pictures, where it is from, and names that others chose."""

import csv
import io
import re
import warnings

import pytest

from gr_jscc.errors import UserError
from gr_jscc.metrics.picture import LARGEST_PSNR_DB
from gr_jscc.sweeps.experiment import Experiment
from gr_jscc.sweeps.page.content import sections
from gr_jscc.sweeps.page.page import write_docs, write_report
from gr_jscc.sweeps.store import Store

pytestmark = pytest.mark.timeout(60)
WRITTEN = "Written 2026-11-28 09:00 UTC by gr-jscc 0.1.0: gr-jscc report s"


def store_of(folder, name="mine", labels=("A", "B"), sets=("all",), pictures=4, psnr=None, version=True, **more):
    """A store with an experiment over two SNRs; ``psnr(label, picture, snr_db)`` gives PSNR and whether it arrived."""
    psnr = psnr or (lambda label, picture, snr_db: (30.0 + picture + snr_db / 10 + labels.index(label), True))
    experiment = Experiment(
        name=name, title="Mine", images=[{"name": one} for one in sets],
        schemes=[{"label": label, "codec": "deepjscc"} for label in labels], snr_db=[5, 10], cbr=[0.1], **more,
    )  # fmt: skip
    store, cells = Store.create(folder), []
    for label in labels:
        for one in sets:
            for snr_db in experiment.snr_db:
                for picture in range(pictures):
                    key, (value, arrived) = f"{len(cells):016x}", psnr(label, picture, snr_db)
                    row = {
                        "key": key, "error": "", "mode": "ideal", "channel": "awgn", "snr_db": snr_db, "cbr": 0.1,
                        "image.name": f"{picture}.png", "image_hash": f"{one}{picture}", "codec": "deepjscc",
                        "weights": "mine", "weights_hash": f"0badcaf{labels.index(label)}", "seed": 1,
                        "arrived": arrived, "psnr_db": value, "ms_ssim": None, "lpips": None, "cbr.total": 0.1,
                        "seconds.encode": None, "seconds.decode": None,
                        "measured": f"2026-11-0{1 + picture}T10:00:00+00:00",
                    }  # fmt: skip
                    row |= {"version": "0.1.0"} if version else {}
                    store.append(row)
                    cells.append({"key": key, "scheme": label, "images": one, "cbr": 0.1})
    content = {"experiment": experiment.model_dump(mode="json"), "parameters": {}, "remarks": [], "cells": cells}
    store.save_experiment("mine", content | ({"command": "gr-jscc sweep mine.toml --store s"} if version else {}))
    store.close()
    return store


def points(out):
    return list(csv.DictReader(io.StringIO((out / "points.csv").read_text(encoding="utf-8"))))


def test_the_page_says_when_by_what_and_of_which_weights(tmp_path):
    page = write_report(sections(store_of(tmp_path / "s")), tmp_path / "out", "Mine", WRITTEN).read_text()
    assert WRITTEN in page and "gr-jscc sweep mine.toml --store s" in page
    assert "Measured 2026-11-01 10:00:00 to 2026-11-04 10:00:00 UTC with gr-jscc 0.1.0." in page
    assert "<td>0badcaf0</td>" in page and "<td>0badcaf1</td>" in page
    docs = tmp_path / "docs" / "results.md"
    write_docs(sections(Store(tmp_path / "s")), docs, "Results", "gr-jscc report STORE")
    text = docs.read_text(encoding="utf-8")
    assert "- Measured 2026-11-01" in text and "| B | deepjscc | mine | 0badcaf1 | 8 |" in text
    assert all((docs.parent / name).is_file() for name in re.findall(r"\]\((images/[^)]+)\)", text))


def test_a_store_from_before_is_still_read(tmp_path):
    def psnr(label, picture, snr_db):
        return (None if picture == 3 else 30.0 + picture, None)

    store = store_of(tmp_path / "s", version=False, psnr=psnr)
    page = write_report(sections(store), tmp_path / "out", "Mine", WRITTEN).read_text()
    assert "with gr-jscc an unknown version" in page
    assert {row["pictures_lost"] for row in points(tmp_path / "out")} == {"1"}


def test_exact_pictures_enter_the_mean_and_grey_ones_are_told_as_lost(tmp_path):
    def psnr(label, picture, snr_db):
        if label == "A":
            return (LARGEST_PSNR_DB, True) if picture == 0 else (40.0, True)
        return (12.0, False) if snr_db == 5 else (42.0, True)

    write_report(sections(store_of(tmp_path / "s", psnr=psnr)), tmp_path / "out", "Mine", WRITTEN)
    found = {(row["scheme"], row["snr_db"]): row for row in points(tmp_path / "out")}
    assert found["A", "5.0"]["pictures_lost"] == "0" and float(found["A", "5.0"]["psnr_db"]) == 55
    assert found["B", "5.0"]["pictures_lost"] == "4" and float(found["B", "5.0"]["psnr_db"]) == 12
    assert found["B", "10.0"]["pictures_lost"] == "0"
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "B: did not arrive: 4 of 4 at 5; those shown plain grey count in the mean." in page


def test_schemes_are_compared_picture_by_picture(tmp_path):
    write_report(sections(store_of(tmp_path / "s", pictures=6)), tmp_path / "out", "Mine", WRITTEN)
    (table,) = (tmp_path / "out" / "mine" / "tables").glob("difference-*.csv")
    head, row = csv.reader(io.StringIO(table.read_text(encoding="utf-8")))
    assert head == ["scheme", "5 dB", "10 dB"] and row == ["B", "+1.00 ± 0.00", "+1.00 ± 0.00"]


def test_metrics_that_no_picture_has_are_told(tmp_path):
    store = store_of(tmp_path / "s", metrics=["psnr_db", "ms_ssim_db"], times=True)
    (section,) = sections(store)
    assert [line for line in section.remarks if "MS-SSIM was requested" in line and "160 pixels" in line]


def test_an_earlier_reports_files_go_and_others_stay(tmp_path):
    out = tmp_path / "out"
    write_report(sections(store_of(tmp_path / "s")), out, "Mine", WRITTEN)
    before = {path for path in out.rglob("*") if path.is_file()}
    old = out / "mine" / "plots" / "psnr-over-snr-of-last-week.png"
    old.write_bytes(b"")
    (out / "mine" / "plots" / "notes.txt").write_text("keep")
    write_report(sections(Store(tmp_path / "s")), out, "Mine", WRITTEN)
    assert {path for path in out.rglob("*") if path.is_file()} == before | {out / "mine" / "plots" / "notes.txt"}


@pytest.mark.parametrize("name", ["..", "../../up", "/tmp/x", "a\0b", "x" * 300])
def test_an_experiments_name_leads_nowhere_else(tmp_path, name):
    """Only the name of its file counts; one that says another is a stray, and not read."""
    store = store_of(tmp_path / "s", name=name)
    assert store.experiments() == {} and [path.name for path in store.strays()] == ["mine.json"]
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    (tmp_path / "deep" / "out").mkdir(parents=True)
    write_report(sections(store), tmp_path / "deep" / "out", "Mine", WRITTEN)
    new = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert new and all(path.is_relative_to(tmp_path / "deep" / "out") for path in new)


def test_labels_are_shown_letter_by_letter(tmp_path):
    labels = ("costs $5 and $\\frac$", "_hidden", "[red]<b>|x|", "line\nend & 50 %")
    store = store_of(tmp_path / "s", labels=labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of labels that it leaves out
        page = write_report(sections(store), tmp_path / "out", "Mine", WRITTEN).read_text(encoding="utf-8")
    assert "[red]&lt;b&gt;|x|" in page and "costs $5 and $\\frac$" in page and "_hidden" in page
    (table,) = (tmp_path / "out" / "mine" / "tables").glob("psnr-*.md")
    rows = [line for line in table.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(labels) and all(len(re.findall(r"(?<!\\)\|", row)) == 4 for row in rows)
    assert "| line end & 50 % |" in rows[-1] and r"\[red\]\<b>\|x\|" in rows[-2]


def test_sets_whose_names_give_the_same_file_name_keep_their_own_plots(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of glyphs that the font lacks nobody need be told
        store = store_of(tmp_path / "s", sets=("图", "画"))
        (section,) = sections(store)
        write_report([section], tmp_path / "out", "Mine", WRITTEN)
    names = [(type(part), part.name) for part in section.parts]
    assert len(set(names)) == len(names)
    assert len(list((tmp_path / "out" / "mine" / "plots").glob("*.png"))) == 2


def test_what_is_in_the_way_is_told_in_one_line(tmp_path):
    found = sections(store_of(tmp_path / "s"))
    (tmp_path / "out").write_text("")
    with pytest.raises(UserError, match="cannot write the report") as told:
        write_report(found, tmp_path / "out", "Mine", WRITTEN)
    assert "\n" not in str(told.value) and (tmp_path / "out").read_text() == ""
    (tmp_path / "images").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write_docs(found, tmp_path / "results.md", "Results", "x")
    assert not list(tmp_path.rglob("*.part"))
