"""An older build beside this one: unpacked once, and its figures found again."""

import os
import subprocess

import pytest

from gr_jscc.benchmarks.builds import BENCHES, HERE, bench_lines, compare, medians, older_build
from gr_jscc.errors import UserError

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with two commits of a program, and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "checkout"
    (folder / "gr_jscc").mkdir(parents=True)

    def git(*arguments):
        who = ("-c", "user.name=a", "-c", "user.email=a@b.invalid")
        subprocess.run(["git", *who, "-C", folder, *arguments], check=True, capture_output=True)

    git("init", "-q")
    for value in (2.0, 3.0):
        line = f'{{"figure": "speed", "at": {{}}, "value": {value}, "unit": "1"}}'
        (folder / "gr_jscc" / "host.py").write_text(f"import sys\nprint(sys.argv, file=sys.stderr)\nprint('{line}')\n")
        git("add", ".")
        git("commit", "-q", "-m", "a")
    return folder


def test_a_commit_is_unpacked_once_and_run(checkout):
    build = older_build("HEAD~1", checkout)
    before = os.stat(build).st_ino
    assert older_build("HEAD~1", checkout) == build and os.stat(build).st_ino == before
    assert os.listdir(build.parent) == [build.name]
    speed, cpu = bench_lines(build, ["modem"])
    assert speed["value"] == 2.0 and cpu["figure"] == "bench_cpu_seconds" and cpu["value"] > 0


@pytest.mark.parametrize("revision", ["nothing", "-h", "HEAD:gr_jscc"])
def test_what_is_no_commit_is_one_line(checkout, revision):
    with pytest.raises(UserError, match="no commit"):
        older_build(revision, checkout)


def test_a_folder_that_is_no_checkout_is_one_line(tmp_path):
    with pytest.raises(UserError, match="needs a checkout"):
        older_build("HEAD", tmp_path)


def test_a_bench_that_fails_is_one_line_and_missing_in_an_older_build_no_fault(checkout, monkeypatch):
    with pytest.raises(UserError, match="bench codec --nonsense .* failed: .*nonsense"):
        bench_lines(HERE, ["codec", "--nonsense"])
    monkeypatch.setitem(BENCHES, "codec-deepjscc", ("codec", "--codec", "successive-single", "--repeats", "3"))
    rows = {row.figure: row for row in compare("codec-deepjscc", older_build("HEAD", checkout), turns=1)}
    assert rows["encode_seconds"].value > 0 and rows["encode_seconds"].reference is None
    assert rows["bench_cpu_seconds"].ratio > 1  # the other one only prints


def test_medians_are_of_the_same_figure_at_the_same_conditions():
    def line(value, **at):
        return {"figure": "loss", "at": at, "value": value, "unit": "dB"}

    runs = [
        [line(value, kind="a", bursts=90 + value), line(value + 10, kind="a"), line(None, kind="b")]
        for value in (3, 1, 2)
    ]
    assert [value for _, value in medians(runs).values()] == [2, 12, None]
