"""tx and rx with devices, on virtual radios: pictures arrive, reports say what the radio did, trouble is one line."""

import itertools
import json
import os

import pytest
from test_two_hosts import Programs

from gr_jscc.errors import UserError
from gr_jscc.host.main import main
from gr_jscc.host.radio_choice import choose_radio, parse_gains
from gr_jscc.imaging import save_image
from gr_jscc.radio.profile import load_profile, save_profile

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(180)]
_numbers = itertools.count()


@pytest.fixture
def air():
    """Makes addresses of virtual radios in an air of the test's own."""
    name = f"radios-{os.getpid()}-{next(_numbers)}"
    return lambda *more: ",".join([f"soapy:driver=jscc,air={name}", *more])


@pytest.fixture
def programs(tmp_path, photo):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(3):
        save_image(pictures / f"p{number}.png", photo[80 * number :, 100 * number :][:128, :192])
    made = Programs(tmp_path, pictures)
    yield made
    made.close()


def run_link(programs, rx, tx):
    """The reports, and what rx and tx told in the end."""
    back = ["--back-channel", programs.back, "--json"]
    programs.start("rx", *rx, *back, "--out", "out", "--originals", programs.pictures, "--once")
    programs.start("tx", programs.pictures, *tx, *back)
    programs.wait("tx")
    programs.wait("rx")
    last = [(programs.folder / f"{name}.log").read_text().splitlines()[-1] for name in ("rx", "tx")]
    return programs.check_complete(), *map(json.loads, last)


def test_pictures_arrive_over_bad_radios(programs, air):
    """From 8 bits and a clock that is 20 ppm off at 2.45 GHz to one that loses a buffer in fifty; both with leakage."""
    sender = air("id=t,model=hackrf,pace=lockstep,ppm=20,tx_dc_i=0.02")
    faults = "rx_dc_i=0.05,rx_iq_gain_db=0.5,rx_iq_phase_deg=3"
    receiver = air("id=r,model=b210,pace=lockstep,loss_db=42,overflow=0.02,seed=1", faults)
    reports, rx, tx = run_link(
        programs,
        ["--radio", receiver, "--profile", "virtual-b210", "--gain", "PGA=60"],
        ["--radio", sender, "--frequency", "2.45e9"],
    )
    for report in reports:
        assert report["link"]["cfo_hz"] == pytest.approx(49e3, abs=200)
        assert report["psnr_db"] > 24
        radio = report["radio"]
        assert (radio["profile"], radio["serial"], radio["sample_rate"]) == ("Virtual B210", "virtual-r", 2e6)
        assert radio["gains"] == {"PGA": 60} and radio["calibrated"] is None
    assert rx["images"] == 3 and rx["radio"]["overflows"] > 0 and rx["radio"]["lost_samples"] > 0
    assert tx["event"] == "radio" and tx["radio"]["address"] == sender and tx["radio"]["frequency"] == 2.45e9


def test_a_storm_of_faults_loses_nothing_for_good(programs, air):
    """One buffer in twelve lost, times that jump by up to a second, and calls that move a part of what they could."""
    faults, settings = "model=b210,pace=lockstep,partial=0.5", ["--profile", "virtual-b210", "--sample-rate", "250e3"]
    _, rx, _ = run_link(
        programs,
        ["--radio", air("id=r,overflow=0.08,jumps=0.05,seed=1", faults), *settings],
        ["--radio", air("id=t,seed=2", faults), *settings],
    )
    assert rx["images"] == 3 and rx["radio"]["overflows"] > 5
    assert rx["radio"]["lost_samples"] >= 2040 * rx["radio"]["overflows"]


