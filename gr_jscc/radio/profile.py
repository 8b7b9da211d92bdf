"""Device profiles: TOML files that say how a radio is set, and what calibration found out about it.

The tables of a file are the attributes of `Profile`; docs/guide/radios.md explains every key.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError

from gr_jscc.errors import UserError
from gr_jscc.files.toml import first_fault, read_named
from gr_jscc.files.toml_tables import TomlTable, Whole
from gr_jscc.files.whole import write_whole

FOLDER = Path(__file__).parent / "profiles"
STALE_DAYS = 30  # after which a calibration is mentioned; temperature and ageing move gains and oscillators

Pair = Annotated[tuple[float, float], Field(strict=False, description="two numbers")]
Positive = Annotated[float, Field(gt=0)]


def _date(value: object) -> object:
    """A date in quotes is one, too; anything else is left for pydantic to judge."""
    try:
        return datetime.datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value


class ProfileError(UserError):
    """A profile cannot be read or written, or makes no sense; the message is one line for a person.

    Example:
        >>> str(ProfileError("the profile has no table [tx]"))
        'the profile has no table [tx]'
    """


class DeviceTable(TomlTable):
    """What the device is.

    Attributes:
        name: for people and reports.
        radio: kind of its address, see `gr_jscc.radio`.
        args: place of its address where the user gives none, e.g. ``driver=hackrf``.
        half_duplex: whether it either sends or receives.
        continuous: whether its transmit stream must never pause: zeros fill it between bursts.
        timed: whether bursts start at a time of the device's clock, which fills its buffers before.

    Example:
        >>> DeviceTable(name="HackRF One", radio="soapy", args="driver=hackrf").timed
        False
    """

    name: Annotated[str, Field(min_length=1)]
    radio: Literal["soapy", "uhd"]
    args: str = ""
    half_duplex: bool = False
    continuous: bool = False
    timed: bool = False


class StreamTable(TomlTable):
    """The stream of samples.

    Attributes:
        sample_rate: samples per second.
        buffer_seconds: of samples that the transmitter collects before it starts after a pause, and about what either
            side queues while the flowgraph or the device is busy.
        lead_seconds: before the time of a burst (``timed``), in which its beginning is handed over; it grows by itself
            where bursts come too late.
        clock_source: "" leaves the device's own.
        arguments: of the API's stream, e.g. SoapyHackRF's ``buffers`` or UHD's ``num_send_frames``.
        device_samples: most transmit samples that the device's driver holds; so many zeros push out the last burst.

    Example:
        >>> StreamTable(sample_rate=5e6).buffer_seconds
        0.2
    """

    sample_rate: Positive
    buffer_seconds: Annotated[float, Field(gt=0, le=10)] = 0.2
    lead_seconds: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    clock_source: str = ""
    arguments: dict[str, str] = {}
    device_samples: Annotated[Whole, Field(ge=0, le=100_000_000)] = 0


class _Direction(TomlTable):
    frequency: Positive
    lo_offset: float = 0.0
    antenna: str = ""
    gains: dict[str, float] = {}


class TxTable(_Direction):
    """The transmitter.

    Attributes:
        frequency: Hz, of the middle of the band.
        lo_offset: Hz from there to the local oscillator, which leaks.
        antenna: "" leaves the device's own.
        gains: dB by stage.
        amplitude: factor on samples whose mean power in a burst is 1: root mean square relative to digital full scale.

    Example:
        >>> TxTable(frequency=915e6, gains={"VGA": 30.0}).amplitude
        0.2
    """

    amplitude: Annotated[float, Field(gt=0, le=1)] = 0.2


class RxTable(_Direction):
    """The receiver; its attributes are those of `TxTable` without an amplitude.

    Example:
        >>> RxTable(frequency=915e6, gains={"LNA": 16.0, "VGA": 20.0}).gains["LNA"]
        16.0
    """


class RxCalibration(TomlTable):
    """What was found out about the receiver.

    Attributes:
        noise_dbfs: power of the noise at the profile's gains, dB relative to full scale.
        dc: real and imaginary part of the offset, full scale 1.
        iq: real and imaginary part of the image, see `gr_jscc.radio.correction`.
        ppm: by which the device's clock is too fast, parts per million.
        snr_bias_db: the SNR estimate minus the truth.

    Example:
        >>> RxCalibration(dc=[0.01, -0.02], ppm=1.5).dc
        (0.01, -0.02)
    """

    noise_dbfs: float | None = None
    dc: Pair | None = None
    iq: Pair | None = None
    ppm: float | None = None
    snr_bias_db: float | None = None


class TxCalibration(TomlTable):
    """What was found out about the transmitter.

    Attributes:
        dc, iq: of its imbalance, for `gr_jscc.radio.correction.predistort`.
        ppm: by which the device's clock is too fast, parts per million.
        stage: the gain stage that the tables vary; the others stood as the profile says.
        output_dbfs_by_gain: pairs of that stage's gain in dB and the power at the receiver, dBFS.
        compression_dbfs: mean power where the output is 1 dB less than a linear one's, relative to digital full scale.
        backoff_db: mean power of the profile's amplitude below that.
        snr_db_by_gain: pairs of that stage's gain in dB and the SNR at the receiver, dB.

    Example:
        >>> TxCalibration(stage="VGA", snr_db_by_gain=[(20.0, 11.5), (30.0, 21.0)]).snr_db_by_gain[1]
        (30.0, 21.0)
    """

    dc: Pair | None = None
    iq: Pair | None = None
    ppm: float | None = None
    stage: str = ""
    output_dbfs_by_gain: list[Pair] | None = None
    compression_dbfs: float | None = None
    backoff_db: float | None = None
    snr_db_by_gain: list[Pair] | None = None


class LinkCalibration(TomlTable):
    """What was found out about both together.

    Attributes:
        latency_samples: from a sample's time at the transmitter's API to that at the receiver's.

    Example:
        >>> LinkCalibration(latency_samples=431.5).latency_samples
        431.5
    """

    latency_samples: float | None = None


class CalibrationTable(TomlTable):
    """What ``gr-jscc calibrate`` found out.

    Attributes:
        date: when; an ISO date with or without a time.
        serial: of the device; "" where it has none.

    Example:
        >>> CalibrationTable(date="2026-01-02").warnings(serial=None, today=datetime.date(2026, 3, 1))
        ['the calibration is 58 days old: gr-jscc calibrate makes a new one']
    """

    date: Annotated[datetime.datetime | datetime.date, BeforeValidator(_date)]
    serial: str = ""
    rx: RxCalibration = RxCalibration()
    tx: TxCalibration = TxCalibration()
    link: LinkCalibration = LinkCalibration()

    def warnings(self, serial: str | None, today: datetime.date | None = None) -> list[str]:
        """Lines for a person: what speaks against using it for a device.

        Args:
            serial: the device's; None or "" where it is not known.
            today: the date.
        """
        today = today or datetime.date.today()
        taken = self.date.date() if isinstance(self.date, datetime.datetime) else self.date
        lines = []
        if (age := (today - taken).days) > STALE_DAYS:
            lines.append(f"the calibration is {age} days old: gr-jscc calibrate makes a new one")
        if serial and self.serial and serial != self.serial:
            lines.append(f"the calibration is for the device {self.serial}, but this one is {serial}")
        return lines


class Profile(TomlTable):
    """A radio's settings; every table is explained at its class.

    Example:
        >>> load_profile("hackrf").device.name
        'HackRF One'
    """

    device: DeviceTable
    stream: StreamTable
    tx: TxTable | None = None
    rx: RxTable | None = None
    calibration: CalibrationTable | None = None

    @property
    def address(self) -> str:
        """The radio's address where the user gives none; a calibrated one's has its serial number."""
        serial = self.calibration.serial if self.calibration else ""
        if not serial or "serial" in split_arguments(self.device.args):
            return f"{self.device.radio}:{self.device.args}"
        return f"{self.device.radio}:{','.join(filter(None, (self.device.args, f'serial={serial}')))}"

    def direction(self, name: Literal["tx", "rx"]) -> TxTable | RxTable:
        """The settings of one direction.

        Raises:
            ProfileError: the profile has none, as that of a device that only receives.
        """
        table = self.tx if name == "tx" else self.rx
        if table is None:
            what = "transmit" if name == "tx" else "receive"
            raise ProfileError(f"the profile {self.device.name!r} has no table [{name}]: this device does not {what}")
        return table

    def adjusted(
        self,
        name: Literal["tx", "rx"],
        frequency: float | None = None,
        sample_rate: float | None = None,
        gains: dict[str, float] | None = None,
        antenna: str = "",
    ) -> Profile:
        """The profile with what a user sets for one direction; None, {} and "" leave what is there.

        Raises:
            ProfileError: a value that makes no sense.
        """
        table = self.direction(name)
        changed = table.model_dump() | {"gains": table.gains | (gains or {})}
        changed |= {"frequency": frequency} if frequency is not None else {}
        changed |= {"antenna": antenna} if antenna else {}
        stream = self.stream.model_dump() | ({"sample_rate": sample_rate} if sample_rate is not None else {})
        return _validated(self.model_dump() | {name: changed, "stream": stream}, "these settings")


def shipped_profiles() -> dict[str, Path]:
    """The files of the profiles that ship, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}


