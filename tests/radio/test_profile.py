"""Profiles of radios: what ships, what is refused in one clear line, what a user's options change."""

import datetime
import json
import subprocess
import sys

import pytest

from gr_jscc.errors import UserError
from gr_jscc.radio import parse_radio
from gr_jscc.radio.limits import Limits, Range, check_limits, check_rate, check_shift
from gr_jscc.radio.profile import (
    CalibrationTable,
    ProfileError,
    default_profile,
    load_profile,
    save_profile,
    shipped_profiles,
    split_arguments,
)
from gr_jscc.radio.statistics import RadioStatistics, Tuned, radio_report

pytestmark = pytest.mark.timeout(60)
MINIMAL = '[device]\nname = "x"\nradio = "soapy"\n[stream]\nsample_rate = 1e6\n'


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("name", shipped_profiles())
def test_what_ships_is_complete(name):
    profile = load_profile(name)
    assert parse_radio(profile.address).kind == profile.device.radio
    for direction in ("tx", "rx"):
        assert profile.direction(direction).frequency > 0 and profile.direction(direction).gains
    assert profile.calibration is None  # no two devices are alike


@pytest.mark.parametrize(
    ("kind", "place", "name"),
    [
        ("soapy", "driver=hackrf,serial=0000", "hackrf"),
        ("soapy", "type=b200,driver=uhd", "b210"),
        ("soapy", "driver=jscc,air=lab", "virtual"),
        ("soapy", "driver=jscc,air=lab,model=hackrf", "virtual-hackrf"),
        ("uhd", "type=b200,serial=30ABCDE", "b210-uhd"),
    ],
)
def test_a_device_without_a_profile_gets_the_one_that_fits(kind, place, name):
    assert default_profile(kind, place) == load_profile(name)


def test_an_unknown_device_needs_a_profile():
    with pytest.raises(ProfileError, match="no profile ships for soapy:driver=lime: give --profile NAME or FILE"):
        default_profile("soapy", "driver=lime")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = [", "not a TOML file"),
        ("", "device is missing"),
        (MINIMAL + "[antenna]\n", "unknown key antenna"),
        (MINIMAL + "rate = 1\n", "unknown key stream.rate"),
        (MINIMAL.replace("1e6", "0"), "stream.sample_rate: input should be greater than 0, not 0"),
        (MINIMAL.replace("1e6", '"fast"'), "stream.sample_rate: input should be a valid number"),
        (MINIMAL.replace("soapy", "osmo"), "device.radio: input should be 'soapy' or 'uhd', not 'osmo'"),
        (MINIMAL + "[tx]\n", "tx.frequency is missing"),
        (MINIMAL + "[tx]\nfrequency = 1e9\namplitude = 2\n", "tx.amplitude"),
        (MINIMAL + "[tx]\nfrequency = nan\n", "tx.frequency"),
        (MINIMAL + '[rx]\nfrequency = 1e9\ngains = { LNA = "loud" }\n', "rx.gains.LNA"),
        (MINIMAL + "[calibration]\ndate = 2026-01-01\n[calibration.rx]\ndc = [1]\n", "calibration.rx.dc"),
    ],
)
def test_nonsense_is_refused_in_one_line(written, text, message):
    with pytest.raises(ProfileError) as refused:
        load_profile(written(text))
    assert message in str(refused.value) and "\n" not in str(refused.value)
    assert isinstance(refused.value, UserError)


def test_a_profile_that_is_not_there(tmp_path):
    with pytest.raises(ProfileError, match="profile not found: hackrv .shipped: .*hackrf"):
        load_profile("hackrv")
    with pytest.raises(ProfileError, match="cannot read the profile .*: Is a directory"):
        load_profile(tmp_path)


def test_a_device_that_only_receives(written):
    profile = load_profile(written(MINIMAL + "[rx]\nfrequency = 1e9\n"))
    assert profile.direction("rx").frequency == 1e9
    with pytest.raises(ProfileError, match="this device does not transmit"):
        profile.direction("tx")


def test_options_change_one_direction_and_leave_the_rest():
    profile = load_profile("hackrf")
    mine = profile.adjusted("rx", frequency=868e6, sample_rate=8e6, gains={"LNA": 8}, antenna="TX/RX")
    assert mine.rx.frequency == 868e6 and mine.stream.sample_rate == 8e6
    assert mine.rx.gains == profile.rx.gains | {"LNA": 8}
    assert mine.tx == profile.tx
    assert profile.adjusted("tx") == profile
    with pytest.raises(ProfileError, match="these settings: stream.sample_rate: .* not -1"):
        profile.adjusted("rx", sample_rate=-1.0)


def test_what_is_written_is_read_again(tmp_path):
    profile = load_profile("hackrf")
    calibration = {
        "date": datetime.date(2026, 11, 1),
        "serial": "1",
        "rx": {"dc": (0.01, -0.02), "ppm": -3.5},
        "tx": {"stage": "VGA", "snr_db_by_gain": [(0, 3.0), (10, 13.0)]},
    }
    profile = type(profile).model_validate(profile.model_dump() | {"calibration": calibration})
    path = tmp_path / "mine.toml"
    save_profile(profile, path)
    assert load_profile(path) == profile and profile.address == "soapy:driver=hackrf,serial=1"
    assert [file.name for file in tmp_path.iterdir()] == ["mine.toml"]
    with pytest.raises(ProfileError, match="cannot write the profile"):
        save_profile(profile, tmp_path / "nosuch" / "mine.toml")


