"""`gr-jscc reproduce separation`: its figures and its page, on small pictures and over the ideal channel."""

import pytest

from gr_jscc.benchmarks.separation import CLIFF_SNRS_DB, LITERATURE, cliff_figures, kodak_figures
from gr_jscc.benchmarks.separation_page import BEGIN, END, write_separation_report
from gr_jscc.codecs.registry import load_codec
from gr_jscc.flowgraphs.ideal import ideal_results
from gr_jscc.imaging import save_image

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def files(tmp_path_factory, photo):
    path = tmp_path_factory.mktemp("pictures") / "p.png"
    save_image(path, photo[100:148, 100:164])
    return [path]


@pytest.fixture(scope="module")
def figures(files):
    loaded = {}

    def link(codec, weights, cbr, snr_db):
        loaded[codec] = loaded.get(codec) or load_codec(codec, weights or None)
        return [result.report for result in ideal_results(loaded[codec], files, cbr, "awgn", snr_db, 1)]

    return [*kodak_figures(files, seed=1), *cliff_figures(link, len(files))]


def values(figures, name, **conditions):
    return [f.value for f in figures if f.name == name and conditions.items() <= f.at.items()]


def test_the_bound_lies_above_and_quality_rises_with_the_rate(figures):
    real, ideal = (values(figures, "psnr_db", codec=codec, channel="ideal-awgn") for codec in LITERATURE)
    assert len(real) == len(ideal) == 5
    assert real == sorted(real) and ideal == sorted(ideal)
    assert all(above > below for above, below in zip(ideal, real))
    assert values(figures, "images_lost", channel="ideal-awgn") == [0] * 10
    assert all(f.bar is not None for f in figures if f.at["channel"] == "ideal-awgn")


def test_a_cliff_where_the_learned_codec_bends(figures):
    digital = values(figures, "psnr_db", codec="separation", channel="awgn")
    learned = values(figures, "psnr_db", codec="deepjscc", channel="awgn")
    lost = values(figures, "images_lost", codec="separation", channel="awgn")
    assert len(digital) == len(learned) == len(CLIFF_SNRS_DB)
    assert lost[0] == 1 and lost[-1] == 0 and digital[-1] - digital[0] > 10
    assert len({round(value, 6) for value, gone in zip(digital, lost) if not gone}) == 1
    assert all(0 < after - before < 1 for before, after in zip(learned, learned[1:]))


def test_the_page_keeps_what_people_wrote(figures, tmp_path):
    page = write_separation_report(figures, tmp_path)
    first = page.read_text()
    assert first.startswith("# The digital baseline") and first.count(BEGIN) == first.count(END) == 1
    for value in values(figures, "psnr_db"):
        assert f" {value:.2f} " in first
    page.write_text("Before.\n" + first + "After.\n")
    assert write_separation_report(figures, tmp_path).read_text() == "Before.\n" + first + "After.\n"
    assert sorted(p.name for p in tmp_path.rglob("*.*")) == ["separation-cliff.webp", "separation.md"]
    only_ideal = [figure for figure in figures if figure.at["channel"] == "ideal-awgn"]
    assert "flowgraph" not in write_separation_report(only_ideal, tmp_path).read_text()
