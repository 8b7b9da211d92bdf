"""Every impairment does what its definition says, however the stream is cut."""

import math

import numpy as np
import pytest
import scipy.special

from gr_jscc.channel import (
    Awgn,
    BlockFading,
    BurstLoss,
    CarrierOffset,
    Chain,
    Clipping,
    DcOffset,
    DopplerFading,
    DroppedSamples,
    FreeOscillator,
    Interference,
    IqImbalance,
    Multipath,
    PhaseNoise,
    PowerAmplifier,
    Quantiser,
    SampleOffset,
)
from gr_jscc.channel.fading import exponential_profile
from gr_jscc.channel.impairment import MEAN_POWER
from gr_jscc.channel.noise import noise
from gr_jscc.errors import UserError
from gr_jscc.modem import BurstHeader, BurstKind, StreamDemodulator, modulate

pytestmark = pytest.mark.timeout(60)

LONG_TAPS = list(np.random.default_rng(7).standard_normal(100) / 10)
KINDS = {
    "awgn": lambda: Awgn(10),
    "cfo": lambda: CarrierOffset(0.0123),
    "free oscillator": lambda: FreeOscillator(100.0),
    "phase noise": lambda: PhaseNoise(3.0, 20e3),
    "slow clock": lambda: SampleOffset(123.0),
    "fast clock": lambda: SampleOffset(-4567.0),
    "iq imbalance": lambda: IqImbalance(1, 5),
    "dc": lambda: DcOffset(-20, 30),
    "amplifier": lambda: PowerAmplifier(6, 3),
    "clipping": lambda: Clipping(3),
    "quantiser": lambda: Quantiser(6),
    "multipath": lambda: Multipath("multipath"),
    "long echoes": lambda: Multipath(LONG_TAPS),
    "block fading": lambda: BlockFading(2.0, 777),
    "burst fading": lambda: BlockFading(1.0),
    "doppler": lambda: DopplerFading(200.0),
    "doppler, selective": lambda: DopplerFading(3000.0, 1.5),
    "interference": lambda: Interference(0.2, 3, 150),
    "tones": lambda: Interference(0.3, 3, 150, "tone"),
    "burst loss": lambda: BurstLoss(0.5),
    "burst loss, noise": lambda: BurstLoss(0.5, "noise"),
    "drops": lambda: DroppedSamples(0.1, 50),
    "chain": lambda: Chain([BurstLoss(0.3), BlockFading(1.0), SampleOffset(-50), Awgn(5), DroppedSamples(0.01, 9)]),
}


def white(count, rng, power=1.0):
    return noise((count,), power, rng)


def mean_power(samples):
    return float(np.mean(np.abs(samples.astype(np.complex128)) ** 2))


@pytest.mark.parametrize("name", KINDS)
def test_the_cut_of_the_stream_does_not_matter(name, rng):
    samples = white(30_000, rng)
    starts = [100, 4000, 4100, 9000, 17_000, 29_999]
    kind = KINDS[name]()
    before = samples.copy()
    kind.mark(starts)
    whole = kind.process(samples)
    assert whole.dtype == np.complex64 and np.array_equal(samples, before)
    for attempt in (kind, KINDS[name]()):  # the same one again after a reset, and a new one
        attempt.reset()
        parts, done = [], 0
        while done < len(samples):
            count = int(rng.choice([0, 1, 2, 13, 400, 5000]))
            part = samples[done : done + count]
            attempt.mark([start - done for start in starts if done <= start < done + len(part)])
            parts.append(attempt.process(part))
            done += count
        cut = np.concatenate(parts)
        assert len(cut) == len(whole)
        assert np.abs(cut - whole).max() < 2e-5
    if not kind.changes_length:
        assert len(whole) == len(samples)
    assert not np.array_equal(whole[: len(samples)], samples[: len(whole)])


def test_samples_need_not_lie_together_in_memory(rng):
    samples = white(4000, rng)
    for name, make in KINDS.items():
        assert np.allclose(make().process(samples[::2]), make().process(samples[::2].copy()), atol=1e-5), name


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 13.0])
def test_noise_variance_is_per_complex_sample(snr_db):
    drawn = Awgn(snr_db, seed=3).process(np.zeros(300_000, np.complex64))
    assert mean_power(drawn) == pytest.approx(10 ** (-snr_db / 10), rel=0.01)
    assert np.var(drawn.real) == pytest.approx(np.var(drawn.imag), rel=0.02)
    assert not np.array_equal(drawn[:9], Awgn(snr_db, seed=4).process(np.zeros(9, np.complex64)))


