"""Image files as messages, one whenever the encoder is ready for it."""

from __future__ import annotations

import pmt
from gnuradio import gr

from gr_jscc.blocks.guard import guarded
from gr_jscc.blocks.tags import image_message, notice
from gr_jscc.file_names import readable
from gr_jscc.imaging import expand_inputs, load_image


class image_source(gr.basic_block):  # noqa: N801 (GNU Radio names blocks so)
    """Reads images and hands them out one by one.

    Message ports: ``ready`` in, each message asks for one image; ``image`` out, (dictionary with
    ``name``, ``height``, ``width`` . u8vector of H·W·3 RGB bytes), and after the last one a message
    whose dictionary holds ``end``.

    Args:
        paths: files or folders of images.
        repeat: start again after the last image, for ever.

    Raises:
        ImageError: a path holds no readable image. All but the pixels are checked here, so that a
            bad path is told before anything is sent.
    """

    def __init__(self, paths: list[str], repeat: bool = False) -> None:
        gr.basic_block.__init__(self, name="JSCC Image Source", in_sig=None, out_sig=None)
        self.failure: Exception | None = None
        self.files = expand_inputs([paths] if isinstance(paths, str) else list(paths))
        self.repeat = repeat
        self._next = 0
        self._port = pmt.intern("image")
        self.message_port_register_out(self._port)
        self.message_port_register_in(pmt.intern("ready"))
        self.set_msg_handler(pmt.intern("ready"), self.handle_ready)

    @guarded
    def handle_ready(self, message: pmt.pmt_base) -> None:
        if self._next == len(self.files) and self.repeat:
            self._next = 0
        if self._next < len(self.files):
            path = self.files[self._next]
            self._next += 1
            self.message_port_pub(self._port, image_message(load_image(path), name=readable(path.name)))
        elif self._next == len(self.files):
            self._next += 1
            self.message_port_pub(self._port, notice(end=True))
