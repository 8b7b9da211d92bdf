"""The link that networks are trained through: held to the modem, the interleaver and the modulator themselves."""

import dataclasses

import numpy as np
import pytest
import torch

from gr_jscc.benchmarks.modem import flat, trials
from gr_jscc.channel.front_end import Quantiser
from gr_jscc.channel.noise import noise
from gr_jscc.channel.profiles import taps
from gr_jscc.link.bursts import LinkSettings, analog_bursts
from gr_jscc.modem.layout import data_places, pilot_places, pilot_values
from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY
from gr_jscc.modem.papr import clip_and_filter as modems_clip_and_filter
from gr_jscc.training import link_channel
from gr_jscc.training.clipping import clip_and_filter, clipped
from gr_jscc.training.heard_air import STEPS, HeardAir
from gr_jscc.training.link_channel import RESIDUES, LinkChannel, cross, places_of, quantiser_noise, simulated_air
from gr_jscc.training.recipe import Recipe, RecipeError, load_recipe
from gr_jscc.training.tasks import task_of

pytestmark = pytest.mark.usefixtures("one_thread")
CARRIERS = DEFAULT_NUMEROLOGY.data_count
SPECTRUM = np.fft.fft(taps("multipath"), DEFAULT_NUMEROLOGY.fft_size).astype(np.complex64)
# As pilots move, payload stands on all used carriers alike.
RESPONSES = {"flat": np.ones(1, np.complex64), "faded": SPECTRUM[DEFAULT_NUMEROLOGY.used_bins]}


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def gaussian(*shape, seed=2):
    parts = torch.randn(*shape, 2, generator=generator(seed))
    return torch.view_as_complex(parts) / 2**0.5


def multipath(samples, rng):
    return np.convolve(samples, taps("multipath"))[: len(samples)].astype(np.complex64), RESPONSES["faded"]


def distortion_db(sent, received, noise_var):
    """Signal over distortion of what a codec can make of symbols and their noise variance, and how honest that is."""
    estimate = received / (1 + noise_var)
    ratio = np.mean(np.abs(received - sent) ** 2 / noise_var)
    return -10 * np.log10(np.mean(np.abs(estimate - sent) ** 2)), ratio


@pytest.mark.parametrize("snr_db", [0, 5, 10, 20])
@pytest.mark.parametrize(("kind", "channel"), [("flat", flat), ("faded", multipath)])
def test_it_spoils_symbols_as_much_as_the_modem_does(kind, channel, snr_db):
    got = [trial for trial in trials(30, snr_db, np.random.default_rng(3), channel) if trial.received is not None]
    sent, received = (np.concatenate(parts) for parts in ([t.symbols for t in got], [t.received.symbols for t in got]))
    told = np.concatenate([trial.received.noise_var for trial in got])
    real_db, real_ratio = distortion_db(sent, received, told)

    used = DEFAULT_NUMEROLOGY.used_count
    response = torch.from_numpy(RESPONSES[kind]).expand(8, 40, used)
    rate = torch.full((8,), 32)
    places = places_of(rate, (16, 48, 48), used, generator())
    places = dataclasses.replace(places, burst=places.burst % 40)
    lost = torch.zeros(8, 40, dtype=torch.bool)
    air = simulated_air(response, torch.full((8,), 10 ** (-snr_db / 10)), lost, RESIDUES[kind], generator())
    symbols = gaussian(8, 16, 48, 48)
    ours_db, ours_ratio = distortion_db(
        symbols.numpy(), *(part.numpy() for part in cross(symbols, places, air, generator()))
    )
    assert ours_db == pytest.approx(real_db, abs=0.1)
    assert ours_ratio == pytest.approx(real_ratio, abs=0.04)
    ideal_db, _ = distortion_db(*_ideally(symbols.numpy(), RESPONSES[kind], snr_db))
    assert ours_db < ideal_db - 0.02  # it is not the textbook's channel


def _ideally(symbols, response, snr_db):
    variance = np.resize(10 ** (-snr_db / 10) / np.abs(response) ** 2, symbols.size).reshape(symbols.shape)
    return symbols, symbols + noise(symbols.shape, variance, np.random.default_rng(4)), variance


def test_a_lost_burst_takes_from_a_picture_what_it_takes_on_the_air(monkeypatch):
    height, width, pairs = 20, 30, 16
    monkeypatch.setattr(link_channel, "LARGEST_PICTURE", 1)  # the crop is the picture
    places = places_of(torch.tensor([2 * pairs]), (pairs, height, width), CARRIERS, generator())
    count = pairs * height * width
    bursts = analog_bursts(np.arange(count).astype(np.complex64), 0, 0, LinkSettings())
    assert places.bursts == len(bursts)
    for number, burst in enumerate(bursts):
        order = burst.symbols.real.astype(int)
        assert set(np.flatnonzero(places.burst.flatten() == number)) == set(order)
        assert (places.carrier.flatten()[order].numpy() == np.arange(len(order)) % CARRIERS).all()
        assert (np.diff(places.moment.flatten()[order].numpy()) >= 0).all()


def test_lost_bursts_arrive_as_zeros_of_infinite_variance_in_the_share_that_was_asked_for():
    rate = torch.full((64,), 32)
    channel = LinkChannel(burst_loss=(0.2, 0.2), lossy=0.5).over(rate, torch.full((64,), 10.0), generator())
    received, noise_var = channel(gaussian(64, 16, 16, 16))
    lost = torch.isinf(noise_var)
    assert (received[lost] == 0).all() and (received[~lost] != 0).all()
    share = lost.flatten(1).float().mean(1)
    assert 20 < (share == 0).sum() < 44
    assert share.mean() == pytest.approx(0.1, abs=0.03)


