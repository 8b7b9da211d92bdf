"""GNU Radio blocks: thin, one a file. They move data; the maths is elsewhere in the package.

Ports between them:

    image_source ─image→ jscc_encoder ═symbols═ ofdm_modulator ═samples═ … ═samples═ ofdm_demodulator
                 ←ready─      │                       │                                  ║ symbols, noise_var
                              └─sent→ (image sink) ←air─┘        (image sink) ←received─ jscc_decoder

The image sink hears all three on its port ``events``. There are two: `image_file_sink`, and for windows
`gr_jscc.blocks.image_view_sink.image_view_sink`, which is not imported here because it needs PyQt5.

`channel_impairments` can stand where the dots are.

On two hosts the image sink hears only ``received``; encoder, decoder and sink each exchange messages with the
`back_channel` of their host (``to_back_channel`` → ``send``, ``received`` → ``from_back_channel``), and the encoder
hears the modulator's ``air``.

Images travel as messages, symbols and samples as streams, so that a slow block holds back the ones
before it. A stream of symbols is cut into bursts by tags, see `gr_jscc.scheduler.tags`.
"""

from gr_jscc.blocks.back_channel import back_channel
from gr_jscc.blocks.channel_impairments import channel_impairments
from gr_jscc.blocks.event_queue import event_queue
from gr_jscc.blocks.image_file_sink import image_file_sink
from gr_jscc.blocks.image_source import image_source
from gr_jscc.blocks.jscc_decoder import jscc_decoder
from gr_jscc.blocks.jscc_encoder import jscc_encoder
from gr_jscc.blocks.ofdm_demodulator import ofdm_demodulator
from gr_jscc.blocks.ofdm_modulator import ofdm_modulator

__all__ = [
    "back_channel",
    "channel_impairments",
    "event_queue",
    "image_file_sink",
    "image_source",
    "jscc_decoder",
    "jscc_encoder",
    "ofdm_demodulator",
    "ofdm_modulator",
]