@pytest.mark.parametrize("program", ["rx", "tx"])
def test_a_device_that_sets_another_rate_is_refused(program, air, tmp_path, photo, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_image(tmp_path / "p.png", photo[:64, :64])
    with pytest.raises(SystemExit) as exit_:
        main([program, *["p.png"] * (program == "tx"), "--radio", air("model=b210,rate_ppm=500")])
    assert exit_.value.code == 2
    assert capsys.readouterr().err.endswith("the device set 2.001 Msps instead of 2 Msps\n")


@pytest.mark.parametrize("program", ["rx", "tx"])
def test_an_unplugged_radio_is_one_line_and_exit_code_2(program, air, tmp_path, photo, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_image(tmp_path / "p.png", photo[:64, :64])
    arguments = {"rx": ["rx", "--out", "out"], "tx": ["tx", *["p.png"] * 200, "--in-flight", "1"]}[program]
    with pytest.raises(SystemExit) as exit_:
        main([*arguments, "--radio", air("unplug=1"), "--quiet"])
    err = capsys.readouterr().err
    assert exit_.value.code == 2 and err.count("\n") == 1, err
    assert err.startswith("gr-jscc: soapy:driver=jscc") and err.endswith("STREAM_ERROR; is it unplugged?\n")
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".part"]


def test_an_old_calibration_of_another_device_is_told(air, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    profile = load_profile("virtual")
    calibrated = profile.model_dump() | {"calibration": {"date": "2020-01-01", "serial": "virtual-other"}}
    save_profile(type(profile).model_validate(calibrated), tmp_path / "old.toml")
    with pytest.raises(SystemExit):
        main(["rx", "--radio", air("id=mine,unplug=0.5"), "--profile", "old.toml"])
    err = capsys.readouterr().err
    assert "days old: gr-jscc calibrate makes a new one" in err
    assert "for the device virtual-other, but this one is virtual-mine" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rx"], "which radio? Give --radio, or --profile for a device"),
        (["rx", "--profile", "nosuch"], "profile not found: nosuch (shipped: "),
        (["rx", "--profile", "virtual", "--gain", "RX"], "--gain must be NAME=DB"),
        (["rx", "--profile", "virtual", "--gain", "LNA=1"], "no gain stage 'LNA'; it has RX"),
        (["rx", "--profile", "virtual-hackrf", "--gain", "LNA=9"], "LNA does not take 9 dB"),
        (["rx", "--profile", "virtual-hackrf", "--sample-rate", "30e6"], "no sample rate of 30 Msps"),
        (["rx", "--profile", "virtual-b210", "--frequency", "10e9"], "does not tune to 10000 MHz"),
        (["rx", "--profile", "virtual-b210", "--antenna", "X"], "no antenna 'X'"),
        (["rx", "--radio", "soapy:driver=nosuch"], "no profile ships for soapy:driver=nosuch"),
        (["rx", "--radio", "soapy:driver=jscc", "--profile", "b210-uhd"], "is for uhd: radios"),
        (["rx", "--radio", "zmq:tcp://127.0.0.1:6999", "--gain", "A=1"], "are for devices"),
        (["rx", "--radio", "uhd:type=b200,serial=nosuch"], "no such device is connected"),
        (["tx", "p.png", "--profile", "virtual", "--tx-snr", "10"], "has no table of transmit gain and SNR"),
        (["tx", "p.png", "--radio", "uhd:type=b200", "--reconnect"], "to reconnect use soapy:driver=uhd"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(arguments, message, tmp_path, photo, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_image(tmp_path / "p.png", photo[:64, :64])
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    out, err = capsys.readouterr()
    assert exit_.value.code == 2 and out == "" and err.count("\n") == 1, err
    assert err.startswith("gr-jscc: ") and message in err


class TestChoice:
    def test_a_profile_alone_names_its_radio(self):
        choice = choose_radio("rx", "", "virtual-b210", gains=["PGA=12"])
        assert choice.address == "soapy:driver=jscc,model=b210" and choice.is_device
        assert choice.profile.rx.gains == {"PGA": 12} and choice.sample_rate == 2e6

    def test_other_radios_need_no_profile(self):
        choice = choose_radio("rx", "file:x", sample_rate=5e6)
        assert choice.profile is None and choice.sample_rate == 5e6 and not choice.is_device
        assert choose_radio("rx", "file:x", "hackrf").sample_rate == 4e6

    @pytest.mark.parametrize(
        ("snr_db", "gain"), [(10, 20), (14.4, 24), (3, 10), (20, 30), (20.4, 30), (2, None), (21, None)]
    )
    def test_the_calibration_tells_the_gain_for_an_snr(self, tmp_path, snr_db, gain):
        """The highest gain compresses, so that the SNR falls again: it is not used."""
        table = {"stage": "VGA", "snr_db_by_gain": [(10, 3), (20, 10), (30, 20), (40, 12)]}
        profile = load_profile("virtual-hackrf")
        calibrated = profile.model_dump() | {"calibration": {"date": "2026-01-01", "tx": table}}
        path = tmp_path / "mine.toml"
        save_profile(type(profile).model_validate(calibrated), path)
        if gain is None:
            with pytest.raises(UserError, match="outside the calibration's table, 3.0 to 20.0 dB"):
                choose_radio("tx", "", str(path), snr_db=snr_db)
            return
        assert choose_radio("tx", "", str(path), snr_db=snr_db).profile.tx.gains["VGA"] == gain
        with pytest.raises(UserError, match="remove --gain VGA"):
            choose_radio("tx", "", str(path), gains=["VGA=1"], snr_db=snr_db)

    def test_gains(self):
        assert parse_gains(["LNA=16", "VGA = -2.5"]) == {"LNA": 16, "VGA": -2.5}


def test_devices_are_listed(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["devices", "--json"])
    assert exit_.value.code == 0
    found = {device["driver"]: device for device in map(json.loads, capsys.readouterr().out.splitlines())}
    assert found["jscc"]["profiles"] == ["virtual"] and found["jscc"]["limits"]["rx"]["gains"]["RX"]["high"] == 60
    with pytest.raises(SystemExit):
        main(["devices"])
    out = capsys.readouterr().out
    assert "soapy:driver=jscc" in out and "gr-jscc tx PHOTO --profile virtual-hackrf" in out
    if set(found) == {"jscc"}:
        assert "soapysdr-module-hackrf" in out
