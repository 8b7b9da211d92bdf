"""Motion vectors come back as they were, in fewer bytes the more alike they are; damaged bytes do no harm."""

import numpy as np
import pytest

from gr_jscc.codecs.parts.entropy_coding import CodingError, Decoder, Encoder
from gr_jscc.codecs.parts.vector_coding import REACH, decode_vectors, encode_vectors


def coded(vectors):
    encoder = Encoder()
    encode_vectors(vectors, encoder)
    return encoder.bytes()


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 1), (15, 20)])
@pytest.mark.parametrize("most", [0, 2, REACH])
def test_vectors_come_back(rng, shape, most):
    vectors = rng.integers(-most, most + 1, (*shape, 2)).astype(np.int32)
    assert np.array_equal(decode_vectors(*shape, Decoder(coded(vectors))), vectors)


def test_a_still_picture_and_one_that_moves_as_a_whole_take_a_few_bytes(rng):
    still, panned = np.zeros((15, 20, 2), np.int32), np.full((15, 20, 2), (5, -40), np.int32)
    assert len(coded(still)) <= 8 and len(coded(panned)) <= 12
    assert len(coded(rng.integers(-9, 10, still.shape))) > 200


def test_bytes_that_no_encoder_made_give_vectors_within_reach_or_an_error(rng):
    for _ in range(50):
        try:
            vectors = decode_vectors(15, 20, Decoder(rng.bytes(rng.integers(0, 80))))
        except CodingError:
            continue
        assert np.abs(vectors).max() <= REACH
