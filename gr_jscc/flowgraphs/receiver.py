"""The whole receiver as one block: complex baseband samples in, pictures and reports out."""

from __future__ import annotations

from gnuradio import gr

from gr_jscc.blocks import back_channel, jscc_decoder, ofdm_demodulator
from gr_jscc.blocks.image_sink import ImageSink
from gr_jscc.flowgraphs.ends import end_failure, join


class jscc_receiver(gr.hier_block2):  # noqa: N801
    """Samples to pictures: `ofdm_demodulator`, `jscc_decoder`, an image sink, and `back_channel` where there is one::

        samples ═▶ ofdm_demodulator ═symbols, noise_var═ jscc_decoder ─▶ image sink
                         ║                                   │ ▲             │
                         ╚═▶ symbols                     back_channel ◀──────┘

    Stream in: complex64 samples. Stream out: the equalised symbols, complex64, for a constellation. Message ports:
    ``events`` in, from the transmitter's when it is in the same flowgraph; ``received`` out, the decoder's pictures.

    Args:
        decoder: how rounds are decoded.
        sink: what becomes of pictures: `image_file_sink`, or the window of `image_view_sink`.
        demodulator: how samples become symbols; None for the default numerology.
        channel: the back-channel, for a decoder that has one; None for none.

    Attributes:
        decoder, sink, demodulator, channel: as given.

    Example:
        >>> from gr_jscc.blocks import image_file_sink, jscc_decoder
        >>> jscc_receiver(jscc_decoder("deepjscc"), image_file_sink("")).failure is None
        True
    """

    def __init__(
        self,
        decoder: jscc_decoder,
        sink: ImageSink,
        demodulator: ofdm_demodulator | None = None,
        channel: back_channel | None = None,
    ) -> None:
        samples = gr.io_signature(1, 1, gr.sizeof_gr_complex)
        gr.hier_block2.__init__(self, "JSCC Receiver", samples, samples)
        self.message_port_register_hier_in("events")
        self.message_port_register_hier_out("received")
        self.decoder, self.sink, self.channel = decoder, sink, channel
        self.demodulator = demodulator or ofdm_demodulator()
        self.connect(self, self.demodulator)
        self.connect((self.demodulator, 0), (decoder, 0))
        self.connect((self.demodulator, 1), (decoder, 1))
        self.connect((self.demodulator, 0), self)
        self.msg_connect(self.demodulator, "progress", decoder, "progress")
        self.msg_connect(self, "events", sink, "events")
        self.msg_connect(decoder, "received", sink, "events")
        self.msg_connect(decoder, "received", self, "received")
        join(self, decoder, channel)
        join(self, sink, channel)
        if channel is not None:
            channel.numerology = self.demodulator.numerology

    @property
    def failure(self) -> Exception | None:
        """What a block in it failed with, or None."""
        return end_failure(self.demodulator, self.decoder, self.sink, self.channel)

    def set_snr_db(self, snr_db: float) -> None:
        """Tells the reports to come about a new SNR."""
        self.sink.set_snr_db(snr_db)