def test_gradients_reach_every_symbol_that_arrived():
    rate = torch.full((4,), 32)
    options = LinkChannel(burst_loss=(0.3, 0.3), faded=0.5, papr_limit_db=6.0, bits=6)
    symbols = gaussian(4, 16, 16, 16).requires_grad_()
    received, noise_var = options.over(rate, torch.full((4,), 10.0), generator())(symbols)
    received.abs().square().sum().backward()
    assert torch.isfinite(torch.view_as_real(symbols.grad)).all()
    reached = symbols.grad.abs() > 1e-6
    assert reached[torch.isfinite(noise_var)].float().mean() > 0.99


def test_peaks_are_clipped_as_the_modulator_clips_them():
    layout, rows = DEFAULT_NUMEROLOGY, 20
    data, pilots = gaussian(1, rows, CARRIERS), torch.from_numpy(pilot_values(layout, 0, rows).copy())
    spectrum = np.zeros((rows, layout.fft_size), np.complex64)
    every = np.arange(rows)[:, None]
    cells, known = (layout.used_bins[places(layout, 0, rows)] for places in (data_places, pilot_places))
    spectrum[every, cells], spectrum[every, known] = data[0].numpy(), pilots.numpy()
    wanted = modems_clip_and_filter(spectrum, 5.0, layout)[every, cells]
    assert np.abs(clip_and_filter(data, pilots, 5.0)[0].numpy() - wanted).max() < 1e-4
    assert np.abs(wanted - data[0].numpy()).max() > 0.1


def test_clipping_leaves_symbols_where_they_were_and_nothing_where_nothing_was_sent():
    symbols = gaussian(2, 16, 24, 24)
    symbols[1, 8:] = 0
    after = clipped(symbols, torch.tensor([16, 8]), 6.0, generator())
    assert (after[1, 8:].abs() < 1e-6).all()
    error = (after - symbols).abs().square().mean((1, 2, 3)) / symbols.abs().square().mean((1, 2, 3))
    assert (error > 1e-3).all() and (error < 0.05).all()


def test_a_quantiser_adds_the_noise_that_it_adds_to_samples():
    rng = np.random.default_rng(1)
    power = DEFAULT_NUMEROLOGY.used_count / DEFAULT_NUMEROLOGY.fft_size
    samples = noise((100_000,), power, rng)
    added = np.mean(np.abs(Quantiser(4).process(samples) - samples) ** 2)
    assert quantiser_noise(4) == pytest.approx(added, rel=0.05)


def test_what_a_recording_heard_comes_back():
    carriers = torch.full((40, CARRIERS), 0.1)
    carriers[:, :12] = 0.4  # a quarter of the band is in a fade
    carriers[::8] = torch.inf  # one burst in eight is lost
    moments = torch.ones(40, STEPS)
    moments[1::8, 25:] = torch.inf  # and of another the second half
    rate = torch.full((16,), 32)
    channel = LinkChannel(heard=HeardAir(carriers, moments)).over(rate, torch.zeros(16), generator())
    symbols = gaussian(16, 16, 48, 48)
    received, noise_var = channel(symbols)
    arrived = torch.isfinite(noise_var)
    assert 1 - arrived.float().mean() == pytest.approx(1 / 8 + 1 / 16, abs=0.02)
    assert (noise_var[arrived] > 0.2).float().mean() == pytest.approx(1 / 4, abs=0.02)
    error = (received - symbols)[arrived].abs().square().mean()
    assert error == pytest.approx(0.75 * 0.1 + 0.25 * 0.4, rel=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channel": "nosuch"}, 'channel must be "ideal", "link" or a file'),
        ({"channel": "link", "burst_loss": [0.3, 0.1]}, "burst_loss must be two shares"),
        ({"channel": "link", "burst_loss": 0.1}, "burst_loss must be tuple"),
        ({"channel": "link", "lossy": 1.5}, "lossy must be from 0 to 1, not 1.5"),
        ({"channel": "link", "faded": -1}, "faded must be from 0 to 1"),
        ({"channel": "link", "papr_limit_db": 1}, "papr_limit_db must be 0"),
        ({"channel": "link", "bits": 1}, "bits must be 0"),
    ],
)
def test_a_bad_channel_is_told_in_one_line(options, message):
    with pytest.raises(RecipeError, match=message) as told:
        task_of(Recipe("mine", "deepjscc", task=options))
    assert "\n" not in str(told.value)


def test_a_file_that_is_no_channel_is_told_in_one_line(tmp_path):
    other = tmp_path / "channel.npz"
    for content in (b"", b"not an archive", b"PK\x03\x04 broken"):
        other.write_bytes(content)
        with pytest.raises(RecipeError, match="does not hold what a recording heard"):
            task_of(Recipe("mine", "deepjscc", task={"channel": str(other)}))
    np.savez(other, carriers=np.ones((3, CARRIERS)), moments=np.ones((2, STEPS)))
    with pytest.raises(RecipeError, match="does not hold what a recording heard"):
        task_of(Recipe("mine", "deepjscc", task={"channel": str(other)}))


def test_the_shipped_recipe_trains_through_the_link():
    recipe = load_recipe("deepjscc-photo-lossy")
    task = task_of(recipe)
    network = task.build({"latents": 64, "fine": 8, "coarse": 8, "hidden": 8})
    images = torch.rand(2, 3, 32, 32, generator=generator())
    loss = task.loss(network, images, generator())
    loss.backward()
    assert torch.isfinite(network.analysis.weight.grad).all() and network.analysis.weight.grad.any()
    assert "psnr_db/snr10_lost10_rate32" in task.validate(network, [(255 * images[0]).byte()])
