"""The back-channel: typed messages between the two hosts, beside the air. See docs/reference/back-channel.md."""

from .address import BackChannelError
from .endpoint import BackChannel
from .keys import Keys, Security, make_keys, read_keys
from .message import Message, MessageError
from .messages import (
    NO_RUN,
    BurstMap,
    Bye,
    ChannelState,
    Have,
    Hello,
    RoundSent,
    SideInfo,
    Stop,
)
from .report import Report
from .state import Connected, Disconnected, RefusedPeer, State, Statistics
from .symbols import FORMATS, Symbols, quantise

__all__ = [
    "NO_RUN",
    "BackChannel",
    "BackChannelError",
    "BurstMap",
    "Bye",
    "ChannelState",
    "Connected",
    "Disconnected",
    "FORMATS",
    "Have",
    "Hello",
    "Keys",
    "Message",
    "MessageError",
    "RefusedPeer",
    "Report",
    "RoundSent",
    "Security",
    "SideInfo",
    "State",
    "Statistics",
    "Stop",
    "Symbols",
    "make_keys",
    "quantise",
    "read_keys",
]
