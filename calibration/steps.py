"""The steps of a calibration: each sends something, measures, and says what it found."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gr_jscc.calibration import bursts, comb, compression, gain_to_snr, noise_floor, output_power, snr_estimator
from gr_jscc.calibration.carrier_offset import tone_offset
from gr_jscc.calibration.comb import CalibrationError
from gr_jscc.calibration.dc_offset import receiver_dc, transmitter_dc
from gr_jscc.calibration.iq_imbalance import receiver_iq, rejection_db, transmitter_iq
from gr_jscc.figures import Figure

if TYPE_CHECKING:
    from gr_jscc.calibration.rig import Rig
    from gr_jscc.radio.profile import CalibrationTable

LO_OFFSET = 0.15  # cycles per sample between the two radios' oscillators, so that their faults are told apart
AMPLITUDE = 0.5  # peak of the comb
SENT_DBFS = 10 * math.log10(AMPLITUDE**2 / 2)
COMB_SAMPLES = 256 * comb.PERIOD  # that are repeated
CAPTURE = 2**18  # samples
LINEAR_DB = 25.0  # of gain below the profile's, in which the output must follow the gain
LEAST_VALUES = 6  # of the converter that noise must show, or rounding is no noise
SNR_RANGE_DB = (0.0, 25.0)  # in which the estimator is tried


@dataclass
class Findings:
    """What is known so far; None or empty where nothing is.

    Attributes:
        rx, tx, link: keys of the tables of `gr_jscc.radio.profile` and their values.
        amplitude: of the transmitter for the wanted back-off.
        data: of the plots, by step.
        figures: for people and programs.
        warnings: for people, a line each.

    Example:
        >>> Findings(rx={"ppm": 1.5, "noise_dbfs": -62.0}).tuning().rx.ppm
        1.5
    """

    rx: dict = field(default_factory=dict)
    tx: dict = field(default_factory=dict)
    link: dict = field(default_factory=dict)
    amplitude: float | None = None
    data: dict = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def table(self) -> CalibrationTable:
        """As the profile will have it."""
        from gr_jscc.radio.profile import CalibrationTable

        today = datetime.datetime.now().astimezone().replace(microsecond=0)
        return CalibrationTable.model_validate({"date": today, "rx": self.rx, "tx": self.tx, "link": self.link})

    def tuning(self) -> CalibrationTable:
        """Only what tunes the receiver to the transmitter."""
        known = {"ppm": self.rx["ppm"]} if "ppm" in self.rx else {}
        return Findings(rx=known).table()


@dataclass(frozen=True)
class Wanted:
    """What a person asks for.

    Attributes:
        evm_db: distortion that the transmitter may add.
        stage: gain stage that the tables vary.
        gains: its gains in dB, ascending; at least one.

    Example:
        >>> Wanted(evm_db=-35.0, stage="VGA", gains=(0.0, 10.0, 20.0)).gains[-1]
        20.0
    """

    evm_db: float
    stage: str
    gains: tuple[float, ...]


def measure_noise(rig: Rig, findings: Findings, wanted: Wanted) -> None:
    """Noise floor of the receiver, with nothing sent."""
    capture = rig.probe(None, CAPTURE)
    found = noise_floor.noise_floor(capture.samples)
    findings.rx["noise_dbfs"] = round(found.dbfs, 2)
    findings.data["noise"] = found
    findings.figures.append(Figure("noise_dbfs", found.dbfs, "dBFS", {"spurs": len(found.spurs)}))
    if len(np.unique(capture.samples.real)) < LEAST_VALUES:
        findings.warnings.append(
            "the receiver's noise is below the resolution of its converter: raise the receive gain"
        )


def measure_carrier(rig: Rig, findings: Findings, wanted: Wanted) -> None:
    """Carrier and sample clock of the receiver against the transmitter's."""
    received = comb.receive_comb(_comb_capture(rig))
    found = tone_offset(received, LO_OFFSET, rig.frequency, rig.sample_rate)
    findings.rx["ppm"] = round(found.ppm, 4)
    findings.data["carrier"] = received, rig.sample_rate
    at = {"frequency_mhz": rig.frequency / 1e6}
    findings.figures.append(Figure("ppm", found.ppm, "ppm", at | {"of": "carrier"}))
    findings.figures.append(Figure("ppm", found.clock_ppm, "ppm", at | {"of": "sample clock"}))


