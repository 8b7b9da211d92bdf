"""The benchmarks measure what they say: small runs, and receivers made worse on purpose."""

import dataclasses

import pytest

from gr_jscc.benchmarks import modem as measure
from gr_jscc.benchmarks.papr import papr_tradeoff
from gr_jscc.figures import Figure
from gr_jscc.host.main import main
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.modem.numerology_file import parse_numerology

pytestmark = pytest.mark.timeout(60)


def test_figures_print_their_bars():
    assert Figure("a", 0.12345, "dB", {"snr_db": 5}, most=0.2).line() == {
        "figure": "a", "at": {"snr_db": 5}, "value": 0.1235, "unit": "dB", "bar": 0.2, "holds": True,
    }  # fmt: skip
    assert Figure("a", 0.5, "1", least=0.9, most=1.1).line()["holds"] is False
    assert Figure("a", 0.5, "1", least=0.9, most=1.1).line()["bar"] == [0.9, 1.1]
    assert Figure("a", float("nan"), "1", most=1).line()["holds"] is False
    assert "bar" not in Figure("a", 1.0, "1").line()


def test_a_figure_that_there_is_not_is_told(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["bench", "modem", "--only", "nosuch"])
    assert ended.value.code == 2
    assert "no figure's name contains nosuch; there are implementation_loss_db, " in capsys.readouterr().err


@pytest.mark.parametrize("channel", [measure.flat, measure.exponential_fading()])
def test_link_quality_is_zero_loss_for_a_perfect_receiver_and_sees_a_bad_one(rng, channel):
    got = list(measure.trials(20, 10, rng, channel))
    quality = measure.link_quality(iter(got), 10)
    assert quality.missed == 0 and -0.1 < quality.mmse_loss_db < 0.5 and 0.9 < quality.noise_var_ratio < 1.1

    def changed(**change):
        parts = ((t, {name: make(t) for name, make in change.items()}) for t in got)
        return (measure.Trial(t.symbols, t.response, dataclasses.replace(t.received, **part)) for t, part in parts)

    bold = measure.link_quality(changed(noise_var=lambda t: t.received.noise_var / 2), 10)
    assert bold.noise_var_ratio == pytest.approx(2 * quality.noise_var_ratio, rel=1e-3)
    worse = measure.link_quality(changed(symbols=lambda t: t.symbols + 2 * (t.received.symbols - t.symbols)), 10)
    assert worse.loss_db == pytest.approx(quality.loss_db + 6.02, abs=0.01)
    assert measure.link_quality(iter([measure.Trial(got[0].symbols, got[0].response, None)]), 10).missed == 1


def test_another_numerology_and_shorter_bursts_are_measured_as_well(rng):
    settings = LinkSettings(500, numerology=parse_numerology({"fft_size": 128, "cp_len": 12, "used": 100}, "mine"))
    for channel in (measure.flat, measure.exponential_fading(settings.numerology)):
        got = list(measure.trials(20, 10, rng, channel, settings=settings))
        assert {len(trial.received.symbols) for trial in got} == {500}
        quality = measure.link_quality(iter(got), 10)
        assert quality.missed == 0 and -0.1 < quality.mmse_loss_db < 0.7 and 0.9 < quality.noise_var_ratio < 1.1
    assert measure.missed_bursts(20, 5, 2.0, rng, settings) == 0


def test_nothing_is_missed_or_imagined_in_a_short_run(rng):
    assert measure.missed_bursts(60, 5, 2.0, rng) == 0
    for kind in measure.FOREIGN:
        assert measure.false_bursts(kind, 200_000, rng) == 0
    assert measure.header_error_rate(300, 0, rng) < 0.01
    assert measure.header_error_rate(300, -8, rng) > 0.05
    assert measure.wrong_headers(20_000, rng) == 0


def test_speed_and_cost_are_measured(rng):
    receive, send = measure.demodulator_msps(rng, repeats=1)
    assert receive > 0.1 and send > 0.1
    rows = measure.cost_over_length([100_000, 300_000], rng)
    assert [length for length, _, _ in rows] == [100_000, 300_000]


def test_limiting_peaks_trades_quality(codec, small_photo):
    rows = papr_tradeoff(codec, [small_photo], 1 / 12, (20.0,), 1)
    assert rows[0].limit_db is None and rows[0].cost_db == {20.0: 0.0}
    assert rows[-1].papr_db < rows[0].papr_db - 2
    assert 0.1 < rows[-1].cost_db[20.0] < 4