def load_profile(name_or_path: str | Path) -> Profile:
    """Reads a shipped profile by name, or a TOML file by path.

    Raises:
        ProfileError: not found, not TOML, an unknown or missing key or a value that makes no sense.
    """
    path, values = read_named("profile", name_or_path, shipped_profiles(), ProfileError)
    return _validated(values, f"profile {path}")


def save_profile(profile: Profile, path: Path) -> None:
    """Writes a profile; the file is whole or not there.

    Raises:
        ProfileError: it cannot be written.
    """
    import tomlkit

    values = profile.model_dump(exclude_none=True)
    try:
        write_whole(path, tomlkit.dumps(_plain(values)))
    except OSError as error:
        raise ProfileError(f"cannot write the profile {path}: {error.strerror}") from error


def default_profile(kind: str, place: str) -> Profile:
    """The shipped profile of a device, by its address.

    The one that names most of the address's arguments and contradicts none.

    Raises:
        ProfileError: there is none.
    """
    given = split_arguments(place)
    best: tuple[int, Profile] | None = None
    for path in shipped_profiles().values():
        profile = load_profile(path)
        asked = split_arguments(profile.device.args)
        if profile.device.radio != kind or any(given.get(key) != value for key, value in asked.items()):
            continue
        if best is None or len(asked) > best[0]:
            best = len(asked), profile
    if best is None:
        shipped = ", ".join(shipped_profiles())
        raise ProfileError(f"no profile ships for {kind}:{place}: give --profile NAME or FILE (shipped: {shipped})")
    return best[1]


def split_arguments(text: str) -> dict[str, str]:
    """``"driver=hackrf, serial=1"`` as {"driver": "hackrf", "serial": "1"}; what has no "=" has the value ""."""
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _validated(values: dict, where: str) -> Profile:
    try:
        return Profile.model_validate(values)
    except ValidationError as error:
        raise ProfileError(f"{where}: {first_fault(error)}") from error


def _plain(value: object) -> object:
    """Tuples as lists, which TOML has."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value
