"""Pictures between two processes over virtual radios with faults, calibrated and not, beside radios without."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gr_jscc.errors import UserError
from gr_jscc.figures import Figure
from gr_jscc.ports import free_addresses

RECEIVED_DBFS = -14.0  # mean power of bursts at the receiver: peaks of 10 dB and an offset fit in
STEPS = ("carrier", "dc", "iq")
TIMEOUT = 1800.0
MOST_BELOW_DB = 0.5


@dataclass(frozen=True)
class Radio:
    """A pair of virtual radios and how it is set.

    Attributes:
        model: of both.
        tx_faults, rx_faults: arguments that say what is wrong with them.

    Example:
        >>> Radio("hackrf", tx_faults=",ppm=8").address(air="cable", end="tx")
        'soapy:driver=jscc,model=hackrf,air=cable,pace=lockstep,id=tx,seed=7,ppm=8'
    """

    model: str
    tx_faults: str = ""
    rx_faults: str = ""

    def address(self, air: str, end: str, more: str = "") -> str:
        """Of one end, ``tx`` or ``rx``."""
        faults = self.tx_faults if end == "tx" else self.rx_faults
        return f"soapy:driver=jscc,model={self.model},air={air},pace=lockstep,id={end},seed=7{more}{faults}"


#: Of the size that cheap radios have: 20 ppm between them, images at -22 dB, leakage at -25 dBc.
FAULTS = (
    ",ppm=12,tx_dc_i=0.01,tx_dc_q=-0.008,tx_iq_gain_db=1,tx_iq_phase_deg=6",
    ",ppm=-8,rx_dc_i=-0.02,rx_dc_q=0.03,rx_iq_gain_db=-1,rx_iq_phase_deg=6",
)


def pictures(folder: Path, snr_db: float, cbr: str = "1/12") -> Iterator[Figure]:
    """PSNR over radios without faults, and of a HackRF's and a B210's kind with faults, calibrated and not.

    Args:
        folder: of pictures.
        snr_db: of the white noise at the receiver, Es/N0; what the faults add comes on top.
        cbr: of DeepJSCC.

    Raises:
        UserError: tx or rx fails.
    """
    with tempfile.TemporaryDirectory() as place:
        at = {"codec": "deepjscc", "cbr": cbr, "snr_db": snr_db}
        clean, counts = _sent(Radio("plain"), "virtual", "virtual", folder, snr_db, cbr)
        yield Figure("psnr_db", clean, "dB", at | {"radio": "no faults"} | counts)
        for model in ("hackrf", "b210"):
            radio, name = Radio(model, *FAULTS), _untimed(model, Path(place))
            tx, rx = _calibrated(radio, Path(place), name)
            for profiles, calibrated in (((tx, rx), True), ((name, name), False)):
                psnr_db, counts = _sent(radio, *profiles, folder, snr_db, cbr)
                of = at | {"radio": model, "calibrated": calibrated}
                yield Figure("psnr_db", psnr_db, "dB", of | counts)
                most = MOST_BELOW_DB if calibrated else None
                yield Figure("psnr_below_clean_db", clean - psnr_db, "dB", of, most=most)


def _air() -> str:
    return f"pictures-{os.getpid()}"


def _untimed(model: str, place: Path) -> str:
    """The file of a model's profile whose bursts begin at once: on a busy machine a time would have passed."""
    from gr_jscc.radio.profile import load_profile, save_profile

    profile, path = load_profile(f"virtual-{model}"), place / f"{model}.toml"
    save_profile(profile.model_copy(update={"device": profile.device.model_copy(update={"timed": False})}), path)
    return str(path)


def _calibrated(radio: Radio, place: Path, name: str) -> tuple[str, str]:
    """Calibrates both radios; files of their profiles."""
    from gr_jscc.calibration.device_files import DeviceFiles
    from gr_jscc.calibration.rig import Rig
    from gr_jscc.calibration.steps import STEPS as PROCEDURES
    from gr_jscc.calibration.steps import Findings, Wanted
    from gr_jscc.radio.profile import load_profile

    profile, findings = load_profile(name), Findings()
    rig = Rig(radio.address(_air(), "tx"), radio.address(_air(), "rx", ",loss_db=6"), profile, profile)
    for step in STEPS:
        PROCEDURES[step].run(rig, findings, Wanted(-30.0, "", ()))
    files = DeviceFiles.beside(place / f"{radio.model}-calibrated.toml", one_device=False)
    files.save(profile, profile, findings, ("virtual-tx", "virtual-rx"))
    return str(files.tx), str(files.rx)


def _sent(radio: Radio, tx: str, rx: str, folder: Path, snr_db: float, cbr: str) -> tuple[float, dict]:
    """Sends a folder's pictures from one process to another: mean PSNR of those that arrived, their number, and that of
    bursts which had to be sent again."""
    from gr_jscc.radio.profile import load_profile

    sent_dbfs = 20 * math.log10(load_profile(tx).direction("tx").amplitude)
    more = f",loss_db={sent_dbfs - RECEIVED_DBFS},noise_dbfs={RECEIVED_DBFS - snr_db}"
    (back,) = free_addresses(1)
    program = [sys.executable, "-m", "gr_jscc.host"]
    with tempfile.TemporaryDirectory() as out, tempfile.TemporaryFile("w+") as told:
        arguments = ["rx", "--radio", radio.address(_air(), "rx", more), "--profile", rx, "--back-channel", back]
        arguments += ["--originals", str(folder), "--out", out, "--once", "--json"]
        receiver = subprocess.Popen([*program, *arguments], stdout=told, stderr=subprocess.PIPE, text=True)
        try:
            arguments = ["tx", str(folder), "--radio", radio.address(_air(), "tx"), "--profile", tx, "--cbr", cbr]
            arguments += ["--back-channel", back, "--quiet"]
            sender = subprocess.run([*program, *arguments], capture_output=True, text=True, timeout=TIMEOUT)
            errors = receiver.communicate(timeout=TIMEOUT)[1]
        finally:
            receiver.kill()
            receiver.wait()
        if receiver.returncode:
            raise UserError(f"rx: {errors.strip() or receiver.returncode}")
        if sender.returncode not in (0, 2):  # 2: pictures that did not arrive, which is what is counted here
            raise UserError(f"tx: {sender.stderr.strip()}")
        told.seek(0)
        *reports, last = map(json.loads, told.read().splitlines())
    repeated = sum(report["bursts"]["repeated"] for report in reports)
    return (math.nan if last["psnr_db"] is None else last["psnr_db"]), {"images": last["images"], "repeated": repeated}
