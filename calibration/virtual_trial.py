"""Faults put into virtual radios, and what the procedures recover of them; formulas: docs/guide/virtual-radio.md."""

from __future__ import annotations

import cmath
import math
import os
from dataclasses import dataclass

import numpy as np

from gr_jscc.calibration import bursts, comb, compression, snr_estimator, steps
from gr_jscc.calibration.carrier_offset import burst_offset
from gr_jscc.calibration.dc_offset import receiver_dc, transmitter_dc
from gr_jscc.calibration.iq_imbalance import receiver_iq, rejection_db, transmitter_iq
from gr_jscc.calibration.rig import Rig
from gr_jscc.calibration.timed_burst import latency_samples
from gr_jscc.radio.profile import load_profile


@dataclass(frozen=True)
class Faults:
    """What a virtual radio does wrong; the arguments of ``driver=jscc``.

    Attributes:
        ppm: by which its clock is fast.
        tx_dc, rx_dc: in units of full scale.
        tx_iq, rx_iq: gain in dB and phase in degrees of Q against I.
        noise_dbfs: of its receiver; None leaves the model's.
        compression_dbfs: its 1 dB point; None for none.
        loss_db, delay: of the path to it.

    Example:
        >>> Faults(ppm=5.0, tx_iq=(0.5, 0.0)).arguments()
        ',ppm=5.0,tx_iq_gain_db=0.5'
    """

    ppm: float = 0.0
    tx_dc: complex = 0j
    rx_dc: complex = 0j
    tx_iq: tuple[float, float] = (0.0, 0.0)
    rx_iq: tuple[float, float] = (0.0, 0.0)
    noise_dbfs: float | None = None
    compression_dbfs: float | None = None
    loss_db: float = 0.0
    delay: float = 0.0

    @classmethod
    def drawn(cls, seed: int, **more: object) -> Faults:
        """Of the size that cheap radios have, at random."""
        rng = np.random.default_rng([75, seed])
        dc = [complex(*rng.uniform(-0.02, 0.02, 2)) for _ in range(2)]
        iq = [(float(rng.uniform(-1, 1)), float(rng.uniform(-5, 5))) for _ in range(2)]
        values = {"ppm": float(rng.uniform(-20, 20)), "tx_dc": dc[0], "rx_dc": dc[1], "tx_iq": iq[0], "rx_iq": iq[1]}
        return cls(**values | more)

    def arguments(self) -> str:
        """For an address, each with a comma before it."""
        values: dict[str, float | None] = {
            "ppm": self.ppm, "noise_dbfs": self.noise_dbfs, "compression_dbfs": self.compression_dbfs,
            "loss_db": self.loss_db, "delay": self.delay,
        }  # fmt: skip
        for side in ("tx", "rx"):
            dc, iq = getattr(self, f"{side}_dc"), getattr(self, f"{side}_iq")
            values |= {f"{side}_dc_i": dc.real, f"{side}_dc_q": dc.imag}
            values |= {f"{side}_iq_gain_db": iq[0], f"{side}_iq_phase_deg": iq[1]}
        return "".join(f",{key}={value!r}" for key, value in values.items() if value)


def virtual_bench(model: str, sender: Faults, receiver: Faults, name: str = "", seed: int = 1) -> Rig:
    """Two virtual radios of a model on a cable of their own, in lockstep.

    Args:
        model: ``plain``, ``hackrf`` or ``b210``.
        sender, receiver: what they do wrong.
        name: of the air; this process's own if none.
        seed: of the noise.
    """
    profile = load_profile("virtual" if model == "plain" else f"virtual-{model}")
    name = name or f"calibration-{os.getpid()}"
    place = f"soapy:driver=jscc,model={model},air={name},pace=lockstep,seed={seed}"
    addresses = (f"{place},id={id_}{faults.arguments()}" for id_, faults in (("tx", sender), ("rx", receiver)))
    return Rig(*addresses, profile, profile)


