"""What the flowgraphs of the two hosts have in common: a radio and a back-channel."""

from __future__ import annotations

from gnuradio import gr

from gr_jscc.blocks import back_channel
from gr_jscc.flowgraphs.ends import end_failure
from gr_jscc.link.back_channel import BackChannelError
from gr_jscc.radio.choice import RadioChoice
from gr_jscc.radio.statistics import radio_report

TAIL_SECONDS = 10.0  # without a sample to the radio, after which it is taken to want no more


class HostFlowgraph(gr.top_block):
    """What transmitting and receiving hosts have in common.

    Attributes:
        channel: the back-channel's block; None without one.
        choice: the radio as it was chosen, and ``radio``, its block.
        own_blocks: that may fail.

    Example:
        >>> from gr_jscc.flowgraphs.transmitting_host import TransmitFlowgraph
        >>> issubclass(TransmitFlowgraph, HostFlowgraph)
        True
    """

    channel: back_channel | None
    choice: RadioChoice
    radio: gr.basic_block
    own_blocks: list

    def check(self) -> None:
        """Raises what a block failed with.

        Raises:
            Exception: of a block.
        """
        if failure := end_failure(*self.own_blocks):
            raise failure

    def check_peer(self) -> None:
        """For a host that can go on with no other peer.

        Raises:
            BackChannelError: the peer refused, or was refused.
        """
        if self.channel is not None and self.channel.refusal:
            raise BackChannelError(self.channel.refusal)

    @property
    def sample_rate(self) -> float:
        """Samples per second: the device's own, else as it was chosen."""
        return (self.radio.tuned and self.radio.tuned.sample_rate) or self.choice.sample_rate

    @property
    def connected(self) -> bool | None:
        """Whether the back-channel's other end is there; None without a back-channel."""
        return None if self.channel is None else self.channel.connected

    @property
    def away(self) -> bool:
        """Whether the radio is gone and waited for."""
        return getattr(self.radio, "away", False)

    def give_back(self) -> None:
        """Closes a device, so that others can have it while this program goes on."""
        if self.choice.is_device and hasattr(self.radio, "close"):
            self.radio.close()

    def radio_report(self) -> dict:
        """The key ``radio`` of a report, as things are now."""
        return radio_report(self.choice.address, self.choice.profile, self.radio.tuned, self.radio.statistics)

    def radio_warnings(self) -> list[str]:
        """What speaks against the calibration that is used."""
        calibration = self.choice.profile.calibration if self.choice.profile else None
        return calibration.warnings(self.radio.tuned and self.radio.tuned.serial) if calibration else []
