"""``gr-jscc calibrate`` as a person runs it, on virtual radios."""

import json
import os

import pytest

from gr_jscc.calibration.virtual_trial import Faults
from gr_jscc.host.main import main
from gr_jscc.radio.profile import load_profile

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(150)]


@pytest.fixture
def call(capsys, monkeypatch, tmp_path):
    """Runs ``gr-jscc`` in an empty folder; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        output = capsys.readouterr()
        return ended.value.code, output.out, output.err

    return run


def address(id_, faults, model="b210", more=""):
    air = f"calibrate-{os.getpid()}"
    return f"soapy:driver=jscc,model={model},air={air},pace=lockstep,id={id_}{more}{faults.arguments()}"


SENDER = Faults(ppm=4.2, tx_dc=0.01 - 0.005j, tx_iq=(0.5, 3.0))
RECEIVER = Faults(ppm=-3.1, rx_dc=-0.02j, rx_iq=(-0.4, 2.0), loss_db=10.0)
PAIR = ["--tx", address("a", SENDER), "--rx", address("b", RECEIVER), "--profile", "virtual-b210"]


def figures(out):
    """By name and place, without how many bursts a capture held: it begins anywhere and cuts one or none."""
    found = [line for line in map(json.loads, out.splitlines()) if "figure" in line]
    return {
        (line["figure"], *(str(value) for key, value in line["at"].items() if key != "bursts")): line["value"]
        for line in found
    }


def test_two_devices_get_a_profile_each_and_the_check_finds_them_clean(call, tmp_path):
    steps = "noise,carrier,dc,iq,snr"
    code, out, err = call(
        "calibrate", *PAIR, "--out", "desk.toml", "--steps", steps, "--max-gain", 60, "--yes", "--json"
    )
    assert (code, err) == (0, "")
    found = figures(out)
    assert found["ppm", "2450.0", "carrier"] == pytest.approx(-7.3, abs=0.02)
    assert found["image_rejection_db", "receiver", "True"] >= 45
    assert sorted(path.name for path in tmp_path.iterdir()) == ["desk-rx.toml", "desk-tx.toml"]
    tx, rx = load_profile("desk-tx.toml").calibration, load_profile("desk-rx.toml").calibration
    assert (tx.serial, rx.serial) == ("virtual-a", "virtual-b")
    assert tx.tx.iq and tx.tx.stage == "PGA" and tx.rx.iq is None
    assert rx.rx.noise_dbfs and rx.rx.dc == pytest.approx((0, -0.02), abs=1e-3) and rx.tx.iq is None
    table = dict(tx.tx.snr_db_by_gain)
    assert table[max(table)] - table[min(table)] > 25

    pair = [*PAIR[:4], "--profile", "desk-rx.toml", "--tx-profile", "desk-tx.toml"]
    code, out, err = call("calibrate", *pair, "--check", "--seconds", 0, "--yes", "--json")
    assert code == 0, err
    clean = figures(out)
    code, out, err = call("calibrate", *PAIR, "--check", "--seconds", 0, "--yes", "--json")
    assert code == 0, err
    faulty = figures(out)
    assert faulty["error_db", "image"] > -30 and clean["error_db", "image"] < -45
    assert faulty["dc_dbc", "receiver"] > -15 and clean["dc_dbc", "receiver"] < -45
    assert "IQ imbalance" in json.loads(out.splitlines()[-1])["advice"]


def test_one_device_gets_one_profile_and_a_step_can_be_redone(call, tmp_path):
    loop = address("c", Faults(compression_dbfs=-6.0, noise_dbfs=-60.0), more=",loop=1")
    pair = ["--tx", loop, "--rx", loop, "--out", "one.toml", "--profile", "virtual-b210", "--yes"]
    code, out, err = call("calibrate", *pair, "--steps", "noise,latency", "--plots", "plots")
    assert code == 0 and "noise floor of the receiver: noise_dbfs" in err and "written: one.toml" in out
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["noise.png"]
    first = load_profile("one.toml")
    assert first.calibration.link.latency_samples == pytest.approx(0, abs=1) and first.tx.amplitude == 0.2

    code, out, err = call("calibrate", *pair, "--steps", "compression", "--evm", -35, "--json")
    assert (code, err) == (0, "")
    second = load_profile("one.toml")
    assert second.calibration.tx.compression_dbfs == pytest.approx(-6, abs=0.5)
    assert second.calibration.rx.noise_dbfs == first.calibration.rx.noise_dbfs
    assert second.tx.amplitude != first.tx.amplitude and second.calibration.serial == "virtual-c"


def test_a_step_that_fails_leaves_nothing(call, tmp_path):
    far = ["--tx", address("a", SENDER), "--rx", address("b", Faults(loss_db=200.0)), "--profile", "virtual-b210"]
    code, out, err = call("calibrate", *far, "--out", "far.toml", "--steps", "noise,carrier", "--yes", "--json")
    assert code == 2 and out == "" and list(tmp_path.iterdir()) == []
    assert err == (
        "gr-jscc: step carrier: the test signal does not arrive: check the cable, the frequency and the gains; "
        "nothing was written\n"
    )


def test_what_the_receiver_loses_is_not_measured(call, tmp_path):
    """One in 125 of its buffers of 2040 samples, of which a capture has 128: a gap would look like a wrong clock."""
    lossy = ["--tx", address("a", SENDER), "--rx", address("b", RECEIVER, more=",seed=5,overflow=0.008"), *PAIR[4:]]
    arguments = ["--out", "x.toml", "--steps", "carrier", "--yes", "--json"]
    code, out, err = call("calibrate", *lossy, *arguments)
    assert (code, err) == (0, "")
    assert figures(out)["ppm", "2450.0", "sample clock"] == pytest.approx(-7.3, abs=0.5)
    (tmp_path / "x-tx.toml").unlink(), (tmp_path / "x-rx.toml").unlink()

    lossy[3] = lossy[3].replace("overflow=0.008", "overflow=0.3")
    code, out, err = call("calibrate", *lossy, *arguments)
    assert code == 2 and err.count("\n") == 1 and "step carrier: the receiver keeps losing samples" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "give the profile to write with --out"),
        (["--out", "x.toml", "--steps", "noise,magic", "--yes"], "there is no step 'magic'; there are noise, carrier"),
        (["--out", "x.toml", "--stage", "XYZ", "--yes"], "no gain stage 'XYZ'; it has PGA"),
        (["--out", "x.toml", "--max-gain", -3, "--yes"], "--max-gain must be above 0 dB"),
        (["--out", "x.toml"], "give --yes"),
    ],
)
def test_bad_input_is_one_line(call, tmp_path, arguments, line):
    code, out, err = call("calibrate", *PAIR, *arguments)
    assert code == 2 and out == "" and err.count("\n") == 1 and line in err
    assert list(tmp_path.iterdir()) == []
