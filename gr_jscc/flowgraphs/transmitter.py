"""The whole transmitter as one block: images in, complex baseband samples out."""

from __future__ import annotations

from gnuradio import gr

from gr_jscc.blocks import back_channel, image_source, jscc_encoder, ofdm_modulator
from gr_jscc.flowgraphs.ends import end_failure, join


class jscc_transmitter(gr.hier_block2):  # noqa: N801 (GNU Radio names blocks so)
    """Images to samples: `image_source`, `jscc_encoder`, `ofdm_modulator`, and `back_channel` where there is one::

        paths or image ─▶ jscc_encoder ═symbols═ ofdm_modulator ═▶ samples
                               │ ▲                     │
                        back_channel ◀── air ──────────┘

    Stream out: complex64 samples. Message port ``image`` in: pictures, as `image_source` makes them, when there are no
    paths; ``events`` out: what image sinks want to hear, ``sent`` and ``air`` (see `gr_jscc.blocks`).

    Args:
        paths: files or folders of images; none when they come by ``image``.
        encoder: how they are encoded.
        modulator: how symbols become samples; None for the default numerology.
        channel: the back-channel, for an encoder that has a policy; None for none.
        repeat: start again after the last image, for ever.

    Attributes:
        source: None without paths.
        encoder, modulator, channel: as given.

    Raises:
        ImageError: a path holds no readable image.

    Example:
        >>> from gr_jscc.blocks import jscc_encoder
        >>> from gr_jscc.data import demo_image
        >>> jscc_transmitter([demo_image()], jscc_encoder("deepjscc", 1 / 12)).name()
        'JSCC Transmitter'
    """

    def __init__(
        self,
        paths: list[str],
        encoder: jscc_encoder,
        modulator: ofdm_modulator | None = None,
        channel: back_channel | None = None,
        repeat: bool = False,
    ) -> None:
        gr.hier_block2.__init__(
            self, "JSCC Transmitter", gr.io_signature(0, 0, 0), gr.io_signature(1, 1, gr.sizeof_gr_complex)
        )
        self.message_port_register_hier_in("image")
        self.message_port_register_hier_out("events")
        self.source = image_source(paths, repeat) if paths else None
        self.encoder, self.modulator, self.channel = encoder, modulator or ofdm_modulator(), channel
        if self.source is None:
            self.msg_connect(self, "image", encoder, "image")
        else:
            self.msg_connect(self.source, "image", encoder, "image")
            self.msg_connect(encoder, "ready", self.source, "ready")
        self.msg_connect(self.modulator, "air", encoder, "air")
        self.msg_connect(encoder, "sent", self, "events")
        self.msg_connect(self.modulator, "air", self, "events")
        join(self, encoder, channel)
        if channel is not None:
            channel.numerology = self.modulator.numerology
        self.connect(encoder, self.modulator, self)

    @property
    def failure(self) -> Exception | None:
        """What a block in it failed with, or None."""
        return end_failure(self.source, self.encoder, self.modulator, self.channel)

    def set_cbr(self, cbr: float) -> None:
        """Changes the rate of the images to come.

        Raises:
            CodecError: the codec does not serve it.
        """
        self.encoder.set_cbr(cbr)