def test_carrier_offset_is_a_line_and_stays_one_when_it_changes():
    offset = CarrierOffset(0.01)
    first = offset.process(np.ones(1000, np.complex64))
    offset.change(cycles_per_sample=-0.02)
    second = offset.process(np.ones(1000, np.complex64))
    steps = np.angle(np.concatenate([first, second])[1:] * np.conj(np.concatenate([first, second])[:-1])) / (2 * np.pi)
    assert steps[:999] == pytest.approx(0.01, abs=1e-6)
    assert steps[999] == pytest.approx(0.01, abs=1e-6)  # the last sample before the change decides the step
    assert steps[1000:] == pytest.approx(-0.02, abs=1e-6)


def test_carrier_offset_does_not_tire():
    offset = CarrierOffset(1 / 3)
    for _ in range(30):
        last = offset.process(np.ones(1_000_000, np.complex64))
    assert last[-1] == pytest.approx(np.exp(2j * np.pi * (3 * 10**7 - 1) / 3), abs=1e-4)


def test_free_oscillator_steps_have_the_variance_of_their_linewidth():
    out = FreeOscillator(linewidth_hz=200.0, sample_rate=1e6).process(np.ones(400_000, np.complex64))
    phase = np.unwrap(np.angle(out))
    for lag in (1, 10, 100):
        steps = phase[lag:] - phase[:-lag]
        assert np.var(steps) == pytest.approx(2 * np.pi * 200 / 1e6 * lag, rel=0.1)


def test_synthesiser_phase_has_its_rms_and_bandwidth():
    out = PhaseNoise(rms_degrees=2.0, loop_hz=20e3, sample_rate=1e6).process(np.ones(2_000_000, np.complex64))
    phase = np.degrees(np.angle(out)).astype(np.float64)
    assert phase.std() == pytest.approx(2.0, rel=0.03)
    assert phase[:1000].std() > 0.2  # it does not start from rest
    correlation = np.mean(phase[8:] * phase[:-8]) / np.var(phase)
    assert correlation == pytest.approx(math.exp(-2 * np.pi * 20e3 / 1e6 * 8), abs=0.03)


@pytest.mark.parametrize("ppm", [-1000.0, -20.0, 0.0, 20.0, 1000.0])
def test_sample_clock_drifts_as_told(rng, ppm):
    # Noise in the band that our carriers take, and a copy of it that is exact at any time.
    count, tones = 60_000, np.arange(-26, 27) / 64
    phases = rng.random(len(tones))

    def signal(times):
        return sum(np.exp(2j * np.pi * (f * times + p)) for f, p in zip(tones, phases)) / np.sqrt(len(tones))

    out = SampleOffset(ppm).process(signal(np.arange(count)).astype(np.complex64))
    assert len(out) == pytest.approx(count / (1 + ppm * 1e-6), abs=1.01)
    wanted = signal(np.arange(len(out)) * (1 + ppm * 1e-6) - 16)
    assert mean_power((out - wanted)[100:]) < 1e-8  # -80 dB


@pytest.mark.parametrize("ppm", [-400.0, 250.0])
def test_sample_clock_drift_by_correlation(rng, ppm):
    """Without knowing the interpolator: where does a later stretch of the stream best fit the input?"""
    spectrum = np.zeros(2**16, np.complex64)
    spectrum[:20_000] = white(20_000, rng)
    samples = np.fft.ifft(spectrum, norm="ortho").astype(np.complex64)
    out = SampleOffset(ppm).process(samples)
    delays = []
    for begin in (2_000, 50_000):
        piece = out[begin : begin + 1024]
        fit = [abs(np.vdot(samples[begin + lag : begin + lag + 1024], piece)) for lag in range(-60, 60)]
        best = int(np.argmax(fit))
        left, top, right = fit[best - 1 : best + 2]
        delays.append(best - 60 + 0.5 * (left - right) / (left - 2 * top + right))
    assert (delays[1] - delays[0]) / 48_000 * 1e6 == pytest.approx(ppm, abs=5)


