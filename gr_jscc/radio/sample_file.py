"""Files of samples that are being written: nothing half-written stands under the final name."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gr_jscc.files.locks import open_alone
from gr_jscc.files.whole import put_in_place
from gr_jscc.radio.address import RadioError


class SampleFile:
    """Writes samples to PATH.part, which `finish` renames to PATH.

    Args:
        path: an earlier file there is replaced when the new one is finished.

    Attributes:
        samples: written so far.

    Raises:
        RadioError: it cannot be written, or another program is writing it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = SampleFile(Path(folder, "air.cf32"))
        ...     file.write(np.ones(100, np.complex64))
        ...     file.path.exists(), file.part.exists()
        ...     file.finish()
        ...     file.path.stat().st_size
        (False, True)
        800
    """

    def __init__(self, path: Path) -> None:
        self.path, self.part = path, path.with_name(path.name + ".part")
        self.samples = 0
        if path.exists() and not path.is_file():
            raise RadioError(f"cannot write {path}: not a regular file")
        try:
            self._file = open_alone(self.part)
        except BlockingIOError as error:
            raise RadioError(f"cannot write {path}: another program is writing it") from error
        except OSError as error:
            raise RadioError(f"cannot write {self.part}: {error.strerror}") from error

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written."""
        return self._file.closed

    def write(self, samples: np.ndarray) -> None:
        """Appends complex64[n].

        Raises:
            RadioError: it cannot be written.
        """
        left = memoryview(np.ascontiguousarray(samples).view(np.uint8))
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise RadioError(f"cannot write {self.part}: {error.strerror}") from error
        self.samples += len(samples)

    def close(self) -> None:
        """Ends it as it stands; without `finish` it keeps the name of a part."""
        self._file.close()

    def finish(self) -> None:
        """Ends it and gives it its name.

        Raises:
            RadioError: it cannot be renamed.
        """
        replace(self.part, self.path)
        self.close()  # only now, so that no other program begins to write the part


def replace(part: Path, path: Path) -> None:
    """Gives a finished file its name.

    Raises:
        RadioError: it cannot be renamed.
    """
    try:
        put_in_place(part, path)
    except OSError as error:
        raise RadioError(f"cannot write {path}: {error.strerror}") from error
