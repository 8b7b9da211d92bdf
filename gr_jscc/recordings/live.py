"""A recording of what a receiver hears, with what it made of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from gr_jscc.blocks import jscc_decoder, ofdm_demodulator
from gr_jscc.modem import VERSION
from gr_jscc.modem.numerology_file import numerology_keys
from gr_jscc.radio.recorder import Recorder
from gr_jscc.radio.sigmf_file import EXTENSION, SigmfFile
from gr_jscc.radio.sigmf_names import recording_paths
from gr_jscc.recordings.annotations import Annotations
from gr_jscc.reports.collector import Result


@dataclass(frozen=True)
class About:
    """What the user told the receiver.

    Attributes:
        weights, radio, feedback_format, originals: as they were given.
        back_channel: whether there is one.

    Example:
        >>> about = About("photo", "zmq:tcp://127.0.0.1:5551", back_channel=True, feedback_format="int8", originals="")
        >>> about.feedback_format
        'int8'
    """

    weights: str
    radio: str
    back_channel: bool
    feedback_format: str
    originals: str


class LiveRecording:
    """Samples and annotations while a receiver runs; `finish` makes a SigMF recording of them.

    Args:
        path: of either file, or the name that they share; an earlier recording there is replaced.
        demodulator, decoder: that follow; the decoder tells what it does.
        sample_rate: samples per second.
        about: what else a replay needs to know, for the metadata.
        frequency: Hz; None when unknown.
        hardware: name of the radio; "" when there is none.

    Attributes:
        block: to connect before the demodulator.
        meta: where its metadata will be.

    Raises:
        UserError: it cannot be written.

    Example:
        >>> import tempfile
        >>> demodulator, decoder = ofdm_demodulator(), jscc_decoder("separation", "jpeg:ldpc-2/3:16qam")
        >>> about = About("jpeg:ldpc-2/3:16qam", "file:air.cf32", False, "complex64", originals="")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     recording = LiveRecording(Path(folder, "heard"), demodulator, decoder, sample_rate=1e6, about=about)
        ...     recording.finish()  # nothing was heard, as `recording.block` was not connected
        ...     recording.meta.name, recording.meta.is_file(), recording.seconds
        ('heard.sigmf-meta', True, 0.0)
    """

    def __init__(
        self,
        path: Path,
        demodulator: ofdm_demodulator,
        decoder: jscc_decoder,
        sample_rate: float,
        about: About,
        frequency: float | None = None,
        hardware: str = "",
    ) -> None:
        layout, codec = demodulator.numerology, decoder.codec
        fields = {
            "core:extensions": [EXTENSION],
            **{f"jscc:{key}": value for key, value in numerology_keys(layout).items()},
            "jscc:air_version": VERSION,
            "jscc:step_samples": demodulator.demodulator.step,
            "jscc:codec": codec.name,
            "jscc:weights": about.weights or codec.weights_name,
            "jscc:weights_hash": codec.weights_hash.hex(),
            "jscc:radio": about.radio,
            "jscc:back_channel": about.back_channel,
            "jscc:feedback_format": about.feedback_format,
            "jscc:originals": about.originals,
            "jscc:threads": torch.get_num_threads(),
            "jscc:precision": codec.precision,
        }
        self.meta, _ = recording_paths(path)
        self._rate = sample_rate
        self._file = SigmfFile(path, "Pictures as received", sample_rate, frequency, hardware, fields)
        scratch = self.meta.with_name(self.meta.name + ".annotations.part")
        self._annotations = Annotations(scratch, layout, sample_rate, frequency)
        self.block = Recorder(self._file)
        decoder.keep_journal(self._annotations)

    @property
    def failure(self) -> Exception | None:
        """What ended it, or None."""
        return self.block.failure or self._annotations.failure

    @property
    def seconds(self) -> float:
        """Recorded so far."""
        return self._file.samples / self._rate

    def result(self, result: Result) -> None:
        """Notes a picture."""
        self._annotations.result(result)

    def finish(self) -> None:
        """Gives the files their names, unless something could not be written.

        Raises:
            UserError: it cannot be finished.
        """
        try:
            self._annotations.conclude()
            if self.failure is None:
                self._file.fields["jscc:samples"] = self._file.samples
                self._file.finish(self._annotations)
        finally:
            self._file.close()
            self._annotations.close()
