"""Recordings as radios: SigMF where the path ends in ``.sigmf-meta`` or ``.sigmf-data``; else raw complex64 samples,
little-endian, nothing else in the file (GNU Radio's file blocks, ``.cf32``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from gnuradio import gr

from gr_jscc.blocks.guard import WORK_DONE, guarded
from gr_jscc.blocks.pacing import BUFFER_ITEMS
from gr_jscc.radio.address import RadioAddress, RadioError
from gr_jscc.radio.sample_file import SampleFile
from gr_jscc.radio.sigmf_file import Datatype, Recording, SigmfFile, count_samples, is_sigmf, read_recording
from gr_jscc.radio.statistics import RadioStatistics, Tuned

if TYPE_CHECKING:
    from gr_jscc.radio.profile import Profile

COMPLEX64 = Datatype("cf32_le")


class FileSink(gr.sync_block):
    """Writes samples to a file, which gets its name by `finish`: nothing half-written stands there.

    Args:
        file: to write to.

    Attributes:
        statistics, tuned: as of other radios.
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


class FileSource(gr.sync_block):
    """Reads samples to the end of the file, then ends the flowgraph.

    Args:
        path: of the file.
        silence: zeros that follow its samples.
        recording: what is known of it; None where it is raw complex64.

    Attributes:
        statistics, tuned: as of other radios; the sample rate and frequency are the recording's.

    Raises:
        RadioError: it is not there, cannot be read or holds no whole number of samples.
    """

    statistics = RadioStatistics()

    def __init__(self, path: Path, silence: int = 0, recording: Recording | None = None) -> None:
        gr.sync_block.__init__(self, name="File Radio Source", in_sig=None, out_sig=[np.complex64])
        self.failure: Exception | None = None
        self.tuned = Tuned(None, recording.sample_rate, recording.frequency) if recording else None
        self.path, self._silence = path, silence
        self._datatype = recording.datatype if recording else COMPLEX64
        count_samples(path, self._datatype.sample_bytes, "complex64" if recording is None else self._datatype.name)
        try:
            self._file = open(path, "rb")
        except OSError as error:
            raise RadioError(f"cannot read {path}: {error.strerror}") from error
        self.set_log_level("warn")  # the next line would be announced on standard output
        self.set_min_output_buffer(BUFFER_ITEMS)

    @guarded
    def work(self, input_items: list, output_items: list) -> int:
        out = output_items[0]
        try:
            count = self._read(out)
        except OSError as error:
            raise RadioError(f"cannot read {self.path}: {error.strerror}") from error
        if not count:
            count = min(self._silence, len(out))
            out[:count] = 0
            self._silence -= count
        return count or WORK_DONE

    def _read(self, out: np.ndarray) -> int:
        if self._datatype.is_complex64:
            return self._file.readinto(memoryview(out.view(np.uint8))) // self._datatype.sample_bytes
        size = self._datatype.sample_bytes
        data = self._file.read(len(out) * size)
        samples = self._datatype.convert(data[: len(data) // size * size])
        out[: len(samples)] = samples
        return len(samples)


def sink(address: RadioAddress, profile: Profile | None = None, reconnect: bool = False) -> FileSink:
    """See `gr_jscc.radio.radio_sink`; the profile says what stands in the metadata."""
    path = Path(address.place)
    if not is_sigmf(path):
        return FileSink(SampleFile(path))
    rate = profile.stream.sample_rate if profile else None
    frequency = profile.direction("tx").frequency if profile else None
    return FileSink(SigmfFile(path, "Pictures as sent", rate, frequency))


def source(address: RadioAddress, silence: int, profile: Profile | None = None, reconnect: bool = False) -> FileSource:
    """See `gr_jscc.radio.radio_source`; a recording says its rate and frequency itself."""
    path = Path(address.place)
    if not is_sigmf(path):
        return FileSource(path, silence)
    recording = read_recording(path)
    return FileSource(recording.data, silence, recording)