@pytest.mark.parametrize(("gain_db", "phase"), [(1.0, 5.0), (-0.5, 0.0), (0.0, 3.0), (0.2, -1.0)])
def test_image_rejection(gain_db, phase):
    count, f = 4096, 320
    tone = np.exp(2j * np.pi * f / count * np.arange(count)).astype(np.complex64)
    spectrum = np.abs(np.fft.fft(IqImbalance(gain_db, phase).process(tone).astype(np.complex128))) ** 2
    g, cosine = 10 ** (gain_db / 20), math.cos(math.radians(phase))
    ratio = (1 + 2 * g * cosine + g**2) / (1 - 2 * g * cosine + g**2)
    assert 10 * np.log10(spectrum[f] / spectrum[count - f]) == pytest.approx(10 * math.log10(ratio), abs=0.05)
    if (gain_db, phase) == (1.0, 5.0):
        assert 10 * math.log10(ratio) == pytest.approx(23, abs=0.5)  # as the documentation says


def test_dc_offset():
    out = DcOffset(-20, 90).process(np.zeros(3, np.complex64))
    assert out == pytest.approx(1j * math.sqrt(MEAN_POWER / 100))


@pytest.mark.parametrize("smoothness", [1.0, 2.0, 3.0, 10.0])
def test_rapp_curve(smoothness):
    drive = np.array([0, 0.01, 0.1, 0.5, 1.0, 2.0, 10.0, 1e6])
    out = PowerAmplifier(6.0, smoothness, mean_power=1.0).process((drive * 1j).astype(np.complex64))
    limit = 10 ** (6 / 20)
    curve = drive / (1 + (drive / limit) ** (2 * smoothness)) ** (1 / (2 * smoothness))
    assert out.imag == pytest.approx(curve, rel=2e-3, abs=1e-6) and np.abs(out.real).max() < 1e-6


