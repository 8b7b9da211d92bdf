"""Image files as messages, one whenever the encoder is ready for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pmt
from gnuradio import gr

from gr_jscc.files.left_out import left_out_line, why
from gr_jscc.files.names import readable
from gr_jscc.imaging import ImageError, expand_inputs, load_image
from gr_jscc.scheduler.guard import fail, guarded, warn
from gr_jscc.scheduler.keeping import kept_while_running
from gr_jscc.scheduler.tags import image_message, notice


@kept_while_running
class image_source(gr.basic_block):  # noqa: N801 (GNU Radio names blocks so)
    """Reads images and hands them out one by one. Those that cannot be read are left out and told.

    Message ports: ``ready`` in, each message asks for one image; ``image`` out, (dictionary with
    ``name``, ``height``, ``width`` . u8vector of H·W·3 RGB bytes), and after the last one a message
    whose dictionary holds ``end``.

    Args:
        paths: files or folders of images.
        repeat: start again after the last image, for ever.

    Attributes:
        left_out: files that could not be read, and why.

    Raises:
        ImageError: a path holds no readable image. All but the pixels are checked here, so that a
            bad path is told before anything is sent.

    Example:
        >>> from gr_jscc.data import demo_image
        >>> image_source([demo_image()]).files[0].name
        'demo.png'
    """

    def __init__(self, paths: list[str], repeat: bool = False) -> None:
        gr.basic_block.__init__(self, name="JSCC Image Source", in_sig=None, out_sig=None)
        self.failure: Exception | None = None
        self.files = expand_inputs([paths] if isinstance(paths, str) else list(paths))
        self.repeat = repeat
        self.left_out: dict[Path, str] = {}
        self._images, self._ended = self._read(), False
        self._port = pmt.intern("image")
        self.message_port_register_out(self._port)
        self.message_port_register_in(pmt.intern("ready"))
        self.set_msg_handler(pmt.intern("ready"), self.handle_ready)

    @guarded
    def handle_ready(self, message: pmt.pmt_base) -> None:
        try:
            path, image = next(self._images, (None, None))
        except ImageError as error:  # there is none: whoever waits for images waits no longer
            fail(self, error)
            image = None
        if image is not None:
            self.message_port_pub(self._port, image_message(image, name=readable(path.name)))
        elif not self._ended:
            self._ended = True
            self.message_port_pub(self._port, notice(end=True))

    def _read(self) -> Iterator[tuple[Path, np.ndarray]]:
        """The images that can be read, one after the other.

        Raises:
            ImageError: none can.
        """
        while True:
            bad = None
            for path in self.files:
                try:
                    image = load_image(path)
                except ImageError as error:
                    bad = error if bad is None else bad
                    self._leave_out(path, error)
                    continue
                self.left_out.pop(path, None)
                yield path, image
            if len(self.left_out) == len(self.files):
                raise bad
            if not self.repeat:
                return

    def _leave_out(self, path: Path, error: ImageError) -> None:
        """Notes an image that cannot be read, and tells it once."""
        news = path not in self.left_out
        self.left_out[path] = why(path, error)
        if news and len(self.left_out) < len(self.files):
            warn(self, left_out_line(list(self.left_out.items()), len(self.files)))
