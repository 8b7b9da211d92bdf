"""TOML files of people: types are what TOML says they are, and what is wrong is one line."""

import datetime

import pytest

from gr_jscc.channel import load_scenario
from gr_jscc.durations import parse_duration
from gr_jscc.errors import UserError
from gr_jscc.host.options import parse_cbr, parse_latency
from gr_jscc.radio.profile import ProfileError, load_profile
from gr_jscc.ratios import parse_ratio
from gr_jscc.sweeps.experiment import ExperimentError, load_experiment

pytestmark = pytest.mark.timeout(30)

PROFILE = """
[device]
name = "mine"
radio = "soapy"
[stream]
sample_rate = 1e6
[rx]
frequency = 433920000
[rx.gains]
LNA = 16
[calibration]
date = 2026-11-02
[calibration.rx]
dc = [0.01, 0]
"""
EXPERIMENT = """
title = "mine"
snr_db = [10]
cbr = ["1/12", 0.1]
seeds = [1]
[[images]]
name = "demo"
kind = "demo"
count = 1
[[schemes]]
label = "a"
codec = "deepjscc"
[[strips]]
images = "demo"
image = "parrots.png"
at = [3, 4]
"""


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("sample_rate = 1e6", "sample_rate = true", "stream.sample_rate"),
        ("sample_rate = 1e6", 'sample_rate = "1_0"', "stream.sample_rate"),
        ("sample_rate = 1e6", "sample_rate = 1e6\ndevice_samples = true", "stream.device_samples"),
        ("frequency = 433920000", 'frequency = "433_920_000"', "rx.frequency"),
        ("LNA = 16", "LNA = false", "rx.gains.LNA"),
        ("[0.01, 0]", "[0.01, true]", "calibration.rx.dc.1"),
        ('radio = "soapy"', 'radio = "soapy"\nhalf_duplex = 1', "device.half_duplex"),
        ("2026-11-02", "5", "calibration.date"),
        ("2026-11-02", '"2_0"', "calibration.date"),
    ],
)
def test_profiles_do_not_take_one_type_for_another(tmp_path, old, new, place):
    path = tmp_path / "mine.toml"
    path.write_text(PROFILE)
    assert load_profile(path).rx.gains == {"LNA": 16.0}
    path.write_text(PROFILE.replace(old, new))
    with pytest.raises(ProfileError, match=place) as told:
        load_profile(path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("snr_db = [10]", "snr_db = [true]", "snr_db.0"),
        ("snr_db = [10]", 'snr_db = ["1_0"]', "snr_db.0"),
        ('"1/12"', '"1/1_2"', "cbr.0"),
        ('"1/12"', '"1/0"', "cbr.0"),
        ("0.1]", "true]", "cbr.1"),
        ("seeds = [1]", "seeds = [true]", "seeds.0"),
        ("count = 1", 'count = "1"', "images.0.count"),
        ("[3, 4]", "[3, false]", "strips.0.at.1"),
        ('codec = "deepjscc"', 'codec = "deepjscc"\noptional = "yes"', "schemes.0.optional"),
    ],
)
def test_experiments_do_not_take_one_type_for_another(tmp_path, old, new, place):
    path = tmp_path / "mine.toml"
    path.write_text(EXPERIMENT)
    assert load_experiment(path).strips[0].at == (3, 4)
    path.write_text(EXPERIMENT.replace(old, new))
    with pytest.raises(ExperimentError, match=place) as told:
        load_experiment(path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "table",
    ["multipath.taps = [true, 0.5]", 'multipath.taps = ["1_0"]', "multipath.taps = [[1, true]]", "awgn.snr_db = true",
     'sfo.ppm = "2_0"', "seed = true", "quantiser.bits = true"],
)  # fmt: skip
def test_scenarios_do_not_take_one_type_for_another(tmp_path, table):
    path = tmp_path / "air.toml"
    path.write_text(table)
    with pytest.raises(UserError, match="must be"):
        load_scenario(path)


def test_whole_numbers_byte_order_marks_and_dates_in_quotes_will_do(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf" + PROFILE.replace("2026-11-02", '"2026-11-02"').encode())
    taken = load_profile(path).calibration.date
    assert (taken.year, taken.month, taken.day) == (2026, 11, 2) and isinstance(taken, datetime.date)
    path.write_text(EXPERIMENT.replace("seeds = [1]", "seeds = [1.0]"))
    assert load_experiment(path).seeds == [1]
    path.write_bytes(b"\xef\xbb\xbfmultipath.taps = [1, [0, 0.5]]\n")
    assert load_scenario(path).name == "mine"


@pytest.mark.parametrize("name", ["x" * 300, "folder", "mine.toml"])
def test_what_is_no_profile_is_told_in_one_line(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe\x00")
    for load in (load_profile, load_experiment, load_scenario):
        with pytest.raises(UserError) as told:
            load(name)
        assert "\n" not in str(told.value)


def test_ratios():
    assert parse_ratio("1/12") == 1 / 12 and parse_ratio(" .5 ") == 0.5 and parse_ratio("1e-1/2") == 0.05
    for text in ("1_2", "1/1_2", "true", "nan", "inf", "1/0", "-1/2", "1/", "/2", "", "١/٢"):
        with pytest.raises(ValueError, match="not a ratio"):
            parse_ratio(text)
    with pytest.raises(UserError, match="--cbr must be a ratio"):
        parse_cbr("1/1_2")


def test_durations():
    assert parse_duration("20ms") == 0.02 and parse_duration(" 1.5 s ") == 1.5 and parse_duration("0s") == 0
    for text in ("250us", "250 µs", "250\N{GREEK SMALL LETTER MU}s"):
        assert parse_duration(text) == pytest.approx(250e-6)
    for text in ("20", "ms", "-1s", "1 m", "20 ms 3", "1_0ms", "nans", "infs", "", "٢ms"):
        with pytest.raises(ValueError, match="not a duration"):
            parse_duration(text)
    with pytest.raises(UserError, match="--latency: not a duration such as 20ms"):
        parse_latency("20")
