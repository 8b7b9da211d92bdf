"""What goes wrong in a flowgraph that runs from Companion is told in one line, at once, to whoever sits before it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from companion import REPOSITORY, grcc
from PIL import Image

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(150)]
HEADLESS = REPOSITORY / "flowgraphs" / "examples" / "image_file_sink.grc"
WINDOW = REPOSITORY / "flowgraphs" / "examples" / "image_view_sink.grc"
DRIVER = Path(__file__).with_name("drive_trouble.py")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, small_photo):
    """Folders: with broken pictures in its midst, and with nothing else."""
    top = tmp_path_factory.mktemp("pictures")
    some, none = top / "some", top / "none"
    for folder in (some, none):
        folder.mkdir()
        Image.fromarray(small_photo).save(folder / "b-cut.png")
        (folder / "b-cut.png").write_bytes((folder / "b-cut.png").read_bytes()[:7000])
    (some / "c-text.jpg").write_text("no picture")
    Image.new("RGB", (1, 1)).save(some / "d-tiny.png")
    for name in ("a", "e"):
        Image.fromarray(small_photo[:64, :96]).save(some / f"{name}.png")
    return top


@pytest.fixture(scope="module")
def programs(pictures, environment, tmp_path_factory):
    """Programs that Companion's compiler makes of the examples with other parameters, by name."""
    folder = tmp_path_factory.mktemp("trouble")
    quote = repr
    changes = {
        "some": (HEADLESS, {"jscc_image_source_0": {"paths": quote(str(pictures / "some"))}}),
        "none": (HEADLESS, {"jscc_image_source_0": {"paths": quote(str(pictures / "none"))}}),
        "unwritable": (HEADLESS, {"jscc_image_file_sink_0": {"folder": quote("out")}}),
        "deaf": (
            WINDOW,
            {
                "jscc_ofdm_modulator_0": {"fft_size": "128", "cp_len": "32"},
                "jscc_image_source_0": {"paths": quote(str(pictures / "some" / "a.png"))},
            },
        ),
        "shown": (WINDOW, {"jscc_image_source_0": {"paths": quote(str(pictures / "some"))}}),
    }  # fmt: skip
    paths = []
    for name, (example, blocks) in changes.items():
        graph = yaml.safe_load(example.read_text())
        graph["options"]["parameters"]["id"] = f"trouble_{name}"
        for block in graph["blocks"]:
            block["parameters"] |= blocks.get(block["name"], {})
        paths.append(folder / f"{name}.grc")
        paths[-1].write_text(yaml.safe_dump(graph))
    return grcc(paths, folder, environment)


@pytest.fixture
def run(programs, environment, tmp_path):
    """Runs a headless program in an empty folder; its exit code, and the lines that it said."""

    def run(name, *arguments):
        done = subprocess.run(
            [sys.executable, str(programs[name]), *arguments],
            env=environment | {"OMP_NUM_THREADS": "1"}, cwd=tmp_path, capture_output=True, text=True, timeout=100,
        )  # fmt: skip
        lines = (done.stdout + done.stderr).splitlines()
        assert not any("Traceback" in line for line in lines), lines
        return done.returncode, [line for line in lines if ":error:" in line or ":warning:" in line]

    return run


def test_broken_pictures_in_the_midst_of_a_folder_are_left_out_and_named(run, tmp_path):
    code, lines = run("some")
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "received").iterdir()) == ["a", "e"]
    source = [line for line in lines if line.startswith("JSCC Image Source")]
    assert len(source) == 2 and "skipped 1 of 5 images: b-cut.png (damaged" in source[0]
    assert "skipped 2 of 5 images: b-cut.png" in source[1] and "c-text.jpg (not an image" in source[1]
    assert [line for line in lines if line not in source] == [
        "JSCC Encoder :warning: skipped 1 so far, most recently d-tiny.png: "
        "a 1x1 picture is too small to be sent by deepjscc at CBR 0.08333"
    ]


def test_where_no_picture_can_be_read_the_flowgraph_says_so_and_ends(run, tmp_path):
    code, (line,) = run("none")
    assert code == 0 and line.startswith("JSCC Image Source :error: ") and "b-cut.png: damaged" in line


def test_a_sink_that_cannot_write_says_so_and_the_flowgraph_ends(run, tmp_path):
    (tmp_path / "out" / "demo").mkdir(parents=True)
    (tmp_path / "out" / "demo" / "received.png").mkdir()
    (tmp_path / "out" / "demo" / "report.json").mkdir()
    _, lines = run("unwritable")
    assert len(lines) == 1 and lines[0].startswith("JSCC Image File Sink :error: ") and "demo" in lines[0]


def test_a_bad_parameter_on_the_command_line_is_one_line(run, tmp_path):
    (tmp_path / "file").touch()
    code, lines = run("some", "--folder", "file/below")
    assert code == 1 and len(lines) == 1 and "file/below" in lines[0]


@pytest.fixture
def watch(programs, display, tmp_path):
    """Runs a program with a window; what the image view says."""

    def watch(name, pictures, *changes):
        done = subprocess.run(
            [sys.executable, str(DRIVER), str(programs[name]), "window.png", str(pictures), *changes],
            env=display | {"OMP_NUM_THREADS": "1"}, cwd=tmp_path, capture_output=True, text=True, timeout=100,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert (tmp_path / "window.png").stat().st_size > 5000
        said = next(json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
        # What the window shows went to the logger as well.
        assert all(line in done.stdout + done.stderr for line in said["trouble"].splitlines())
        return said

    return watch


@pytest.mark.gui
def test_the_window_shows_the_other_pictures_and_names_what_was_left_out(watch):
    said = watch("shown", 2)
    assert sorted(said["names"]) == ["a.png", "e.png"]
    assert "skipped 2 of 5 images: b-cut.png" in said["trouble"] and "d-tiny.png" in said["trouble"]


@pytest.mark.gui
def test_the_window_names_the_numerology_that_is_heard(watch):
    said = watch("deaf", 0)
    assert said["trouble"] == (
        "received bursts of numerology 128 (FFT size 128, cyclic prefix 32, 96 data and 8 pilot carriers), "
        "but this end is set to numerology 64 (FFT size 64, cyclic prefix 16, 48 data and 4 pilot carriers)"
    )
