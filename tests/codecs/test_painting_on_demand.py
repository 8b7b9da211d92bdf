"""What nobody looks at is not painted, and the picture in the end is the same."""

import numpy as np
import pytest

from gr_jscc.channel.profiles import taps
from gr_jscc.codecs.registry import load_codec
from gr_jscc.codecs.trained import LayeredReceiver
from gr_jscc.link.ideal import ideal_transfer

WEIGHTS = {
    "hjscc-feedback": ("hjscc-cifar", lambda network: network.transforms.synthesis),
    "successive-single": ("successive-single-2", lambda network: next(iter(network.decoders.values()))),
    "successive-residual": ("successive-residual-2", lambda network: network.decoders[0]),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_only_the_last_picture_is_painted_unless_somebody_looks(name):
    weights, painter = WEIGHTS[name]
    codec = load_codec(name, weights)
    image = np.random.default_rng(3).integers(0, 256, (32, 48, 3), np.uint8)
    painted: list[int] = []
    painter(codec.network).register_forward_hook(lambda *_: painted.append(1))
    assert isinstance(codec.receiver(32, 48), LayeredReceiver)

    def rounds(every_round):
        rng = np.random.default_rng(1)
        sent = ideal_transfer(codec, image, 1 / 6, 10.0, taps("awgn"), rng, every_round=every_round)
        count = len(painted)
        painted.clear()
        return sent, count

    looked_at, often = rounds(every_round=True)
    last_only, once = rounds(every_round=False)
    assert len(last_only) == len(looked_at) > 1
    assert once < often
    assert all(one.picture is None for one in last_only[:-1])
    assert all(one.picture is not None for one in looked_at)
    assert np.array_equal(last_only[-1].picture, looked_at[-1].picture)