@dataclass(frozen=True)
class Recovered:
    """What is left of faults after correction, in dB.

    Attributes:
        tx_rejection_db, rx_rejection_db: image rejection.
        tx_dc_dbc, rx_dc_dbc: over the test signal.
        ppm_error: of the carrier.

    Example:
        >>> left = Recovered(61.0, 64.5, tx_dc_dbc=-58.0, rx_dc_dbc=-62.0, ppm_error=0.01)
        >>> min(left.tx_rejection_db, left.rx_rejection_db)
        61.0
    """

    tx_rejection_db: float
    rx_rejection_db: float
    tx_dc_dbc: float
    rx_dc_dbc: float
    ppm_error: float


def recovered_front_end(rig: Rig, again: Rig, true_ppm: float) -> Recovered:
    """Measures carrier, DC and IQ step by step, as `calibrate` does, then the comb with all of it corrected.

    Args:
        rig: of virtual radios.
        again: of the same with other noise, for the last measurement.
        true_ppm: by which the receiver's clock is fast against the transmitter's.
    """
    findings = steps.Findings()
    wanted = steps.Wanted(-30.0, "", ())
    for name in ("carrier", "dc", "iq"):
        steps.STEPS[name].run(rig, findings, wanted)
    table = findings.table()
    waveform = comb.comb_samples(steps.COMB_SAMPLES, steps.AMPLITUDE)
    capture = again.probe(waveform, steps.CAPTURE, steps.LO_OFFSET, tx_calibration=table, rx_calibration=table).samples
    found = comb.receive_comb(capture)
    parts = comb.components(capture, found)
    return Recovered(
        rejection_db(transmitter_iq(parts, found)),
        rejection_db(receiver_iq(parts)),
        _db(transmitter_dc(parts, found, steps.AMPLITUDE)) - steps.SENT_DBFS,
        _db(receiver_dc(parts)) - found.power_dbfs,
        float(findings.rx["ppm"] - true_ppm),
    )


def relative_ppm(sender: Faults, receiver: Faults) -> float:
    """By how many ppm the receiver's clock is fast against the transmitter's."""
    return ((1 + receiver.ppm * 1e-6) / (1 + sender.ppm * 1e-6) - 1) * 1e6


def burst_ppm_error(rig: Rig, true_ppm: float, amplitude: float, seconds: float) -> float:
    """Error of the carrier offset taken from known bursts, ppm."""
    waveform = bursts.burst_samples() * np.float32(amplitude)
    capture = rig.probe(waveform, round(seconds * rig.sample_rate)).samples
    found = burst_offset(bursts.receive_bursts(capture), 0.0, rig.frequency, rig.sample_rate)
    return float(found.ppm - true_ppm)


def estimator_bias(rig: Rig, amplitude: float, snr_db: float) -> tuple[float, float]:
    """Bias of the SNR estimate in dB against the radio's formula, and against the known payload.

    Args:
        rig: of virtual radios without gain; the receiver's noise is `snr_db` below `amplitude`.
        amplitude: of the bursts.
        snr_db: true.
    """
    waveform = bursts.burst_samples() * np.float32(amplitude)
    trial = snr_estimator.estimator_trial(rig.probe(waveform, 2 * len(waveform)).samples)
    return trial.estimated_db - snr_db, trial.bias_db


def compression_error(rig: Rig, true_dbfs: float) -> float:
    """Error of the 1 dB point, dB; NaN where none was found."""
    waveform = compression.staircase()
    capture = rig.probe(waveform, 3 * len(waveform)).samples
    point = compression.amplitude_curve(capture - capture.mean()).compression_dbfs
    return math.nan if point is None else float(point - true_dbfs)


def latency_error(rig: Rig, true_samples: float) -> float:
    """Error of the latency, samples; NaN where the radios know no times."""
    found = latency_samples(rig)
    return math.nan if found is None else float(found - true_samples)


def _db(value: complex) -> float:
    return 20 * math.log10(max(cmath.polar(value)[0], 1e-9))
