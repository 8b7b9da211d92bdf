"""Recordings: raw complex64 samples, little-endian, nothing else in the file (GNU Radio's file blocks, ``.cf32``)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from gnuradio import gr

from gr_jscc.blocks.guard import WORK_DONE, guarded
from gr_jscc.blocks.pacing import BUFFER_ITEMS
from gr_jscc.radio.address import RadioAddress, RadioError
from gr_jscc.radio.statistics import RadioStatistics

if TYPE_CHECKING:
    from gr_jscc.radio.profile import Profile

SAMPLE_BYTES = np.dtype(np.complex64).itemsize


class FileSink(gr.sync_block):
    """Writes samples to PATH.part, which `finish` renames to PATH: nothing half-written stands under the final name.

    Args:
        path: an earlier file there is replaced when the new one is finished.

    Raises:
        RadioError: it cannot be written.
    """

    statistics = RadioStatistics()
    tuned = None

    def __init__(self, path: Path) -> None:
        gr.sync_block.__init__(self, name="File Radio Sink", in_sig=[np.complex64], out_sig=None)
        self.failure: Exception | None = None
        self.path, self.part = path, path.with_name(path.name + ".part")
        if path.exists() and not path.is_file():
            raise RadioError(f"cannot write {path}: it is no file")
        try:
            self._file = open(self.part, "wb", buffering=0)
        except OSError as error:
            raise RadioError(f"cannot write {self.part}: {error.strerror}") from error

    @guarded
    def work(self, input_items: list, output_items: list) -> int:
        left = memoryview(np.ascontiguousarray(input_items[0]).view(np.uint8))
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise RadioError(f"cannot write {self.part}: {error.strerror}") from error
        return len(input_items[0])

    def finish(self, patience: float = 5.0) -> bool:
        """Closes the file and gives it its name; False, and it keeps the other, where writing had failed.

        Raises:
            RadioError: it cannot be renamed.
        """
        if self._file.closed:
            return self.failure is None
        self._file.close()
        if self.failure is not None:
            return False
        try:
            os.replace(self.part, self.path)
        except OSError as error:
            raise RadioError(f"cannot write {self.path}: {error.strerror}") from error
        return True


class FileSource(gr.sync_block):
    """Reads samples to the end of the file, then ends the flowgraph.

    Args:
        path: of the file.
        silence: zeros that follow its samples.

    Raises:
        RadioError: it is not there, cannot be read or holds no whole number of samples.
    """

    statistics = RadioStatistics()
    tuned = None

    def __init__(self, path: Path, silence: int = 0) -> None:
        gr.sync_block.__init__(self, name="File Radio Source", in_sig=None, out_sig=[np.complex64])
        self.failure: Exception | None = None
        self.path, self._silence = path, silence
        try:
            if path.exists() and not path.is_file():
                raise RadioError(f"cannot read {path}: it is no file")
            self._file = open(path, "rb")
            size = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise RadioError(f"cannot read {path}: {error.strerror}") from error
        if not size or size % SAMPLE_BYTES:
            raise RadioError(f"cannot read {path}: {size} bytes are no complex64 samples of {SAMPLE_BYTES} bytes each")
        self.set_log_level("warn")  # the next line would be announced on standard output
        self.set_min_output_buffer(BUFFER_ITEMS)

    @guarded
    def work(self, input_items: list, output_items: list) -> int:
        out = output_items[0]
        try:
            count = self._file.readinto(memoryview(out.view(np.uint8))) // SAMPLE_BYTES
        except OSError as error:
            raise RadioError(f"cannot read {self.path}: {error.strerror}") from error
        if not count:
            count = min(self._silence, len(out))
            out[:count] = 0
            self._silence -= count
        return count or WORK_DONE


def sink(address: RadioAddress, profile: Profile | None = None, reconnect: bool = False) -> FileSink:
    """See `gr_jscc.radio.radio_sink`."""
    return FileSink(Path(address.place))


def source(address: RadioAddress, silence: int, profile: Profile | None = None, reconnect: bool = False) -> FileSource:
    """See `gr_jscc.radio.radio_source`."""
    return FileSource(Path(address.place), silence)
