"""The loopback over a bad channel: lost bursts, and scenarios from a file."""

import pytest
from PIL import Image

from gr_jscc.channel import load_scenario, parse_scenario
from gr_jscc.errors import UserError
from gr_jscc.flowgraphs.loopback import Air, LoopbackFlowgraph
from gr_jscc.host.loopback import loopback
from gr_jscc.link.loading import Encoding

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(120)]


@pytest.fixture
def file(tmp_path, photo):
    path = tmp_path / "parrots.png"
    Image.fromarray(photo[60:380, 60:380]).save(path)
    return path


def run(files, **air):
    return [result.report for result in LoopbackFlowgraph(files, Encoding(), Air(**air)).results()]


def test_pictures_arrive_when_half_of_the_bursts_are_lost_and_quality_falls_smoothly(file):
    quality = []
    for loss in (0.0, 0.2, 0.5):
        reports = run([file] * 2, loss=loss, cfo=0.1, seed=3)
        bursts = [report["bursts"] for report in reports]
        lost = sum(b["lost"] for b in bursts) / sum(b["sent"] for b in bursts)
        assert lost == pytest.approx(loss, abs=0.2 if loss else 0)
        assert all(report["link"]["snr_est_db"] == pytest.approx(10, abs=0.6) for report in reports)
        quality.append(sum(report["psnr_db"] for report in reports) / 2)
    steps = [before - after for before, after in zip(quality, quality[1:])]
    assert all(0 < step < 8 for step in steps) and quality[-1] > 20


def test_a_scenario_is_the_channel_and_options_fill_it_up(file, tmp_path):
    path = tmp_path / "cheap-radio.toml"
    path.write_text("""
        amplifier.backoff_db = 9
        phase_noise.rms_degrees = 0.4
        sfo.ppm = 20
        iq_imbalance = { gain_db = 0.3, phase_degrees = 1 }
        dc_offset.level_db = -30
        quantiser.bits = 8
    """)
    (clean,) = run([file], cfo=0.2)
    (report,) = run([file], cfo=0.2, scenario=load_scenario(path))
    assert (report["channel"], report["snr_db"]) == ("cheap-radio", 10.0)
    assert report["bursts"]["lost"] == 0
    assert report["link"]["cfo_hz"] == pytest.approx(0.2 / 64 * 1e6, abs=50)
    assert 8.5 < report["link"]["snr_est_db"] < 10.2
    assert 0 < clean["psnr_db"] - report["psnr_db"] < 1.5


def test_a_scenario_with_its_own_noise(file):
    scenario = parse_scenario({"awgn": {"snr_db": 20}, "segment": [{"start": 0.11, "awgn": {"snr_db": 3}}]})
    reports = run([file] * 2, scenario=scenario)
    assert [report["snr_db"] for report in reports] == [None, None]
    estimates = [report["link"]["snr_est_db"] for report in reports]
    assert estimates[0] > 12 and estimates[1] == pytest.approx(3, abs=0.5)


def test_losses_need_the_ofdm_link(file):
    with pytest.raises(UserError, match="remove --ideal"):
        loopback([file], ideal=True, loss=0.1)
