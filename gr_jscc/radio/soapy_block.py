"""What a SoapySDR sink and source have in common: a device that may go away and come back."""

from __future__ import annotations

import threading
import time

from gr_jscc.radio.address import RadioAddress, RadioError
from gr_jscc.radio.limits import Limits
from gr_jscc.radio.profile import Profile
from gr_jscc.radio.soapy_api import found_devices
from gr_jscc.radio.soapy_device import DeviceGoneError, SoapyDevice
from gr_jscc.radio.statistics import RadioStatistics, Tuned
from gr_jscc.scheduler.guard import warn

STALL_SECONDS = 3.0  # without a sample, after which a device is looked for: of some that are gone nothing is told
RETRY_SECONDS = 0.5  # between attempts to reach a device that went away


class SoapyBlock:
    """A device of a block, and its settings, which it gets again when it is back.

    Example:
        >>> from gr_jscc.radio.soapy_source import SoapySource
        >>> issubclass(SoapySource, SoapyBlock)
        True
    """

    failure: Exception | None

    def _prepare(self, address: RadioAddress, profile: Profile, direction: str, reconnect: bool) -> None:
        self.failure = None
        self.away = False  # whether the device is gone and waited for
        self._address, self._profile, self._direction = address, profile, direction
        self._reconnect = reconnect
        self._progress = self._looked = time.monotonic()  # of the latest sample, and of looking for the device
        self._stopping = threading.Event()
        self._counts = dict.fromkeys(("overflows", "underflows", "late_bursts", "lost_samples", "reconnects"), 0)
        self._device = self._open()
        self._tuned = self._device.tuned

    def _open(self) -> SoapyDevice:
        return SoapyDevice(str(self._address), self._address.place, self._profile, self._direction)

    @property
    def statistics(self) -> RadioStatistics:
        return RadioStatistics(**self._counts)

    @property
    def tuned(self) -> Tuned:
        return self._tuned

    @property
    def limits(self) -> Limits:
        """What the device can do."""
        return self._device.limits

    def set_frequency(self, frequency: float) -> None:
        """Tunes to a frequency in Hz.

        Raises:
            RadioError: the device does not tune there.
        """
        self._profile = self._profile.adjusted(self._direction, frequency=frequency)
        if not self.away:
            self._device.set_frequency(frequency)
            self._tuned = self._device.tuned

    def set_gain(self, stage: str, gain: float) -> None:
        """Sets a gain stage, dB.

        Raises:
            RadioError: there is no such stage, or it does not take this gain.
        """
        self._profile = self._profile.adjusted(self._direction, gains={stage: gain})
        if not self.away:
            self._device.set_gain(stage, gain)
            self._tuned = self._device.tuned

    def set_gains(self, gains: dict[str, float]) -> None:
        """Sets several gain stages, dB; others stay.

        Raises:
            RadioError: there is no such stage, or it does not take this gain.
        """
        for stage, gain in gains.items():
            self.set_gain(stage, gain)

    def close(self) -> None:
        """Gives the device back; the block cannot run again."""
        self._device.close()

    def _look_for_the_device(self, now: float) -> None:
        """Raises: DeviceGoneError: no sample has moved for some time, and the device is not listed any more."""
        if now - max(self._progress, self._looked) > STALL_SECONDS:
            self._looked = now
            if not found_devices(self._address.place):
                raise DeviceGoneError(f"{self._address}: the device is no longer there; is it unplugged?")

    def _come_back(self) -> bool:
        """Tries once to reach the device again, after a while."""
        self._note_away()
        self._device.close()
        if self._stopping.wait(RETRY_SECONDS):
            return False
        try:
            device = self._open()
            device.start()
        except RadioError:
            return False
        self._device, self.away = device, False
        self._counts["reconnects"] += 1
        warn(self, "the radio is back", kept=True)
        return True

    def _note_away(self) -> None:
        """The device is gone and waited for."""
        if not self.away:
            self.away = True
            warn(self, "the radio has disconnected; waiting for it", kept=True)
