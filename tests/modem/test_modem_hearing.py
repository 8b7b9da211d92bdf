"""A demodulator that is deaf to what is sent says what it hears."""

import numpy as np
import pytest

from gr_jscc.channel.noise import noise
from gr_jscc.modem import VERSION, BurstHeader, BurstKind, StreamDemodulator, header, hearing, modulate, numerology
from gr_jscc.modem.hearing import Hearing, heard_numerologies

pytestmark = pytest.mark.timeout(120)


def stream(layout, rng, bursts=40, gap=300, snr_db=15.0, scale=1.0):
    parts = []
    for index in range(bursts):
        header = BurstHeader(BurstKind.ANALOG, 1, 0, index, bursts, 1200)
        parts += [modulate(header, noise((1200,), 1.0, rng), layout), np.zeros(gap, np.complex64)]
    samples = np.concatenate(parts)
    return scale * (samples + noise(samples.shape, 10 ** (-snr_db / 10), rng))


def told(own, samples, step=20_000):
    """What is told while a stream goes through a demodulator."""
    demodulator = StreamDemodulator(own)
    watch, lines = Hearing(demodulator), []
    for first in range(0, len(samples), step):
        demodulator.push(samples[first : first + step])
        lines.append(watch.push(samples[first : first + step]))
    return [line for line in lines if line]


@pytest.mark.parametrize(
    ("sent", "own"), [((128, 32), (64, 16)), ((64, 8), (64, 16)), ((64, 16), (256, 64)), ((512, 32), (128, 16))]
)
def test_the_other_ends_numerology_is_named_once(rng, sent, own):
    samples = np.concatenate([stream(numerology(*sent), rng, scale=0.01), stream(numerology(*sent), rng, scale=0.01)])
    (line,) = told(numerology(*own), np.resize(samples, 500_000))
    assert line == (
        f"received bursts of numerology {numerology(*sent).description}, "
        f"but this end is set to numerology {numerology(*own).description}"
    )


def test_bursts_between_long_noise_are_found(rng):
    samples = noise((400_000,), 0.03, rng)
    burst = stream(numerology(128, 32), rng, bursts=4)
    samples[150_000 : 150_000 + len(burst)] += burst
    (line,) = told(numerology(64, 16), samples)
    assert "received bursts of numerology 128 (FFT size 128, cyclic prefix 32, 96 data and 8 pilot carriers)," in line


def test_nothing_is_said_where_bursts_come_or_nothing_is_sent(rng):
    own = numerology(64, 16)
    assert told(own, np.resize(stream(own, rng), 600_000)) == []
    assert told(own, np.zeros(600_000, np.complex64)) == []


def test_only_what_is_known_is_said_of_noise_and_of_a_prefix_that_is_not_offered(rng, monkeypatch):
    monkeypatch.setattr(hearing, "LONGEST_PAUSE", 4 * hearing.LOOK)
    (line,) = told(numerology(64, 16), noise((400_000,), 0.01, rng))
    ours = "64 (FFT size 64, cyclic prefix 16, 48 data and 4 pilot carriers)"
    assert line == f"no burst of numerology {ours} in 0.3 million samples of mean power -20.0 dB"
    (line,) = told(numerology(64, 16), np.resize(stream(numerology(64, 12), rng), 400_000))
    assert line.startswith(f"no burst of numerology {ours} in 0.3 million samples")


def test_preambles_whose_headers_cannot_be_read_are_told(rng, monkeypatch):
    monkeypatch.setattr(hearing, "LONGEST_PAUSE", 4 * hearing.LOOK)
    own = numerology(64, 16)
    samples = stream(own, rng)
    length = len(samples) // 40
    for burst in range(40):  # all but the preamble is hidden
        first = burst * length + 320
        samples[first : first + 900] = noise((900,), 1.0, rng)
    (line,) = told(own, np.resize(samples, 400_000))
    assert "times its preamble seemed to be there, but no readable header" in line


def test_bursts_of_another_version_are_told(rng, monkeypatch):
    own = numerology(64, 16)
    monkeypatch.setattr(header, "_VERSION_FIELD", (VERSION + 1) % 4)
    samples = stream(own, rng)
    monkeypatch.undo()
    (line,) = told(own, np.resize(samples, 300_000))
    assert line.startswith("received bursts of another version of the air interface, but this end supports 4: ")


def test_after_a_burst_it_may_be_told_again(rng):
    own, other = numerology(64, 16), numerology(128, 32)
    alien, ours = np.resize(stream(other, rng), 200_000), np.resize(stream(own, rng), 200_000)
    assert len(told(own, np.concatenate([alien, ours, alien]))) == 2


def test_noise_alone_is_no_numerology(rng):
    assert heard_numerologies(noise((200_000,), 1.0, rng), numerology(64, 16)) == []