def measure_dc(rig: Rig, findings: Findings, wanted: Wanted) -> None:
    """DC offset of the receiver and leakage of the transmitter's oscillator, and what correcting them leaves."""

    def levels(capture: np.ndarray, corrected: bool) -> tuple[complex, complex]:
        found = comb.receive_comb(capture)
        parts = comb.components(capture, found)
        rx, tx = receiver_dc(parts), transmitter_dc(parts, found, AMPLITUDE)
        over = {"receiver": _db(abs(rx) ** 2) - found.power_dbfs, "transmitter": _db(abs(tx) ** 2) - SENT_DBFS}
        for name, level in over.items():
            findings.figures.append(Figure("dc_dbc", level, "dB", {"of": name, "corrected": corrected}))
        return rx, tx

    before, after = _before_and_after(rig, findings, "dc", levels)
    findings.data["dc"] = before, after


def measure_iq(rig: Rig, findings: Findings, wanted: Wanted) -> None:
    """IQ imbalance of both ends, and what correcting it leaves."""

    def images(capture: np.ndarray, corrected: bool) -> tuple[complex, complex]:
        found = comb.receive_comb(capture)
        parts = comb.components(capture, found)
        rx, tx = receiver_iq(parts), transmitter_iq(parts, found)
        for name, value in (("receiver", rx), ("transmitter", tx)):
            at = {"of": name, "corrected": corrected}
            findings.figures.append(Figure("image_rejection_db", rejection_db(value), "dB", at))
        return rx, tx

    before, after = _before_and_after(rig, findings, "iq", images)
    findings.data["iq"] = before, after


def _before_and_after(
    rig: Rig, findings: Findings, key: str, measure: Callable[[np.ndarray, bool], tuple[complex, complex]]
) -> tuple[np.ndarray, np.ndarray]:
    """Measures without any correction, keeps what was found for receiver and transmitter, and measures with it.

    Returns:
        both captures.
    """
    before = _comb_capture(rig, findings.tuning())
    for kept, value in zip((findings.rx, findings.tx), measure(before, False)):
        kept[key] = _pair(value)
    known = findings.table()
    after = _comb_capture(rig, known, known)
    measure(after, True)
    return before, after


def measure_compression(rig: Rig, findings: Findings, wanted: Wanted) -> None:
    """The transmitter's 1 dB point at the profile's gains, and the power for the wanted distortion."""
    waveform = compression.staircase()
    capture = rig.probe(waveform, 3 * len(waveform), tx_calibration=findings.table()).samples
    output_power.check_level(capture)
    curve = compression.amplitude_curve(capture - capture.mean())
    point = curve.compression_dbfs
    power = compression.highest_power(curve, wanted.evm_db)
    burst_power = np.mean(np.abs(bursts.known_burst(0)) ** 2)
    findings.amplitude = round(10 ** (power / 20) / float(np.sqrt(burst_power)), 4)
    findings.data["compression"] = curve, power
    if point is None:
        findings.tx.pop("compression_dbfs", None)
        findings.tx.pop("backoff_db", None)
    else:
        findings.tx["compression_dbfs"], findings.tx["backoff_db"] = round(point, 2), round(point - power, 2)
        findings.figures.append(Figure("compression_dbfs", point, "dBFS"))
    findings.figures.append(Figure("highest_power_dbfs", power, "dBFS", {"evm_db": round(wanted.evm_db, 2)}))


