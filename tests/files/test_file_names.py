"""Names that others chose: one file or folder each, within its folder, and readable."""

import pytest

from gr_jscc.files.names import readable, safe_name, safe_stem

pytestmark = pytest.mark.timeout(30)

HOSTILE = [
    "...png", "..", ".", "", "/", "../../etc/passwd", "/etc/passwd", "a/../..", "\0", "x\0/../y.png", ".git.png",
    " .. ", "x" * 300 + ".png", "é" * 300, "\ud800.png", "x\udcff.png", "a\u202egnp.exe", "line\nend.png",
    "\x1b[2J.png", "NUL", "com1.png", "a\\..\\b.png", "\u2028", "\u200b", "~", "-rf", "…" * 100,
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
def test_whatever_the_text_it_names_something_within_the_folder(tmp_path, name):
    for make in (safe_name, safe_stem):
        made = make(name)
        assert 0 < len(made.encode()) <= 185 and not set(made) & set("/\\\0\n\x1b") and not made.startswith(".")
        path = tmp_path / "out" / f"{made}-12"
        path.mkdir(parents=True, exist_ok=True)  # that the file system takes it, with a number
        assert path.resolve().parent == (tmp_path / "out").resolve()


@pytest.mark.parametrize(
    ("name", "stem"),
    [("photo.jpg", "photo"), ("a/x.png", "x"), ("v1.tar.gz", "v1.tar"), ("a [raw] b.png", "a [raw] b"),
     ("图.webp", "图"), ("12:30.png", "12:30"), ("no ending", "no ending"), ("...png", "png"), ("", "picture"),
     ("transfer-0001", "transfer-0001")],
)  # fmt: skip
def test_names_that_are_fine_stay(name, stem):
    assert safe_stem(name) == stem


def test_names_that_are_no_utf_8_become_readable():
    assert readable("x\udcff \ud800 é.png") == "x\ufffd \ufffd é.png"
    readable("\udcff").encode()
