"""One direction of a simulated air between two radios, in GNU Radio."""

from __future__ import annotations

import threading

from gnuradio import gr

from gr_jscc.blocks.impaired_stream import ImpairedStream
from gr_jscc.channel import Scenario
from gr_jscc.channel.burst_finder import BurstFinder
from gr_jscc.flowgraphs.ends import end_failure
from gr_jscc.modem import DEFAULT_NUMEROLOGY, Numerology
from gr_jscc.radio import radio_sink, radio_source
from gr_jscc.radio.pace import Pace
from gr_jscc.scheduler.pacing import BUFFER_ITEMS


class ChannelFlowgraph(gr.top_block):
    """Samples of a radio through a scenario to another.

    Args:
        source, sink: addresses of the radios, see `gr_jscc.radio`.
        scenario: what happens to the samples. Bursts, which it may follow, are found by their preambles.
        pace: samples per second at most; None for as fast as it goes.
        numerology: of the bursts.

    Raises:
        RadioError: an address makes no sense, or cannot be opened.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> noisy = Scenario({"awgn": {"snr_db": 10}})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.ones(5000, np.complex64).tofile(f"{folder}/sent.cf32")
        ...     graph = ChannelFlowgraph(f"file:{folder}/sent.cf32", f"file:{folder}/heard.cf32", noisy)
        ...     graph.run()
        ...     graph.finish(patience=5.0), graph.samples >= 5000, graph.bursts
        (True, True, 0)
    """

    def __init__(
        self,
        source: str,
        sink: str,
        scenario: Scenario,
        pace: float | None = None,
        numerology: Numerology = DEFAULT_NUMEROLOGY,
    ) -> None:
        gr.top_block.__init__(self, "JSCC channel")
        self._finder = BurstFinder(numerology)
        self._source = radio_source(source, silence=self._finder.delay)
        self._stream = ImpairedStream(scenario, finder=self._finder)
        self._stream.set_log_level("warn")  # the next line would be announced on standard output
        self._stream.set_min_output_buffer(BUFFER_ITEMS)
        self._sink = radio_sink(sink)
        self._pace = [Pace(pace)] if pace else []
        self.connect(self._source, self._stream, *self._pace, self._sink)
        self._waiting: threading.Thread | None = None

    def start(self, *arguments: object) -> None:
        super().start(*arguments)
        self._waiting = threading.Thread(target=self.wait, daemon=True)
        self._waiting.start()

    @property
    def ended(self) -> bool:
        """Whether the flowgraph ran and came to its end, by itself or stopped."""
        return self._waiting is not None and not self._waiting.is_alive()

    @property
    def failure(self) -> Exception | None:
        """What a block failed with."""
        return end_failure(self._source, self._stream, *self._pace, self._sink)

    @property
    def samples(self) -> int:
        """Samples that came out so far."""
        return self._stream.nitems_written(0)

    @property
    def bursts(self) -> int:
        """Bursts that were seen so far."""
        return self._finder.found

    @property
    def erased(self) -> int:
        """Bursts that were erased so far."""
        return self._stream.erased

    def finish(self, patience: float) -> bool:
        """Ends the flowgraph and completes what its sink sent, see `gr_jscc.radio.radio_sink`."""
        if self._waiting is not None:
            self.stop()
            self._waiting.join()
        return self._sink.finish(patience)
