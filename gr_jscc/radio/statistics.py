"""What a radio did while it ran, for reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gr_jscc.radio.profile import Profile


@dataclass(frozen=True)
class RadioStatistics:
    """Counts since the flowgraph started; all 0 for radios that lose nothing.

    Attributes:
        overflows: times that the device told that received samples were lost because nobody took them.
        underflows: times that it had nothing to send in the midst of a stream.
        late_bursts: times that a burst came too late for its time and was sent again.
        lost_samples: that overflows cost, from the device's time stamps; 0 where it has none.
        reconnects: times that the device went away and came back.

    Example:
        >>> radio_report("zmq:tcp://127.0.0.1:5551", None, None, RadioStatistics(overflows=2))["overflows"]
        2
    """

    overflows: int = 0
    underflows: int = 0
    late_bursts: int = 0
    lost_samples: int = 0
    reconnects: int = 0


@dataclass(frozen=True)
class Tuned:
    """What a device was set to, as it says itself; None where it is not known, as for the virtual air of ZMQ.

    Attributes:
        serial: the device's.
        sample_rate: samples per second.
        frequency: Hz, of the middle of the band.
        gains: dB by stage.

    Example:
        >>> tuned = Tuned(sample_rate=5e6, frequency=915e6, gains={"VGA": 30.0})
        >>> radio_report("soapy:driver=hackrf", None, tuned, RadioStatistics())["gains"]
        {'VGA': 30.0}
    """

    serial: str | None = None
    sample_rate: float | None = None
    frequency: float | None = None
    gains: dict[str, float] | None = None


def radio_report(address: str, profile: Profile | None, tuned: Tuned | None, statistics: RadioStatistics) -> dict:
    """The key ``radio`` of a report; null stands for what is not known."""
    tuned = tuned or Tuned()
    calibration = profile.calibration if profile else None
    return {
        "address": address,
        "profile": profile.device.name if profile else None,
        "serial": tuned.serial,
        "sample_rate": tuned.sample_rate,
        "frequency": tuned.frequency,
        "gains": tuned.gains,
        "overflows": statistics.overflows,
        "underflows": statistics.underflows,
        "late_bursts": statistics.late_bursts,
        "lost_samples": statistics.lost_samples,
        "reconnects": statistics.reconnects,
        "calibrated": calibration.date.isoformat() if calibration else None,
    }
