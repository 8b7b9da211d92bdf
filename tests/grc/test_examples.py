"""The example flowgraphs run, the headless ones to their end, and do what they say."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from companion import BLOCKS, FLOWGRAPHS

from gr_jscc.imaging import load_image
from gr_jscc.modem import BurstHeader, BurstKind, StreamDemodulator

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(120)]

EXAMPLES = [path for path in FLOWGRAPHS if path.parent.name == "examples"]


@pytest.fixture
def run(programs, environment, tmp_path):
    """Runs an example in an empty folder, returns what it printed."""

    def run(name, *arguments, script=None, variables=environment):
        done = subprocess.run(
            [sys.executable, *([script] if script else []), str(programs[name]), *arguments],
            env=variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "rror" not in done.stderr, done.stderr
        return done.stdout

    return run


def psnr(picture, original):
    return 10 * np.log10(255**2 / np.mean((picture.astype(float) - original) ** 2))


def test_there_is_an_example_for_every_block():
    names = {path.name.removesuffix(".block.yml").removeprefix("jscc_") for path in BLOCKS.glob("*.block.yml")}
    names -= {"back_channel", "radio_sink", "radio_source"}  # shown by the flowgraphs of two hosts
    assert names == {"channel_impairments" if path.stem == "impairments" else path.stem for path in EXAMPLES}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_what_it_shows_and_uses_its_block(path):
    flowgraph = yaml.safe_load(path.read_text())
    options = flowgraph["options"]["parameters"]
    assert options["title"] and options["description"] and options["comment"]
    assert any(block["id"].removeprefix("jscc_").endswith(path.stem) for block in flowgraph["blocks"])
    assert {block["states"]["state"] for block in flowgraph["blocks"]} <= {"enabled", True}


def test_pictures_leave_as_pdus_when_asked_for(run, tmp_path, photo):
    run("image_source", "--out", "pictures.rgb")
    pictures = np.fromfile(tmp_path / "pictures.rgb", np.uint8)
    assert np.array_equal(pictures, np.tile(photo.reshape(-1), 3))


def test_a_picture_from_in_tree_blocks_becomes_bursts(run, tmp_path):
    printed = run("encoder", "--out", "symbols.cfile")
    symbols = np.fromfile(tmp_path / "symbols.cfile", np.complex64)
    tags = re.findall(r"Offset: (\d+).*Key: burst +Value: #\[([\d ]+)\]", printed)
    headers = [BurstHeader.unpack(bytes(map(int, packed.split()))) for _, packed in tags]
    starts = np.cumsum([0] + [header.symbols for header in headers])
    assert [int(offset) for offset, _ in tags] == list(starts[:-1])
    assert len(symbols) == starts[-1]
    analog = [i for i, header in enumerate(headers) if header.kind == BurstKind.ANALOG]
    values = np.concatenate([symbols[starts[i] : starts[i + 1]] for i in analog])
    assert len(values) == 256 * 384 * 3 // 12
    assert np.mean(np.abs(values) ** 2) == pytest.approx(1, abs=0.01)
    assert len(headers) > len(analog) > 5


def spiral(count=2400):
    t = np.random.default_rng(1).permutation(count) / count
    return np.sqrt(2 * t) * np.exp(12j * np.pi * np.sqrt(t))


def test_any_symbols_become_samples(run, tmp_path):
    printed = run("ofdm_modulator", "--out", "bursts.cfile")
    samples = np.fromfile(tmp_path / "bursts.cfile", np.complex64)
    demodulator = StreamDemodulator()
    bursts = demodulator.push(samples) + demodulator.flush()
    assert len(bursts) == 20
    for burst in bursts:
        assert 10 * np.log10(np.mean(np.abs(burst.symbols - spiral()) ** 2)) == pytest.approx(-20, abs=0.5)
        assert burst.cfo == pytest.approx(0.3 / 64, abs=1e-5)
    assert len(re.findall(r"event \. air", printed)) == 20
    assert len(re.findall(r"\(payload \. 2400\)", printed)) == 20


def test_symbols_with_in_tree_noise_become_a_picture(run, tmp_path, photo):
    run("decoder", "--out", "decoded.rgb")
    assert psnr(np.fromfile(tmp_path / "decoded.rgb", np.uint8).reshape(photo.shape), photo) > 25


def test_picture_and_report_become_files(run, tmp_path, photo):
    run("image_file_sink", "--folder", "out")
    report = json.loads((tmp_path / "out" / "demo" / "report.json").read_text())
    measured = psnr(load_image(tmp_path / "out" / "demo" / "received.png"), photo)
    assert measured > 25
    assert report["psnr_db"] == pytest.approx(measured, abs=0.1)
    assert report["bursts"]["lost"] == 0 and report["link"]["snr_est_db"] == pytest.approx(15, abs=0.5)


def test_two_blocks_are_the_whole_link(run, tmp_path, photo):
    run("receiver", "--folder", "out", "--symbols", "symbols.cfile")
    report = json.loads((tmp_path / "out" / "demo" / "report.json").read_text())
    assert report["psnr_db"] == pytest.approx(
        psnr(load_image(tmp_path / "out" / "demo" / "received.png"), photo), abs=0.1
    )
    assert report["psnr_db"] > 25 and report["bursts"]["lost"] == 0
    symbols = np.fromfile(tmp_path / "symbols.cfile", np.complex64)
    assert len(symbols) == report["uses"]["payload"] + report["uses"]["side_info"]


def test_a_transmitter_is_one_block_for_any_radio(run, tmp_path):
    run("transmitter", "--out", "samples.cfile")
    demodulator = StreamDemodulator()
    bursts = demodulator.push(np.fromfile(tmp_path / "samples.cfile", np.complex64)) + demodulator.flush()
    analog = [burst for burst in bursts if burst.header.kind == BurstKind.ANALOG]
    assert sum(len(burst.symbols) for burst in analog) == 512 * 768 * 3 // 12


def test_a_second_of_frames_becomes_bursts(run, tmp_path):
    run("video_source", "--out", "frames.cfile")
    demodulator = StreamDemodulator()
    bursts = demodulator.push(np.fromfile(tmp_path / "frames.cfile", np.complex64)) + demodulator.flush()
    assert 1 <= len({burst.header.transfer for burst in bursts}) <= 10
    assert {burst.header.kind for burst in bursts} == {BurstKind.ANALOG, BurstKind.DIGITAL}


@pytest.fixture
def drive(run, display):
    """Runs an example with a window, returns the figures it gave."""

    def drive(name):
        script = str(Path(__file__).with_name("drive_examples.py"))
        printed = run(name, script=script, variables=display)
        *figures, end = (json.loads(line) for line in printed.splitlines() if line.startswith(("{", '"')))
        assert end == "closed"
        return figures

    return drive


@pytest.mark.gui
def test_a_constellation_follows_the_sliders(drive):
    clear, noisy = drive("ofdm_demodulator")
    assert clear["error_db"] == pytest.approx(-20, abs=0.7)
    assert noisy["error_db"] == pytest.approx(-5, abs=0.7)
    assert noisy["shown"] > clear["shown"] >= 4800


@pytest.mark.gui
def test_a_window_shows_pictures(drive):
    (report,) = drive("image_view_sink")
    assert report["psnr_db"] > 25 and report["bursts"]["lost"] == 0
    assert int(report["pictures"]) >= 1


@pytest.mark.gui
def test_a_window_shows_frames(drive):
    (figures,) = drive("video_sink")
    assert figures["psnr_db"] > 25 and figures["frozen"] == 0
    assert figures["moments"] >= 2 and figures["latency_ms"] > 0


def test_a_tone_comes_out_of_a_bad_radio_with_its_image(run, tmp_path):
    run("impairments", "--out", "tone.cfile")
    samples = np.fromfile(tmp_path / "tone.cfile", np.complex64)
    assert len(samples) == 1_000_000
    spectrum = np.abs(np.fft.fft(samples.reshape(-1, 1000), axis=1)) ** 2
    power_db = 10 * np.log10(spectrum.mean(axis=0))
    assert power_db[125] - power_db[-125] == pytest.approx(22.9, abs=0.3)  # 1 dB and 5 degrees
    assert power_db[125] - power_db[0] == pytest.approx(30.5, abs=0.2)  # the Q arm lifts the tone by 0.5 dB
    step = (52 / 64) ** 0.5 * 10 ** (12 / 20) / 2**7  # of 8 bits, 12 dB of headroom
    floor = spectrum[:, 300:700].mean() / 1000  # far from the tone, phase noise is below the rest
    assert 10 * np.log10(floor / (1e-4 + 2 * step**2 / 12)) == pytest.approx(0, abs=0.5)
