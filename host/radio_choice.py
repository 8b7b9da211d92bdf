"""The radio that a user's options choose, and how it is set."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gr_jscc.errors import UserError
from gr_jscc.host import options
from gr_jscc.host.options import panels
from gr_jscc.radio import parse_radio
from gr_jscc.radio.address import kind_of
from gr_jscc.radio.choice import RadioChoice

if TYPE_CHECKING:
    from gr_jscc.host.live import LiveView


def _profiles() -> Iterable[str]:
    from gr_jscc.radio.profile import shipped_profiles

    return shipped_profiles()


Radio = Annotated[
    str,
    typer.Option(
        "--radio",
        rich_help_panel=panels.RADIO,
        help="The radio: soapy:driver=NAME or uhd:ARGUMENTS for a device (see gr-jscc devices), zmq:tcp://HOST:PORT "
        "for the virtual air, or file:PATH. Default: the profile's.",
        show_default=False,
    ),
]
ProfileName = Annotated[
    str,
    typer.Option(
        "--profile",
        rich_help_panel=panels.RADIO,
        autocompletion=options.completed(_profiles),
        help="Device settings: a shipped profile (gr-jscc devices) or a TOML file; see docs/guide/radios.md.",
        show_default=False,
    ),
]
Frequency = Annotated[
    float | None,
    typer.Option(
        "--frequency",
        rich_help_panel=panels.RADIO,
        min=1.0,
        max=options.HIGHEST_HZ,
        help="Carrier frequency in Hz, instead of the profile's.",
        show_default=False,
    ),
]
SampleRate = Annotated[
    float | None,
    typer.Option(
        "--sample-rate",
        rich_help_panel=panels.RADIO,
        min=1.0,
        max=options.HIGHEST_HZ,
        help="Samples per second: for a device, instead of the profile's; otherwise for Hz and seconds in reports, "
        "default 1e6.",
        show_default=False,
    ),
]
Gain = Annotated[
    list[str] | None,
    typer.Option(
        "--gain",
        rich_help_panel=panels.RADIO,
        help="A gain stage, NAME=DB, instead of the profile's; repeat for other stages.",
        show_default=False,
    ),
]
Antenna = Annotated[
    str,
    typer.Option(
        "--antenna", rich_help_panel=panels.RADIO, help="Antenna port, instead of the profile's.", show_default=False
    ),
]
Reconnect = Annotated[
    bool,
    typer.Option(
        "--reconnect",
        rich_help_panel=panels.RADIO,
        help="Wait for a device that disconnects, and continue when it is back.",
    ),
]


def choose_radio(
    direction: Literal["tx", "rx"],
    address: str,
    profile_name: str = "",
    frequency: float | None = None,
    sample_rate: float | None = None,
    gains: list[str] | None = None,
    antenna: str = "",
    reconnect: bool = False,
    snr_db: float | None = None,
) -> RadioChoice:
    """Checks a user's options and brings them together.

    Args:
        direction: of the samples.
        address, profile_name, frequency, sample_rate, gains, antenna, reconnect: as the user gave them.
        snr_db: wanted at the receiver, for which the calibration has the transmit gain; None leaves the gain.

    Raises:
        UserError: no radio, or what makes no sense with it; among them RadioError and ProfileError.
    """
    from gr_jscc.radio.gain_choice import gain_for_snr
    from gr_jscc.radio.profile import default_profile, load_profile

    profile = load_profile(profile_name) if profile_name else None
    if not address and profile is None:
        raise UserError("which radio? Give --radio, or --profile for a device")
    address = address or profile.address
    radio = parse_radio(address)
    if not kind_of(radio.kind).device:
        if frequency is not None or gains or antenna or reconnect or snr_db is not None:
            raise UserError(
                f"--frequency, --gain, --antenna, --tx-snr and --reconnect are for devices, not for {address}"
            )
        rate = sample_rate or (profile.stream.sample_rate if profile else 1e6)
        return RadioChoice(address, profile, sample_rate=rate)
    profile = profile or default_profile(radio.kind, radio.place)
    if profile.device.radio != radio.kind:
        raise UserError(f"the profile {profile.device.name!r} is for {profile.device.radio}: radios, not for {address}")
    stages = parse_gains(gains or [])
    if snr_db is not None:
        stage, gain = gain_for_snr(profile, options.check_snr(snr_db))
        if stage in stages:
            raise UserError(f"--tx-snr sets the gain stage {stage}: remove --gain {stage}=…")
        stages[stage] = gain
    profile = profile.adjusted(direction, frequency, sample_rate, stages, antenna)
    return RadioChoice(address, profile, reconnect, profile.stream.sample_rate)


class RadioWatch:
    """Tells a person when a radio goes away and comes back, and shows what it lost.

    Example:
        >>> from types import SimpleNamespace
        >>> from gr_jscc.radio.statistics import RadioStatistics
        >>> graph = SimpleNamespace(away=True, radio=SimpleNamespace(statistics=RadioStatistics(overflows=2)))
        >>> view = SimpleNamespace(note=print, update=lambda **facts: print(facts))
        >>> RadioWatch().look(graph, view)
        the radio has disconnected; waiting for it
        {'overflows': 2, 'underflows': None}
    """

    def __init__(self) -> None:
        self._away = False

    def look(self, graph, view: LiveView) -> None:
        """Looks at a flowgraph of `gr_jscc.flowgraphs`."""
        if graph.away != self._away:
            self._away = graph.away
            view.note("the radio has disconnected; waiting for it" if self._away else "the radio is back")
        told = graph.radio.statistics
        view.update(**{name: getattr(told, name) or None for name in ("overflows", "underflows")})


def parse_gains(texts: list[str]) -> dict[str, float]:
    """Gains in dB by stage from ``NAME=DB``.

    Raises:
        UserError: another form.
    """
    gains = {}
    for text in texts:
        stage, _, value = text.partition("=")
        try:
            gain = float(value)
        except ValueError:
            gain = math.nan
        if not stage or not math.isfinite(gain):
            raise UserError(f"--gain must be NAME=DB, such as LNA=16, not {text!r}")
        gains[stage.strip()] = gain
    return gains