def test_clipping_keeps_the_phase(rng):
    samples = white(10_000, rng, MEAN_POWER)
    out = Clipping(0.0).process(samples)
    size = np.abs(samples)
    assert np.abs(out) == pytest.approx(np.minimum(size, math.sqrt(MEAN_POWER)), rel=1e-5)
    assert np.angle(out * np.conj(samples)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("bits", [7, 8, 10, 12])
def test_quantisation_leaves_six_decibels_a_bit(bits):
    level = (1 - 2.0**-bits) * math.sqrt(MEAN_POWER)  # the largest that does not clip
    tone = (level * np.exp(2j * np.pi * 0.1234567 * np.arange(200_000))).astype(np.complex64)
    error = Quantiser(bits, headroom_db=0.0).process(tone) - tone
    snr_db = 10 * np.log10(mean_power(tone) / mean_power(error))
    assert snr_db == pytest.approx(6.02 * bits + 1.76, abs=0.3)


def test_a_converter_knows_only_its_codes():
    out = Quantiser(3, headroom_db=0.0, mean_power=16.0).process(np.linspace(-9, 9, 500).astype(np.complex64))
    assert sorted(set(out.real.tolist())) == [-4, -3, -2, -1, 0, 1, 2, 3]


def test_multipath_is_its_taps():
    taps = [1, [0.0, 0.5], -0.25]
    out = Multipath(taps).process(np.eye(1, 6, 1)[0].astype(np.complex64))
    assert np.allclose(out, [0, 1, 0.5j, -0.25, 0, 0])
    long = Multipath(LONG_TAPS).process(np.eye(1, 200, 0)[0].astype(np.complex64))
    assert np.allclose(long[:100], LONG_TAPS, atol=1e-6) and np.allclose(long[100:], 0, atol=1e-6)


@pytest.mark.parametrize("delay_spread", [0.5, 1.0, 2.0, 5.0])
def test_exponential_profile_has_its_delay_spread(delay_spread):
    powers = exponential_profile(delay_spread)
    delays = np.arange(len(powers))
    mean = (powers * delays).sum()
    assert powers.sum() == pytest.approx(1)
    assert np.allclose(powers[1:] / powers[:-1], powers[1] / powers[0])
    assert math.sqrt((powers * (delays - mean) ** 2).sum()) == pytest.approx(delay_spread, rel=0.01)


def test_block_fading_draws_rayleigh_taps_with_the_profile():
    block, blocks, spread = 64, 4000, 2.0
    powers = exponential_profile(spread)
    pulses = np.zeros(block * blocks, np.complex64)
    pulses[::block] = 1  # the response to one pulse a block is the taps
    taps = BlockFading(spread, block).process(pulses).reshape(blocks, block)[:, : len(powers)]
    measured = np.mean(np.abs(taps) ** 2, axis=0)
    assert measured[:8] == pytest.approx(powers[:8], rel=0.08)
    delays = np.arange(len(powers))
    mean = (measured * delays).sum() / measured.sum()
    rms = math.sqrt((measured * (delays - mean) ** 2).sum() / measured.sum())
    assert rms == pytest.approx(spread, rel=0.05)
    assert _exponential(np.abs(taps[:, 0]) ** 2)
    neighbours = np.mean(taps[1:, 0] * np.conj(taps[:-1, 0])) / measured[0]
    assert abs(neighbours) < 0.06


def test_block_fading_stands_still_for_a_burst():
    fading = BlockFading()
    fading.mark([100, 250])
    gains = fading.process(np.ones(400, np.complex64))
    assert [len(set(part.tolist())) for part in np.split(gains, [100, 250])] == [1, 1, 1]
    assert len(set(gains.tolist())) == 3
    assert np.all(fading.process(np.ones(50, np.complex64)) == gains[-1])


def _exponential(powers):
    """Whether powers are distributed as a Rayleigh channel's: exponentially (Kolmogorov and Smirnov, 0.1 %)."""
    ordered = np.sort(powers / powers.mean())
    ideal = 1 - np.exp(-ordered)
    return np.abs(ideal - (np.arange(len(ordered)) + 0.5) / len(ordered)).max() < 1.95 / math.sqrt(len(ordered))


def test_doppler_fading_is_rayleigh_with_clarkes_correlation():
    gains = np.array(
        [DopplerFading(100.0, seed=seed).process(np.ones(8000, np.complex64))[::200] for seed in range(300)]
    )
    assert _exponential(np.abs(gains[:, 0]) ** 2) and _exponential(np.abs(gains[:, -1]) ** 2)
    assert np.mean(np.abs(gains) ** 2) == pytest.approx(1, abs=0.12)  # two deviations of 300 draws
    lags = np.arange(40) * 200 / 1e6
    correlation = np.array([np.mean(gains[:, lag:] * np.conj(gains[:, : 40 - lag])) for lag in range(40)])
    assert np.abs(correlation - scipy.special.j0(2 * np.pi * 100 * lags)).max() < 0.15


def test_the_taps_of_doppler_fading_are_those_that_the_samples_meet():
    fading = DopplerFading(100.0, 1.0, seed=4)
    fading.process(np.zeros(3000, np.complex64))
    pulse = np.zeros(50, np.complex64)
    pulse[10] = 1
    met = fading.process(pulse)[10 : 10 + len(fading.taps_at([0.0]))]
    assert np.allclose(met, fading.taps_at(3010 + np.arange(len(met))).diagonal(), atol=2e-3)


def test_doppler_fading_is_smooth_also_when_the_speed_changes():
    fading = DopplerFading(50.0)
    first = fading.process(np.ones(5000, np.complex64))
    fading.change(doppler_hz=500.0)
    gains = np.concatenate([first, fading.process(np.ones(5000, np.complex64))])
    assert np.abs(np.diff(gains)).max() < 2 * np.pi * 500 / 1e6 * np.abs(gains).max() * 2


def test_interference_takes_its_share_of_the_time():
    for kind in ("noise", "tone"):
        out = Interference(0.2, 6.0, 300, kind).process(np.zeros(2_000_000, np.complex64))
        hit = out != 0
        assert hit.mean() == pytest.approx(0.2, abs=0.02)
        assert 10 * np.log10(mean_power(out[hit]) / MEAN_POWER) == pytest.approx(6, abs=0.1)
    assert not Interference(0.0).process(np.zeros(100_000, np.complex64)).any()
    assert Interference(1.0).process(np.zeros(10_000, np.complex64)).all()


def test_dropped_samples_are_runs_of_their_length():
    stream = np.arange(1_000_000).astype(np.complex64)
    left = DroppedSamples(0.05, 200).process(stream).real
    assert 1 - len(left) / len(stream) == pytest.approx(0.05, abs=0.01)
    gaps = np.diff(left) - 1
    assert set((gaps[gaps > 0] % 200).tolist()) == {0}


def test_lost_bursts_are_erased_whole():
    loss = BurstLoss(0.3)
    samples = np.ones(100_000, np.complex64)
    starts = list(range(50, 100_000, 100))
    loss.mark(starts)
    out = loss.process(samples)
    assert (out[:50] == 1).all()
    bursts = out[50:-50].reshape(-1, 100)
    lost = (bursts == 0).all(axis=1)
    assert np.all(lost | (bursts == 1).all(axis=1))
    assert lost.mean() == pytest.approx(0.3, abs=0.06)
    assert (loss.bursts, loss.lost) == (1000, pytest.approx(1000 * lost.mean(), abs=1))
    filled = BurstLoss(1.0, "noise")
    filled.mark([0])
    assert mean_power(filled.process(samples)) == pytest.approx(MEAN_POWER, rel=0.02)
    assert np.array_equal(BurstLoss(1.0).process(samples), samples)  # no burst was marked


def test_the_modem_stands_a_bad_radio(rng):
    """All at once, mildly: every burst that is not lost arrives, at the SNR that is left."""
    header = BurstHeader(BurstKind.ANALOG, 1, 0, 0, 1, 960)
    symbols = [white(960, rng) for _ in range(40)]
    bursts = [modulate(header, each) for each in symbols]
    starts = np.cumsum([0, *(len(burst) for burst in bursts)])[:-1]
    stream = np.concatenate([*bursts, np.zeros(20_000, np.complex64)])
    loss = BurstLoss(0.25, seed=5)
    chain = Chain(
        [
            PowerAmplifier(9), loss, Multipath("multipath"), CarrierOffset(0.004), PhaseNoise(0.4), SampleOffset(20),
            Awgn(20), IqImbalance(0.2, 1), DcOffset(-30), Quantiser(8),
        ]
    )  # fmt: skip
    chain.mark(starts)
    demodulator = StreamDemodulator()
    received = demodulator.push(chain.process(stream)) + demodulator.flush()
    assert len(received) == loss.bursts - loss.lost and 0 < loss.lost < 20
    for burst in received:
        number = int(np.argmin(np.abs(starts + 16 - burst.start)))
        error = mean_power(burst.symbols - symbols[number])
        assert 14 < -10 * math.log10(error) < 20


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Awgn(math.nan), "snr_db must be a number at least -100 and at most 200, not nan"),
        (lambda: Awgn("ten"), "snr_db must be a number"),
        (lambda: Awgn(True), "snr_db must be a number"),
        (lambda: CarrierOffset(0.6), "cycles_per_sample"),
        (lambda: FreeOscillator(-1.0), "linewidth_hz"),
        (lambda: FreeOscillator(1.0, 0.0), "sample_rate must be a number above 0, not 0.0"),
        (lambda: PhaseNoise(-1.0), "rms_degrees"),
        (lambda: SampleOffset(1e6), "ppm"),
        (lambda: IqImbalance(0, 90), "phase_degrees"),
        (lambda: DcOffset(-10, mean_power=0), "mean_power"),
        (lambda: PowerAmplifier(10, 0), "smoothness"),
        (lambda: Clipping(100), "level_db"),
        (lambda: Quantiser(8.0), "bits must be a whole number from 2 to 24, not 8.0"),
        (lambda: Multipath([]), "taps"),
        (lambda: Multipath([[1, 2, 3]]), "taps"),
        (lambda: Multipath([0, 0]), "taps"),
        (lambda: Multipath([math.inf]), "taps"),
        (lambda: Multipath("nosuch"), "unknown channel 'nosuch'; known: awgn"),
        (lambda: BlockFading(-1), "delay_spread"),
        (lambda: BlockFading(1, 1.5), "block"),
        (lambda: DopplerFading(1e6), "doppler_hz"),
        (lambda: Interference(1.5), "share"),
        (lambda: Interference(0.5, kind="music"), "kind must be noise or tone, not 'music'"),
        (lambda: BurstLoss(-0.1), "probability must be a number at least 0 and at most 1, not -0.1"),
        (lambda: DroppedSamples(1.0), "share"),
        (lambda: DroppedSamples(0.1, 0), "length"),
        (lambda: Chain([SampleOffset(1), BurstLoss(0.1)]), "BurstLoss must come before SampleOffset"),
    ],
)
def test_nonsense_is_refused_in_one_line(make, message):
    with pytest.raises(UserError) as refusal:
        make()
    assert str(refusal.value).startswith(message) and "\n" not in str(refusal.value)


def test_a_refused_change_changes_nothing():
    stage = Awgn(10)
    with pytest.raises(UserError, match="snr_db"):
        stage.change(snr_db=1e9)
    with pytest.raises(UserError, match="unknown parameter 'snr'"):
        stage.change(snr=1)
    assert stage.snr_db == 10
    assert mean_power(stage.process(np.zeros(50_000, np.complex64))) == pytest.approx(0.1, rel=0.05)
