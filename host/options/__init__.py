"""Options that several programs share, and their checks; each lies with the part of the link that it is for."""

from gr_jscc.host.options.air import (
    HIGHEST_HZ,
    Cfo,
    Channel,
    Loss,
    SampleRate,
    Scenario,
    Seed,
    Snr,
    check_snr,
)
from gr_jscc.host.options.codec import (
    CODEC_HELP,
    Cbr,
    CbrMax,
    Codec,
    Device,
    Eta,
    Refine,
    Weights,
    check_device,
    parse_cbr,
)
from gr_jscc.host.options.common import Images, Json, Quiet, check_choice, stopped_by_signals
from gr_jscc.host.options.link import BackChannel, ControlSnr, Insecure, Keys, Patience

__all__ = [
    "CODEC_HELP",
    "HIGHEST_HZ",
    "BackChannel",
    "Cbr",
    "CbrMax",
    "Cfo",
    "Channel",
    "Codec",
    "ControlSnr",
    "Device",
    "Eta",
    "Images",
    "Insecure",
    "Json",
    "Keys",
    "Loss",
    "Patience",
    "Quiet",
    "Refine",
    "SampleRate",
    "Scenario",
    "Seed",
    "Snr",
    "Weights",
    "check_choice",
    "check_device",
    "check_snr",
    "parse_cbr",
    "stopped_by_signals",
]
