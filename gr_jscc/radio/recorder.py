"""Records samples on their way."""

from __future__ import annotations

import numpy as np
from gnuradio import gr

from gr_jscc.radio.sigmf_file import SigmfFile
from gr_jscc.scheduler.guard import guarded
from gr_jscc.scheduler.keeping import kept_while_running


@kept_while_running
class Recorder(gr.sync_block):
    """Writes samples to a recording, then passes them on: it holds all that any later block has seen.

    Streams in and out: complex64 samples.

    Args:
        file: to write to; whoever made it finishes it.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from gnuradio import blocks
        >>> graph, heard = gr.top_block(), blocks.vector_sink_c()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = SigmfFile(Path(folder, "air"), "A hundred samples")
        ...     recorder = Recorder(file)
        ...     graph.connect(blocks.vector_source_c([1j] * 100), recorder, heard)
        ...     graph.run()
        ...     file.finish()
        >>> file.samples, len(heard.data())
        (100, 100)
    """

    def __init__(self, file: SigmfFile) -> None:
        gr.sync_block.__init__(self, name="Recorder", in_sig=[np.complex64], out_sig=[np.complex64])
        self.failure: Exception | None = None
        self._file = file

    @guarded
    def work(self, input_items: list, output_items: list) -> int:
        samples = input_items[0]
        self._file.write(samples)
        output_items[0][:] = samples
        return len(samples)
