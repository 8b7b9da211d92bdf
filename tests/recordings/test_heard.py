"""The channel that a recording heard: noise of each carrier, fades and losses come back, and training runs on them."""

import numpy as np
import pytest
from PIL import Image

from gr_jscc.channel.noise import noise
from gr_jscc.channel.profiles import taps
from gr_jscc.errors import UserError
from gr_jscc.host.train import train
from gr_jscc.link.bursts import LinkSettings, analog_bursts
from gr_jscc.modem import DEFAULT_NUMEROLOGY, modulate
from gr_jscc.radio.sigmf_file import SigmfFile, read_recording
from gr_jscc.recordings.heard import HeardError, heard_in
from gr_jscc.training.heard_air import load_heard
from gr_jscc.training.pictures import Photos

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread")]
ROUNDS, BURSTS, SNR_DB = 4, 8, 12.0
LOST = {(0, 0), (0, 3), (1, 6), (1, 7), (2, 0), (2, 1), (3, 5)}  # round and burst
FADED = {(1, 2), (3, 0)}  # 6 dB weaker
RECIPE = """
model = "heard"
codec = "{codec}"
steps = 2
batch = 2
crop = 32
precision = "float32"
[network]
latents = 16
fine = 8
coarse = 8
hidden = 8
[task]
rates = [4, 8, 16]
"""


def air_of(rng):
    """The stream of a few rounds over multipath, some of whose bursts are erased or faded; silence around it."""
    parts = [np.zeros(500)]
    for round_ in range(ROUNDS):
        for burst in analog_bursts(noise((BURSTS * 600,), 1.0, rng), 7, round_, LinkSettings(burst_symbols=600)):
            samples = np.convolve(modulate(burst.header, burst.symbols), taps("multipath"))
            key = round_, burst.header.index
            level = 0 if key in LOST else 0.5 if key in FADED else 1
            parts += [level * samples, np.zeros(20)]
    stream = np.concatenate([*parts, np.zeros(500)]).astype(np.complex64)
    return stream + noise(stream.shape, 10 ** (-SNR_DB / 10), rng)


@pytest.fixture
def recording(tmp_path, rng):
    file = SigmfFile(tmp_path / "air", "some rounds")
    file.write(air_of(rng))
    file.finish()
    return tmp_path / "air.sigmf-meta"


def test_noise_fades_and_losses_come_back(recording):
    heard = heard_in(read_recording(recording))
    bursts = [(round_, index) for round_ in range(ROUNDS) for index in range(BURSTS)]
    assert len(heard) == len(bursts)
    assert {key for key, values in zip(bursts, heard.carriers) if values[0].isinf()} == LOST
    response = np.fft.fft(taps("multipath"), DEFAULT_NUMEROLOGY.fft_size)[DEFAULT_NUMEROLOGY.data_bins]
    arrived = [key not in LOST for key in bursts]
    gain_db = np.array([20 * np.log10(0.5) * (key in FADED) for key in bursts])[arrived]
    wanted_db = SNR_DB + gain_db[:, None] + 20 * np.log10(np.abs(response))
    got_db = -10 * np.log10(heard.carriers.numpy()[arrived])
    error_db = np.abs(got_db - wanted_db)
    assert error_db.mean() < 0.5 and error_db.max() < 4  # the most where a faded burst's weakest carriers are
    assert np.allclose(heard.moments, 1, atol=0.05)


def test_a_burst_that_was_cut_is_lost_from_there_on(tmp_path, rng):
    (burst,) = analog_bursts(noise((2400,), 1.0, rng), 7, 0, LinkSettings())
    samples = modulate(burst.header, burst.symbols)
    stream = np.concatenate([np.zeros(500), samples[: len(samples) // 2], samples[len(samples) // 2 + 700 :]])
    stream = np.concatenate([stream, np.zeros(3000)]).astype(np.complex64)
    file = SigmfFile(tmp_path / "cut", "one burst")
    file.write(stream + noise(stream.shape, 0.05, rng))
    file.finish()
    moments = heard_in(read_recording(tmp_path / "cut")).moments[0]
    assert moments[:20].isfinite().all() and moments[30:].isinf().all()


def test_a_recording_without_a_burst_is_told_in_one_line(tmp_path, rng):
    file = SigmfFile(tmp_path / "silence", "nothing")
    file.write(noise((20_000,), 1.0, rng))
    file.finish()
    with pytest.raises(HeardError, match="silence.sigmf-meta: no analog burst in the recording"):
        heard_in(read_recording(tmp_path / "silence"))


def test_training_replays_a_recording(recording, tmp_path, photo, capsys, monkeypatch):
    monkeypatch.setattr(Photos, "sample", 64)
    folder, recipe = tmp_path / "photos", tmp_path / "heard.toml"
    folder.mkdir()
    Image.fromarray(photo[:90, :120]).save(folder / "0.png")
    recipe.write_text(RECIPE.format(codec="deepjscc"))
    train(str(recipe), [folder], [folder], tmp_path / "run", "cpu", channel=recording)
    said = capsys.readouterr()
    assert "32 bursts, 7 of them lost" in said.err and "weights:" in said.out
    assert load_heard(tmp_path / "run" / "channel.npz").lost == len(LOST)
    assert "psnr_db/heard_rate8" in (tmp_path / "run" / "log.jsonl").read_text()


def test_a_codec_that_knows_no_channel_is_told_in_one_line(recording, tmp_path):
    recipe = tmp_path / "other.toml"
    recipe.write_text('model = "other"\ncodec = "successive-single"\n')
    with pytest.raises(UserError, match="--channel: codec successive-single cannot be trained on a recording"):
        train(str(recipe), [tmp_path], [], tmp_path / "run", "cpu", channel=recording)