@pytest.mark.parametrize(
    ("days", "serial", "lines"),
    [(30, "1", []), (31, None, ["31 days old"]), (0, "2", ["for the device 1, but this one is 2"]), (0, "", [])],
)
def test_a_calibration_that_is_old_or_of_another_device_is_told(days, serial, lines):
    taken = datetime.date(2026, 1, 1)
    told = CalibrationTable(date=taken, serial="1").warnings(serial, taken + datetime.timedelta(days))
    assert len(told) == len(lines) and all(part in line for part, line in zip(lines, told))


def test_arguments_are_taken_apart():
    assert split_arguments("driver=hackrf, serial=a=b,x") == {"driver": "hackrf", "serial": "a=b", "x": ""}
    assert split_arguments("") == {}


LIMITS = Limits(
    [Range(2e6, 20e6)], [Range(1e6, 6e9)], {"LNA": Range(0, 40, 8), "AMP": Range(0, 14, 14)}, ["TX/RX"], ["internal"]
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, ""),
        ({"gains": {"LNA": 40, "AMP": 14}}, ""),
        ({"sample_rate": 1e6}, "no sample rate of 1 Msps; possible: 2 to 20 Msps"),
        ({"frequency": 7e9}, "does not tune to 7000 MHz; possible: 1 to 6000 MHz"),
        ({"gains": {"LNA": 20}}, "LNA does not take 20 dB; possible: 0 to 40 in steps of 8 dB"),
        ({"gains": {"LNA": 48}}, "LNA does not take 48 dB"),
        ({"gains": {"PGA": 1}}, "no gain stage 'PGA'; it has LNA, AMP"),
        ({"antenna": "RX2"}, "no antenna 'RX2'; it has TX/RX"),
    ],
)
def test_limits_of_a_device(written, changes, message):
    profile = load_profile(written(MINIMAL.replace("1e6", "2e6") + "[rx]\nfrequency = 1e9\n")).adjusted("rx", **changes)
    if not message:
        check_limits(LIMITS, profile, "rx")
        return
    with pytest.raises(UserError) as refused:
        check_limits(LIMITS, profile, "rx")
    assert message in str(refused.value)


def test_rates_one_by_one_are_told_in_short():
    """As SoapyHackRF tells them."""
    limits = Limits([Range(rate * 1e6, rate * 1e6) for rate in range(1, 21)])
    with pytest.raises(UserError, match="possible: 1 to 20 in steps of 1 Msps"):
        check_rate(limits, 1.5e6)
    check_rate(limits, 3e6)
    with pytest.raises(UserError, match="possible: 1, 2, 4 Msps"):
        check_rate(Limits([Range(1e6, 1e6), Range(2e6, 2e6), Range(4e6, 4e6)]), 3e6)


def test_limits_of_an_offset_and_a_clock(written):
    clock = MINIMAL.replace("1e6", '2e6\nclock_source = "gpsdo"')
    with pytest.raises(UserError, match="no clock source 'gpsdo'; it has internal"):
        check_limits(LIMITS, load_profile(written(clock + "[rx]\nfrequency = 1e9\n")), "rx")
    offset = load_profile(written(MINIMAL.replace("1e6", "2e6") + "[rx]\nfrequency = 2e6\nlo_offset = -1.5e6\n"))
    with pytest.raises(UserError, match="does not tune to 0.5 MHz"):
        check_limits(LIMITS, offset, "rx")
    check_shift(187e3, 2e6)
    with pytest.raises(UserError, match="at most 187.5 kHz"):
        check_shift(-188e3, 2e6)


def test_the_report_says_null_where_nothing_is_known():
    told = radio_report("zmq:tcp://a:1", None, None, RadioStatistics())
    assert told["overflows"] == 0
    assert all(told[key] is None for key in ("profile", "serial", "sample_rate", "frequency", "gains", "calibrated"))
    profile = load_profile("hackrf")
    told = radio_report("soapy:x=1", profile, Tuned("7", 4e6, 1e9, {"LNA": 8.0}), RadioStatistics(overflows=2))
    assert json.loads(json.dumps(told)) == {
        "address": "soapy:x=1", "profile": "HackRF One", "serial": "7", "sample_rate": 4e6, "frequency": 1e9,
        "gains": {"LNA": 8.0}, "overflows": 2, "underflows": 0, "late_bursts": 0, "lost_samples": 0, "reconnects": 0,
        "calibrated": None,
    }  # fmt: skip


def test_profiles_are_read_without_gnuradio_and_addresses_without_pydantic():
    code = (
        "import sys, gr_jscc.radio as radio; radio.parse_radio('soapy:driver=a'); print('pydantic' in sys.modules);"
        "from gr_jscc.radio.profile import load_profile; load_profile('hackrf'); print('gnuradio' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\nFalse\n", done.stderr
