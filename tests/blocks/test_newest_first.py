"""A decoder of video passes over what a newer picture has overtaken."""

import numpy as np
import pytest

pytest.importorskip("gnuradio")

from gr_jscc.blocks import jscc_decoder  # noqa: E402
from gr_jscc.link.bursts import round_bursts  # noqa: E402
from gr_jscc.link.reception import ReceivingEnd  # noqa: E402
from gr_jscc.modem import ReceivedBurst  # noqa: E402

pytestmark = pytest.mark.gnuradio


def arrivals(codec, transfers):
    """Rounds of grey pictures as they come without noise, one a transfer."""
    end = ReceivingEnd(codec)
    for transfer in transfers:
        payload = codec.transmitter(1 / 6).start(np.full((64, 96, 3), 10 * transfer, np.uint8))
        for start, sent in enumerate(round_bursts(payload, 64, 96, codec.weights_hash, transfer)):
            noise_var = np.full(len(sent.symbols), 0.01, np.float32)
            yield from end.burst(ReceivedBurst(sent.header, sent.symbols, noise_var, start, 0.0, 20.0, -20.0))


@pytest.mark.parametrize("newest, decoded", [(True, [4]), (False, [1, 2, 3, 4])])
def test_only_the_newest_is_decoded_where_that_is_wanted(newest, decoded):
    decoder = jscc_decoder("separation", weights="jpeg:ldpc-1/2:qpsk", newest=newest, live=True)
    seen = []
    decode = decoder._receiving.pictures.decode
    decoder._receiving.pictures.decode = lambda arrival: (seen.append(arrival.transfer), decode(arrival))[1]
    decoder._queue(arrivals(decoder.codec, range(1, 5)))  # before its network begins
    decoder._worker.start()
    decoder._worker.finish()
    assert seen == decoded
    assert decoder.passed_over == 4 - len(decoded)
