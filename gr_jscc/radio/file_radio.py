"""Recordings as radios: SigMF where the path ends as SigMF's files do; else raw complex64 samples, little-endian,
nothing else in the file (GNU Radio's file blocks, ``.cf32``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from gnuradio import gr

from gr_jscc.radio.address import RadioAddress, RadioError
from gr_jscc.radio.sample_file import SampleFile
from gr_jscc.radio.sigmf_file import SigmfFile, read_recording
from gr_jscc.radio.sigmf_names import DATA, META, is_sigmf
from gr_jscc.radio.statistics import RadioStatistics, Tuned
from gr_jscc.radio.stored_samples import Part, StoredSamples, stored_samples
from gr_jscc.scheduler.guard import WORK_DONE, guarded, warn
from gr_jscc.scheduler.keeping import kept_while_running
from gr_jscc.scheduler.pacing import BUFFER_ITEMS

if TYPE_CHECKING:
    from gr_jscc.radio.profile import Profile


@kept_while_running
class FileSink(gr.sync_block):
    """Writes samples to a file, which gets its name by `finish`: nothing half-written stands there.

    Args:
        file: to write to.

    Attributes:
        statistics, tuned: as of other radios.

    Example:
        >>> import tempfile
        >>> from gnuradio import blocks
        >>> graph = gr.top_block()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     radio = sink(RadioAddress("file", f"{folder}/air.cf32"))
        ...     graph.connect(blocks.vector_source_c([1j] * 100), radio)
        ...     graph.run()
        ...     radio.finish(), Path(folder, "air.cf32").stat().st_size
        (True, 800)
    """

    statistics = RadioStatistics()
    tuned = None

    def __init__(self, file: SampleFile | SigmfFile) -> None:
        gr.sync_block.__init__(self, name="File Radio Sink", in_sig=[np.complex64], out_sig=None)
        self.failure: Exception | None = None
        self._file = file

    @guarded
    def work(self, input_items: list, output_items: list) -> int:
        self._file.write(input_items[0])
        return len(input_items[0])

    @property
    def taken(self) -> int:
        """Samples taken from the flowgraph so far."""
        return self.nitems_read(0)

    def finish(self, patience: float = 5.0) -> bool:
        """Closes the file and gives it its name; False, and it keeps the other, where writing had failed.

        Raises:
            RadioError: it cannot be renamed.
        """
        if self._file.closed:
            return self.failure is None
        if self.failure is not None:
            self._file.close()
            return False
        self._file.finish()
        return True


@kept_while_running
class FileSource(gr.sync_block):
    """Reads samples to the end of the file, then ends the flowgraph.

    Args:
        stored: the samples.
        silence: zeros that follow them.
        tuned: what is known of the radio that they come from.

    Attributes:
        statistics, tuned: as of other radios; the sample rate and frequency are the recording's.

    Example:
        >>> import tempfile
        >>> from gnuradio import blocks
        >>> graph, heard = gr.top_block(), blocks.vector_sink_c()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.ones(100, np.complex64).tofile(f"{folder}/air.cf32")
        ...     radio = source(RadioAddress("file", f"{folder}/air.cf32"), silence=20)
        ...     graph.connect(radio, heard)
        ...     graph.run()
        >>> len(heard.data())
        120
    """

    statistics = RadioStatistics()

    def __init__(self, stored: StoredSamples, silence: int = 0, tuned: Tuned | None = None) -> None:
        gr.sync_block.__init__(self, name="File Radio Source", in_sig=None, out_sig=[np.complex64])
        self.failure: Exception | None = None
        self.tuned = tuned
        self._stored, self._silence = stored, silence
        self._next = 0
        if stored.remark:
            warn(self, stored.remark)
        self.set_log_level("warn")  # the next line would be announced on standard output
        self.set_min_output_buffer(BUFFER_ITEMS)

    @guarded
    def work(self, input_items: list, output_items: list) -> int:
        out = output_items[0]
        samples = self._stored.read(self._next, len(out))
        count = len(samples)
        out[:count] = samples
        self._next += count
        if not count:
            count = min(self._silence, len(out))
            out[:count] = 0
            self._silence -= count
        return count or WORK_DONE


def sink(address: RadioAddress, profile: Profile | None = None, reconnect: bool = False) -> FileSink:
    """See `gr_jscc.radio.radio_sink`; the profile says what stands in the metadata."""
    path = Path(address.place)
    if not is_sigmf(path):
        return FileSink(SampleFile(path))
    if path.suffix.lower() not in (META, DATA):
        raise RadioError(f"cannot write {path}: a recording is written as NAME{META} and NAME{DATA}")
    rate = profile.stream.sample_rate if profile else None
    frequency = profile.direction("tx").frequency if profile else None
    return FileSink(SigmfFile(path, "Pictures as sent", rate, frequency))


def source(address: RadioAddress, silence: int, profile: Profile | None = None, reconnect: bool = False) -> FileSource:
    """See `gr_jscc.radio.radio_source`; a recording says its rate and frequency itself."""
    path = Path(address.place)
    if not is_sigmf(path):
        return FileSource(stored_samples(Part.whole(path)), silence)
    recording = read_recording(path)
    return FileSource(recording.stored, silence, Tuned(None, recording.sample_rate, recording.frequency))
