"""The back-channel: typed messages between the two hosts, beside the air. See docs/reference/back-channel.md."""

from gr_jscc.link.back_channel.address import BackChannelError
from gr_jscc.link.back_channel.endpoint import BackChannel
from gr_jscc.link.back_channel.hello import NO_RUN, Hello
from gr_jscc.link.back_channel.keys import Keys, Security, make_keys, read_keys
from gr_jscc.link.back_channel.message import Message, MessageError
from gr_jscc.link.back_channel.messages import (
    BurstMap,
    Bye,
    ChannelState,
    Have,
    RoundSent,
    SideInfo,
    Stop,
)
from gr_jscc.link.back_channel.report import Report
from gr_jscc.link.back_channel.state import Connected, Disconnected, RefusedPeer, State, Statistics
from gr_jscc.link.back_channel.symbols import FORMATS, Symbols, quantise

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
