"""One direction of a SoapySDR device, set by a profile; without GNU Radio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gr_jscc.radio.address import RadioError
from gr_jscc.radio.conditioning import FromConverter, ToConverter
from gr_jscc.radio.limits import Limits, Range, check_frequency, check_gain, check_limits, check_shift
from gr_jscc.radio.profile import Profile, split_arguments
from gr_jscc.radio.soapy_api import explained, found_devices, has_module, missing_module, soapy
from gr_jscc.radio.statistics import Tuned

CHANNEL = 0
TIMEOUT_US = 100_000
RATE_TOLERANCE = 1e-5  # by which the device's sample rate may differ; the modem follows 50 ppm and more
_IN_USE: dict[str, str] = {}  # directions of half-duplex devices of this process


class DeviceGoneError(RadioError):
    """A device that worked and now returns errors; it may come back.

    Example:
        >>> issubclass(DeviceGoneError, RadioError)
        True
    """


@dataclass(frozen=True)
class Block:
    """What one call of `SoapyDevice.read` got.

    Attributes:
        count: samples; 0 when there were none in time.
        overflow: whether samples before these were lost.
        time: seconds of the device's clock, of the first sample; None where it does not tell.

    Example:
        >>> Block(count=0, overflow=True)
        Block(count=0, overflow=True, time=None)
    """

    count: int
    overflow: bool = False
    time: float | None = None


@dataclass(frozen=True)
class Events:
    """What a device told of the samples that it was to send.

    Attributes:
        underflows: times that it had none in the midst of a burst.
        late: when it noticed, each time, that samples came after theirs, seconds of its clock; None: not told.

    Example:
        >>> len(Events(underflows=0, late=[10.05, None]).late)
        2
    """

    underflows: int
    late: list[float | None]


class SoapyDevice:
    """Opens a device and sets it.

    Args:
        address, place: for messages, and SoapySDR's arguments.
        profile, direction: the device's, and ``tx`` or ``rx``.

    Attributes:
        conditioner: `ToConverter` or `FromConverter`, for the samples that go in or come out.
        limits, mtu: what the device can do, and samples that it takes or gives at most at once.

    Raises:
        RadioError: there is no such device, it is in use, or it cannot do what the profile says.

    Example:
        >>> from gr_jscc.radio.profile import load_profile
        >>> SoapyDevice("soapy:driver=none", "driver=none", load_profile("hackrf"), "tx")
        Traceback (most recent call last):
            ...
        gr_jscc.radio.address.RadioError: soapy:driver=none: no such device is connected: see gr-jscc devices
    """

    def __init__(self, address: str, place: str, profile: Profile, direction: Literal["tx", "rx"]) -> None:
        self.address, self.profile, self.direction = address, profile, direction
        self._api = soapy()
        self._sends = direction == "tx"
        self._way = self._api.SOAPY_SDR_TX if self._sends else self._api.SOAPY_SDR_RX
        self._table = profile.direction(direction)
        self._stream = None
        self._key = ""
        self._device = self._open(place)
        try:
            self._reserve(place)
            self.limits = limits_of(self._device, self._way)
            try:
                check_limits(self.limits, profile, direction)
            except RadioError as error:
                raise RadioError(f"{address}: {error}") from error
            self._shift = 0.0  # cycles a sample, that the samples must be shifted
            self._set_up()
            self.conditioner = (ToConverter if self._sends else FromConverter)(profile, self._shift)
            self._stream = self._device.setupStream(
                self._way, self._api.SOAPY_SDR_CF32, [CHANNEL], dict(profile.stream.arguments)
            )
            self.mtu = max(1, int(self._device.getStreamMTU(self._stream)))
        except RadioError:
            self.close()
            raise
        except (RuntimeError, ValueError, TypeError) as error:
            self.close()
            raise explained(address, error) from error
        self._has_status = True

    # ------------------------------------------------------------------------------------------------------- settings

    def _open(self, place: str):
        driver = split_arguments(place).get("driver", "")
        if not has_module(driver):
            raise RadioError(missing_module(driver))
        if not found_devices(place):
            raise RadioError(f"{self.address}: no such device is connected: see gr-jscc devices")
        try:
            return self._api.Device(place)
        except RuntimeError as error:
            raise explained(self.address, error) from error

    def _reserve(self, place: str) -> None:
        """Keeps the two directions of a half-duplex device apart."""
        if not self.profile.device.half_duplex:
            return
        key = self._serial() or place
        other = _IN_USE.get(key, self.direction)
        if other != self.direction:
            raise RadioError(
                f"{self.address}: the device is half-duplex and this program already uses it to "
                f"{'send' if other == 'tx' else 'receive'}; use one device for each direction"
            )
        self._key = _IN_USE[key] = key
        _IN_USE[key] = self.direction

    def _set_up(self) -> None:
        device, way, table, stream = self._device, self._way, self._table, self.profile.stream
        if stream.clock_source:
            device.setClockSource(stream.clock_source)
        device.setSampleRate(way, CHANNEL, stream.sample_rate)
        rate = device.getSampleRate(way, CHANNEL)
        if abs(rate - stream.sample_rate) > RATE_TOLERANCE * stream.sample_rate:
            raise RadioError(
                f"{self.address}: the device set {rate / 1e6:.9g} Msps instead of {stream.sample_rate / 1e6:.9g} Msps"
            )
        if table.antenna:
            device.setAntenna(way, CHANNEL, table.antenna)
        self._set_bandwidth()
        self._tune(table.frequency)
        for stage, gain in table.gains.items():
            device.setGain(way, CHANNEL, stage, gain)

    def _set_bandwidth(self) -> None:
        """The narrowest analog filter that lets pass all of the sample rate: drivers' own choice cuts our edges."""
        ranges = _ranges(self._device.getBandwidthRange(self._way, CHANNEL))
        if not ranges:
            return
        wanted = self.profile.stream.sample_rate + 2 * abs(self._table.lo_offset)
        fitting = [max(allowed.low, wanted) for allowed in ranges if allowed.high >= wanted]
        self._device.setBandwidth(self._way, CHANNEL, min(fitting, default=max(allowed.high for allowed in ranges)))

    def _tune(self, frequency: float) -> None:
        offset, rate = self._table.lo_offset, self.profile.stream.sample_rate
        wanted = frequency / (1 + self._ppm() * 1e-6)  # a clock that is too fast tunes too high
        if not offset:
            self._device.setFrequency(self._way, CHANNEL, wanted)
        elif "BB" in self._device.listFrequencies(self._way, CHANNEL):
            self._device.setFrequency(self._way, CHANNEL, wanted, {"OFFSET": repr(offset)})
        else:
            try:
                check_shift(offset, rate)
            except RadioError as error:
                raise RadioError(f"{self.address}: {error}") from error
            self._device.setFrequency(self._way, CHANNEL, wanted + offset)
            self._shift = (-offset if self._sends else offset) / rate
        self._frequency = frequency

    def _ppm(self) -> float:
        calibration = self.profile.calibration
        if calibration is None:
            return 0.0
        return (calibration.tx if self._sends else calibration.rx).ppm or 0.0

    def set_frequency(self, frequency: float) -> None:
        """Tunes to a frequency in Hz.

        Raises:
            RadioError: the device does not tune there.
        """
        check_frequency(self.limits, frequency)
        self._guarded(self._tune, frequency)

    def set_gain(self, stage: str, gain: float) -> None:
        """Sets a gain stage, dB.

        Raises:
            RadioError: there is no such stage, or it does not take this gain.
        """
        check_gain(self.limits, stage, gain)
        self._guarded(self._device.setGain, self._way, CHANNEL, stage, gain)

    @property
    def tuned(self) -> Tuned:
        """What the device was set to."""
        gains = {stage: self._device.getGain(self._way, CHANNEL, stage) for stage in self.limits.gains}
        return Tuned(self._serial(), self.profile.stream.sample_rate, self._frequency, gains)

    def _serial(self) -> str | None:
        info = dict(self._device.getHardwareInfo())
        return next((value for key, value in info.items() if "serial" in key.lower() and value), None)

    # ------------------------------------------------------------------------------------------------------ streaming

    def start(self) -> None:
        """Begins the stream.

        Raises:
            DeviceGoneError: the device refuses.
        """
        self._check(self._guarded(self._device.activateStream, self._stream))

    def stop(self) -> None:
        """Ends the stream; what the device has not sent by now is lost."""
        self._guarded(self._device.deactivateStream, self._stream)

    def read(self, out: np.ndarray) -> Block:
        """Reads up to complex64[n] samples as they are after `conditioner`, waiting at most `TIMEOUT_US`.

        Raises:
            DeviceGoneError: the device returns an error.
        """
        result = self._guarded(self._device.readStream, self._stream, [out], len(out), 0, TIMEOUT_US)
        if result.ret == self._api.SOAPY_SDR_OVERFLOW:
            return Block(0, overflow=True)
        if result.ret == self._api.SOAPY_SDR_TIMEOUT:
            return Block(0)
        self._check(result.ret)
        self.conditioner.process(out[: result.ret])
        timed = result.flags & self._api.SOAPY_SDR_HAS_TIME
        return Block(result.ret, time=result.timeNs * 1e-9 if timed else None)

    def write(self, samples: np.ndarray, end: bool = False, time: float | None = None) -> int:
        """Hands over complex64[n] samples from `conditioner`, waiting at most `TIMEOUT_US`.

        Args:
            samples: any number; the rest must follow where not all were taken.
            end: the last of a burst.
            time: seconds of the device's clock, at which the first is to be sent; None for at once.

        Returns:
            how many it took, and -1 where it told of an underflow instead.

        Raises:
            DeviceGoneError: the device returns an error.
        """
        flags = (self._api.SOAPY_SDR_END_BURST if end else 0) | (
            self._api.SOAPY_SDR_HAS_TIME if time is not None else 0
        )
        result = self._guarded(
            self._device.writeStream, self._stream, [samples], len(samples), flags, round((time or 0) * 1e9), TIMEOUT_US
        )
        if result.ret == self._api.SOAPY_SDR_UNDERFLOW:
            return -1
        if result.ret == self._api.SOAPY_SDR_TIMEOUT:
            return 0
        self._check(result.ret)
        return result.ret

    def events(self) -> Events:
        """What the device has told since the last call.

        Raises:
            DeviceGoneError: the device tells of an error.
        """
        underflows, late = 0, []
        while self._has_status:
            told = self._guarded(self._device.readStreamStatus, self._stream, 0)
            if told.ret == self._api.SOAPY_SDR_NOT_SUPPORTED:
                self._has_status = False
            elif told.ret == self._api.SOAPY_SDR_UNDERFLOW:
                underflows += 1
            elif told.ret == self._api.SOAPY_SDR_TIME_ERROR:
                late.append(told.timeNs * 1e-9 if told.flags & self._api.SOAPY_SDR_HAS_TIME else None)
            elif told.ret == self._api.SOAPY_SDR_STREAM_ERROR:
                self._check(told.ret)
            elif told.ret < 0:
                break  # a timeout: nothing more to tell
        return Events(underflows, late)

    def now(self) -> float | None:
        """The device's time in seconds; None where the profile or the device has no timed bursts."""
        if not self.profile.device.timed or not self._guarded(self._device.hasHardwareTime):
            return None
        return self._guarded(self._device.getHardwareTime) * 1e-9

    def close(self) -> None:
        """Gives the device back; may be called again."""
        if self._key:
            _IN_USE.pop(self._key, None)
            self._key = ""
        device, stream = self._device, self._stream
        self._device = self._stream = None
        if device is None:
            return
        try:
            if stream is not None:
                device.closeStream(stream)
            device.close()
        except RuntimeError:
            pass  # a device that is gone cannot be closed

    def _guarded(self, call, *arguments):
        try:
            return call(*arguments)
        except RuntimeError as error:
            raise DeviceGoneError(f"{explained(self.address, error)}; is it unplugged?") from error

    def _check(self, code: int) -> None:
        if code < 0:
            name = self._api.SoapySDR_errToStr(code)
            raise DeviceGoneError(f"{self.address}: the device returned {name}; is it unplugged?")


def limits_of(device, way: int) -> Limits:
    """What a direction of a SoapySDR device can do."""
    stages = device.listGains(way, CHANNEL)
    tuned = _ranges(device.getFrequencyRange(way, CHANNEL))  # of a shift in frequency below 0, too
    return Limits(
        _ranges(device.getSampleRateRange(way, CHANNEL)),
        [Range(max(0.0, one.low), one.high, one.step) for one in tuned],
        {stage: _ranges([device.getGainRange(way, CHANNEL, stage)])[0] for stage in stages},
        list(device.listAntennas(way, CHANNEL)),
        list(device.listClockSources()),
    )


def _ranges(found) -> list[Range]:
    return [Range(one.minimum(), one.maximum(), one.step()) for one in found]