def measure_power(rig: Rig, findings: Findings, wanted: Wanted) -> None:
    """Received power over the transmitter's gain."""
    table = []
    for gain, capture in _over_gains(rig, wanted, comb.comb_samples(COMB_SAMPLES, AMPLITUDE), CAPTURE // 4):
        try:
            table.append((gain, round(output_power.received_dbfs(capture, SENT_DBFS), 2)))
        except CalibrationError:
            if table:
                raise
    if len(table) < 2:
        raise CalibrationError("the test signal arrives at fewer than two gains: check the cable and the gains")
    findings.tx["stage"], findings.tx["output_dbfs_by_gain"] = wanted.stage, table
    findings.data["power"] = table
    usual = rig.tx_profile.direction("tx").gains.get(wanted.stage, wanted.gains[-1])
    linear = [row for row in table if usual - LINEAR_DB <= row[0] <= usual] or table
    worst = max(abs(error) for error in output_power.gain_errors(linear))
    findings.figures.append(Figure("gain_error_db", worst, "dB", {"stage": wanted.stage, "up_to_db": linear[-1][0]}))


def measure_snr(rig: Rig, findings: Findings, wanted: Wanted) -> None:
    """SNR at the receiver over the transmitter's gain, with the link's own signal."""
    table = []
    waveform = bursts.burst_samples() * np.float32(_amplitude(rig, findings))
    for gain, capture in _over_gains(rig, wanted, waveform, 2 * len(waveform), findings.table()):
        snr_db = gain_to_snr.link_snr_db(capture)
        if math.isfinite(snr_db):
            table.append((gain, round(snr_db, 2)))
    if not table:
        raise CalibrationError("no burst arrives at any gain: check the cable, the frequency and the gains")
    findings.tx["stage"], findings.tx["snr_db_by_gain"] = wanted.stage, table
    findings.data["snr"] = table
    findings.figures.append(Figure("highest_snr_db", max(snr for _, snr in table), "dB", {"stage": wanted.stage}))


def measure_estimator(rig: Rig, findings: Findings, wanted: Wanted) -> None:
    """The SNR estimator against known payloads, from 0 to 25 dB.

    Each SNR is reached with the lowest of two gains that is enough, and the digital level below that: as few of the
    converter's steps as possible are given away.
    """
    full = bursts.burst_samples() * np.float32(_amplitude(rig, findings))
    known = findings.table()

    def capture(gain: float, level_db: float) -> np.ndarray:
        waveform = full * np.float32(10 ** (level_db / 20))
        gains = {wanted.stage: gain}
        return rig.probe(waveform, 2 * len(full), 0.0, gains, known, known).samples

    usual = rig.tx_profile.direction("tx").gains.get(wanted.stage, wanted.gains[-1])
    reached = {gain: gain_to_snr.link_snr_db(capture(gain, 0.0)) for gain in sorted({wanted.gains[0], usual})}
    trials = []
    for snr_db in np.arange(SNR_RANGE_DB[0], SNR_RANGE_DB[1] + 1, 5.0):
        gain = next((gain for gain, most in reached.items() if most >= snr_db), None)
        if gain is None:
            continue
        trials.append(snr_estimator.estimator_trial(capture(gain, snr_db - reached[gain])))
    if not trials:
        raise CalibrationError("no burst arrives: check the cable, the frequency and the gains")
    findings.rx["snr_bias_db"] = round(float(np.mean([trial.bias_db for trial in trials])), 3)
    findings.data["estimator"] = trials
    for trial in trials:
        findings.figures.append(Figure("snr_bias_db", trial.bias_db, "dB", {"snr_db": round(trial.true_db, 1)}))


def measure_latency(rig: Rig, findings: Findings, wanted: Wanted) -> None:
    """Latency by the devices' own clocks; nothing where they have none."""
    from gr_jscc.calibration.timed_burst import latency_samples

    found = latency_samples(rig)
    if found is None:
        findings.link.pop("latency_samples", None)
        return
    findings.link["latency_samples"] = round(found, 2)
    findings.figures.append(Figure("latency_samples", found, "samples"))


@dataclass(frozen=True)
class Step:
    """A step as a person sees it.

    Attributes:
        title: what it does.
        run: does it.

    Example:
        >>> STEPS["noise"].title
        'noise floor of the receiver'
    """

    title: str
    run: Callable[[Rig, Findings, Wanted], None]


#: In an order in which each step can use what those before it found.
STEPS: dict[str, Step] = {
    "noise": Step("noise floor of the receiver", measure_noise),
    "carrier": Step("carrier frequency offset", measure_carrier),
    "dc": Step("DC offset and oscillator leakage", measure_dc),
    "iq": Step("IQ imbalance of both ends", measure_iq),
    "compression": Step("compression of the transmitter", measure_compression),
    "power": Step("transmit gain against received power", measure_power),
    "snr": Step("transmit gain against SNR", measure_snr),
    "estimator": Step("SNR estimator against truth", measure_estimator),
    "latency": Step("latency", measure_latency),
}


def _comb_capture(
    rig: Rig, rx_calibration: CalibrationTable | None = None, tx_calibration: CalibrationTable | None = None
) -> np.ndarray:
    """The comb as received beside the transmitter's oscillator."""
    waveform = comb.comb_samples(COMB_SAMPLES, AMPLITUDE)
    capture = rig.probe(
        waveform, CAPTURE, LO_OFFSET, tx_calibration=tx_calibration, rx_calibration=rx_calibration
    ).samples
    output_power.check_level(capture)
    return capture


def _over_gains(
    rig: Rig, wanted: Wanted, waveform: np.ndarray, count: int, known: CalibrationTable | None = None
) -> Iterator[tuple[float, np.ndarray]]:
    """Captures at rising gains of the transmitter, until the receiver clips."""
    for gain in wanted.gains:
        capture = rig.probe(
            waveform, count, gains={wanted.stage: gain}, tx_calibration=known, rx_calibration=known
        ).samples
        if output_power.clipped_share(capture) > 1e-4:
            return
        yield gain, capture


def _amplitude(rig: Rig, findings: Findings) -> float:
    return findings.amplitude or rig.tx_profile.direction("tx").amplitude


def _pair(value: complex) -> tuple[float, float]:
    return round(value.real, 7), round(value.imag, 7)


def _db(power: float) -> float:
    return 10 * math.log10(max(power, 1e-14))
