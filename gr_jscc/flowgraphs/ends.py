"""What transmitter and receiver have in common."""

from __future__ import annotations

from gnuradio import gr

from gr_jscc.blocks import back_channel

POLL_SECONDS = 0.2  # between two looks at a flowgraph that runs


def join(graph: gr.hier_block2, end: gr.basic_block, channel: back_channel | None) -> None:
    """Connects a block to the back-channel, both ways, where there is one."""
    if channel is not None:
        graph.msg_connect(end, "to_back_channel", channel, "send")
        graph.msg_connect(channel, "received", end, "from_back_channel")


def end_failure(*blocks: gr.basic_block | None) -> Exception | None:
    """What the first of some blocks failed with that did; None for a block stands for one that is not there."""
    return next((block.failure for block in blocks if block is not None and block.failure is not None), None)
