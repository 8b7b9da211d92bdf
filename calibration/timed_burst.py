"""One burst at a time of the device's clock, and when it was heard: for radios that know times."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from gr_jscc.calibration.bursts import known_burst, receive_bursts
from gr_jscc.calibration.comb import CalibrationError
from gr_jscc.calibration.latency import arrival
from gr_jscc.radio import parse_radio
from gr_jscc.radio.soapy_device import SoapyDevice

if TYPE_CHECKING:
    from gr_jscc.calibration.rig import Rig

AHEAD_SECONDS = 0.05, 0.15, 0.45  # in which the burst is handed over; more where it came too late
TAIL_SECONDS = 0.05  # that are listened to after it
CLOCKS_APART = 5e-3  # s between the two clocks' answers, one asked after the other, from which on they are not the same
PATIENCE = 10.0


def latency_samples(rig: Rig) -> float | None:
    """Samples from the time that a burst was to be sent to the time stamp with which it was received.

    None where the devices have no times, or clocks that do not show the same.

    Raises:
        RadioError: a device fails.
        CalibrationError: the burst does not arrive.
    """
    addresses = [parse_radio(address) for address in (rig.tx, rig.rx)]
    profiles = rig.tx_profile, rig.rx_profile
    if any(radio.kind != "soapy" for radio in addresses) or not all(one.device.timed for one in profiles):
        return None
    devices = []
    try:
        for radio, profile, direction in zip(addresses, profiles, ("tx", "rx")):
            devices.append(SoapyDevice(str(radio), radio.place, profile, direction))
        return _measured(*devices, rig.sample_rate)
    finally:
        for device in devices:
            device.close()


def _measured(sender: SoapyDevice, receiver: SoapyDevice, rate: float) -> float | None:
    receiver.start()
    sender.start()
    try:
        times = sender.now(), receiver.now()
        if None in times or abs(times[0] - times[1]) > CLOCKS_APART:
            return None
        burst = known_burst(0)
        prepared = sender.conditioner.process(burst)
        for ahead in AHEAD_SECONDS:
            # A whole sample of the clock, so that no rounding of the time stamps counts.
            when = np.ceil((sender.now() + ahead) * rate) / rate
            _write(sender, prepared, when)
            samples, first = _read_until(receiver, when + len(burst) / rate + TAIL_SECONDS)
            if not sender.events().late:
                break
        else:
            raise CalibrationError(
                f"the timed burst was late although it was sent {ahead:g} s ahead: close other programs"
            )
    finally:
        sender.stop()
        receiver.stop()
    found = receive_bursts(np.concatenate([samples, np.zeros(1, np.complex64)]))
    if not found:
        raise CalibrationError("the timed burst does not arrive: check the cable, the frequency and the gains")
    return arrival(samples, found[0]) - (when - first) * rate


def _write(sender: SoapyDevice, samples: np.ndarray, when: float) -> None:
    left, begun = samples, time.monotonic()
    while len(left):
        count = sender.write(left, end=True, time=when if len(left) == len(samples) else None)
        left = left[max(count, 0) :]
        if time.monotonic() - begun > PATIENCE:
            raise CalibrationError("the transmitter does not accept the timed burst")


def _read_until(receiver: SoapyDevice, end: float) -> tuple[np.ndarray, float]:
    """Samples up to a time of the device's clock, and the time of the first."""
    parts, first, begun = [], None, time.monotonic()
    out = np.empty(65_536, np.complex64)
    rate = receiver.profile.stream.sample_rate
    due = None
    while due is None or due < end:
        block = receiver.read(out)
        if time.monotonic() - begun > PATIENCE:
            raise CalibrationError("the receiver's samples have no time stamps")
        if not block.count:
            continue
        if block.time is not None and (due is None or abs(block.time - due) * rate > 0.5):
            parts, first = [], block.time  # the beginning, or after a loss
            due = block.time
        if due is None:
            continue
        parts.append(out[: block.count].copy())
        due += block.count / rate
    return np.concatenate(parts), first
