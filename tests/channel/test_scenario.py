"""Channels described by tables: what they mean, how they change with time, and what is said of a bad one."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from gr_jscc.channel import Awgn, Chain, SampleOffset, Scenario, ScenarioError, load_scenario, parse_scenario
from gr_jscc.channel.scenario import STAGES

pytestmark = pytest.mark.timeout(60)

WORKED = """
sample_rate = 1e5
seed = 3

[awgn]
snr_db = 10
[multipath]
taps = [1, 0, [0.3, -0.2]]

[[segment]]
start = 0.1
multipath = false
awgn = { snr_db = 0 }

[[segment]]
start = 0.3
awgn = false
cfo = { cycles_per_sample = 0.25 }
"""


def power(samples):
    return float(np.mean(np.abs(samples) ** 2))


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "air.toml"
        path.write_text(text)
        return path

    return write


def test_a_scenario_changes_at_its_times(written, rng):
    scenario = load_scenario(written(WORKED))
    parts, done = [], 0
    while done < 40_000:
        count = int(rng.integers(0, 3000))
        parts.append(scenario.process(np.ones(min(count, 40_000 - done), np.complex64)))
        done += count
    out = np.concatenate(parts)
    scenario.reset()
    assert np.allclose(scenario.process(np.ones(40_000, np.complex64)), out, atol=1e-6)
    assert power(out[2:10_000] - (1.3 - 0.2j)) == pytest.approx(0.1, rel=0.05)
    assert power(out[10_000:30_000] - 1) == pytest.approx(1, rel=0.05)
    assert np.allclose(out[30_000:], np.tile([1, 1j, -1, -1j], 2500), atol=1e-5)


def test_stages_happen_in_the_order_of_a_link():
    scenario = parse_scenario({"drops": {"share": 0.1}, "awgn": {"snr_db": 3}, "amplifier": {"backoff_db": 8}})
    names = [type(stage) for stage in scenario.chain.stages]
    assert names == [STAGES[name] for name in ("amplifier", "awgn", "drops")]


def test_a_scenario_is_the_chain_it_describes(rng):
    samples = rng.standard_normal(5000).astype(np.complex64)
    scenario = parse_scenario({"seed": 5, "awgn": {"snr_db": 7}, "sfo": {"ppm": 30}})
    order = list(STAGES)
    chain = Chain([SampleOffset(30), Awgn(7, seed=[5, order.index("awgn")])])
    assert np.array_equal(scenario.process(samples), chain.process(samples))


def test_a_stage_whose_parameter_changes_goes_on_where_it_was():
    scenario = Scenario({"cfo": {"cycles_per_sample": 0.1}})
    first = scenario.process(np.ones(101, np.complex64))
    scenario.set("cfo", {"cycles_per_sample": -0.1})
    second = scenario.process(np.ones(101, np.complex64))
    assert second[0] == pytest.approx(first[-1] * np.exp(0.2j * np.pi), abs=1e-5)
    assert second[1] == pytest.approx(first[-1], abs=1e-5)


def test_bursts_are_told_to_the_right_segment():
    scenario = Scenario({}, [(0.001, {"loss": {"probability": 1.0}})])
    scenario.mark([0, 500, 1500])
    out = scenario.process(np.ones(2000, np.complex64))
    assert np.array_equal(out, np.repeat([1, 1, 0], [1000, 500, 500]))


def test_every_stage_can_be_written_in_toml(written):
    text = """
        clipping.level_db = 8
        amplifier = { backoff_db = 8, smoothness = 3 }
        loss = { probability = 0.1, fill = "noise" }
        multipath.taps = "multipath"
        block_fading = { delay_spread = 2.0, block = 5000 }
        doppler_fading = { doppler_hz = 10, delay_spread = 1.0 }
        interference = { share = 0.01, power_db = 10, length = 500, kind = "tone" }
        cfo.cycles_per_sample = 1e-3
        phase_noise = { rms_degrees = 0.4, loop_hz = 1e5 }
        free_oscillator.linewidth_hz = 1
        sfo.ppm = -20
        awgn.snr_db = 10
        iq_imbalance = { gain_db = 1, phase_degrees = 5 }
        dc_offset.level_db = -30
        quantiser = { bits = 8, headroom_db = 12 }
        drops = { share = 1e-3, length = 100 }
    """
    scenario = load_scenario(written(text))
    assert [type(stage) for stage in scenario.chain.stages] == list(STAGES.values())
    assert np.isfinite(scenario.process(np.ones(20_000, np.complex64))).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rain = {}", "unknown impairment 'rain'; known: clipping, amplifier"),
        ("[awgn]\nsnr = 3", "awgn: unknown key 'snr'; known: snr_db"),
        ("[awgn]", "awgn: snr_db is missing"),
        ("awgn = 3", "awgn must be a table of parameters, not 3"),
        ("[awgn]\nsnr_db = '3'", "awgn: snr_db must be a number at least -100 and at most 200, not '3'"),
        ("[loss]\nprobability = 2", "loss: probability must be a number at least 0 and at most 1, not 2"),
        ("[sfo]\nppm = 1\nseed = 2", "sfo: unknown key 'seed'; known: ppm"),
        ("[multipath]\ntaps = 'nosuch'", "multipath: unknown channel 'nosuch'; known: awgn, multipath"),
        ("[multipath]\ntaps = [[1, 2, 3]]", "multipath: taps must be"),
        ("sample_rate = 0", "sample_rate must be a number above 0, not 0"),
        ("seed = -1", "seed must be a whole number from 0"),
        ("segment = 3", "segment must be a list of tables: [[segment]]"),
        ("[[segment]]\nawgn = false", "segment 1: start is missing"),
        ("[[segment]]\nstart = 2\n[[segment]]\nstart = 1", "segment 2: start must be a number at least 2, not 1"),
        ("[[segment]]\nstart = 2\nawgn = { snr_db = 900 }", "awgn: snr_db must be"),
    ],
)
def test_a_bad_scenario_is_told_in_one_line(written, text, message):
    path = written(text)
    with pytest.raises(ScenarioError) as refusal:
        load_scenario(path)
    assert str(refusal.value).startswith(f"{path}: {message}") and "\n" not in str(refusal.value)


def test_a_file_that_is_no_toml_or_not_there(written, tmp_path):
    with pytest.raises(ScenarioError, match="not a TOML file: .*air.toml"):
        load_scenario(written("awgn = = 3"))
    with pytest.raises(ScenarioError, match="cannot read the scenario .*: No such file"):
        load_scenario(tmp_path / "nosuch.toml")


def test_a_scenario_can_be_filled_up_with_what_it_leaves_open():
    scenario = parse_scenario({"multipath": {"taps": [2]}, "segment": [{"start": 0.001, "dc_offset": False}]})
    scenario.fill(multipath={"taps": [5]}, dc_offset={"level_db": 0, "mean_power": 1.0})
    assert "dc_offset" in scenario and "awgn" not in scenario
    assert np.allclose(scenario.process(np.ones(2000, np.complex64)), np.repeat([3, 2], 1000))
    with pytest.raises(ScenarioError, match="awgn: snr_db is missing"):
        scenario.fill(awgn={})


def test_the_documentation_names_every_stage_and_parameter():
    text = (Path(__file__).parents[2] / "docs" / "reference" / "channel.md").read_text()
    rows = {line.split("`")[1]: line for line in text.splitlines() if line.startswith("| `")}
    assert list(rows)[: len(STAGES)] == list(STAGES)
    for name, stage in STAGES.items():
        for field in dataclasses.fields(stage):
            known = field.name in ("seed", "sample_rate", "mean_power")
            assert known or f"`{field.name}`" in rows[name], (name, field.name)
