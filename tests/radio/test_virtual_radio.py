"""The virtual radio, driven through SoapySDR and in-tree blocks: every fault against docs/guide/virtual-radio.md."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gr_jscc.environment.radios import check_virtual_radio
from gr_jscc.radio.soapy_api import PLUGIN_PATH
from gr_jscc.radio.virtual import MODULE_NAME, SHARED_MEMORY, cleanup, module_folder

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(60)]

BENCH = Path(__file__).with_name("virtual_bench.py")
COUNT = 100_000
QUIET = "noise_dbfs=-200"


@pytest.fixture(scope="module")
def environment():
    folder = module_folder()
    assert folder, "the virtual radio is not built: gr-jscc virtual-radio build"
    return os.environ | {"SOAPY_SDR_PLUGIN_PATH": str(folder)}


@pytest.fixture
def air(request):
    """The name of an air that nobody else uses; in the end nothing of it may be left."""
    name = re.sub(r"\W+", "-", request.node.name)[:24] + str(os.getpid())
    yield name
    assert not list(SHARED_MEMORY.glob(f"gr-jscc-air-{name}*"))


class Rig:
    """A process of virtual_bench.py."""

    def __init__(self, environment):
        command = [sys.executable, str(BENCH)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def begin(self, do, **job):
        self.process.stdin.write(json.dumps({"do": do} | job) + "\n")
        self.process.stdin.flush()
        return self

    def line(self):
        return self.process.stdout.readline()

    def answer(self):
        """What the job returned; what it says before is passed over."""
        while line := self.line():
            if line.startswith("{"):
                return json.loads(line)
        raise AssertionError("the bench failed; its standard error says why")

    def kill(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def shared_bench(environment):
    bench = Rig(environment)
    yield bench
    bench.kill()


@pytest.fixture
def bench(shared_bench):
    """Does a job and returns its answer; one process does all of them, one after the other."""
    return lambda do, **job: shared_bench.begin(do, **job).answer()


@pytest.fixture
def receive(bench, tmp_path):
    """Receives `count` samples after the first `skip`; samples, and how often some were lost."""

    def run(args, count, skip=0):
        rx = {"args": args}
        answer = bench("receive", rx=rx, capture=str(tmp_path / "received.npy"), count=count, skip=skip)
        return np.load(tmp_path / "received.npy"), answer["lost"]

    return run


@pytest.fixture
def start(environment):
    """Starts a job in a process of its own, which is killed in the end."""
    running = []

    def run(do, **job):
        running.append(Rig(environment))
        return running[-1].begin(do, **job)

    yield run
    for program in running:
        program.kill()


@pytest.fixture
def link(bench, air, tmp_path):
    """Sends samples from one device to another in lockstep; what the other received, and the bench's answer."""

    def run(samples, tx="", rx=QUIET, count=COUNT, tx_spec=None, rx_spec=None, **job):
        np.save(tmp_path / "sent.npy", samples)
        answer = bench(
            "exchange",
            tx={"args": f"air={air},pace=lockstep,id=a,{tx}"} | (tx_spec or {}),
            rx={"args": f"air={air},pace=lockstep,id=b,{rx}"} | (rx_spec or {}),
            waveform=str(tmp_path / "sent.npy"),
            capture=str(tmp_path / "received.npy"),
            count=count,
            **job,
        )
        return np.load(tmp_path / "received.npy"), answer

    return run


def tone(cycles, power_dbfs, count=COUNT + 60_000):
    """A tone longer than what is received, so that its end does not matter."""
    return (10 ** (power_dbfs / 20) * np.exp(2j * np.pi * cycles * np.arange(count))).astype(np.complex64)


def burst(rng, count, power_dbfs=-12.0, band=0.4):
    """Noise of some bandwidth, as OFDM looks."""
    spectrum = np.fft.fft(rng.normal(size=count) + 1j * rng.normal(size=count))
    spectrum[np.abs(np.fft.fftfreq(count)) > band] = 0
    samples = np.fft.ifft(spectrum)
    return (samples * np.sqrt(10 ** (power_dbfs / 10) / np.mean(np.abs(samples) ** 2))).astype(np.complex64)


def settled(received):
    """The middle, without the interpolator's edges and the beginning of the burst."""
    return received[2000:].astype(np.complex128)


def power_db(samples):
    return 10 * np.log10(np.mean(np.abs(samples) ** 2))


def part(samples, cycles):
    """The complex amplitude of a tone, a window keeping others away."""
    window = np.blackman(len(samples))
    return np.sum(samples * window * np.exp(-2j * np.pi * cycles * np.arange(len(samples)))) / np.sum(window)


def frequency(samples):
    """Cycles per sample of the one tone there is: the phase's slope, weighted as a maximum-likelihood estimate."""
    guess = np.fft.fftfreq(len(samples))[np.argmax(np.abs(np.fft.fft(samples)))]
    for _ in range(3):
        turned = samples * np.exp(-2j * np.pi * guess * np.arange(len(samples)))
        blocks = turned[: len(turned) // 100 * 100].reshape(100, -1).mean(axis=1)
        guess += np.polyfit(np.arange(100), np.unwrap(np.angle(blocks)), 1)[0] / 2 / np.pi / (len(turned) // 100)
    return guess


class TestLevels:
    """S = P + tx level - loss + rx level; N = noise_dbfs + rx level, and the converter's own."""

    def test_a_perfect_radio_changes_nothing(self, link, rng):
        sent = burst(rng, 20_000)
        received, answer = link(sent, count=40_000)
        begin = int(np.argmax(np.abs(received) > 1e-6))
        np.testing.assert_allclose(received[begin:][: len(sent)], sent, atol=1e-7)
        assert not answer["lost"]
        assert not [event for event in answer["events"] if event[0]]

    @pytest.mark.parametrize(
        ("loss", "noise", "tx_gain", "rx_gain"), [(20, -60, 0, 0), (37, -70, 6, 30), (0, -50, -30, -3)]
    )
    def test_snr(self, link, loss, noise, tx_gain, rx_gain):
        received, _ = link(
            tone(0.1, -10),
            rx=f"loss_db={loss},noise_dbfs={noise},seed=3",
            tx_spec={"gains": {"TX": tx_gain}},
            rx_spec={"gains": {"RX": rx_gain}},
        )
        received = settled(received)
        amplitude = part(received, 0.1)
        noise_power = power_db(received - amplitude * np.exp(2j * np.pi * 0.1 * np.arange(len(received))))
        signal_power = 20 * np.log10(abs(amplitude))
        assert signal_power == pytest.approx(-10 + tx_gain - loss + rx_gain, abs=0.05)
        assert noise_power == pytest.approx(noise + rx_gain, abs=0.05)

    def test_noise_is_white_and_gaussian(self, link):
        received, _ = link(np.zeros(1000, np.complex64), rx="noise_dbfs=-20,seed=1", count=200_000)
        unit = received / np.sqrt(np.mean(np.abs(received) ** 2))
        assert np.mean(np.abs(unit) ** 4) == pytest.approx(2, abs=0.05)
        assert abs(np.mean(unit**2)) < 0.01
        tails = np.mean(np.abs(unit.real) > 3 / np.sqrt(2))
        assert tails == pytest.approx(0.0027, rel=0.15)
        spectrum = np.mean(np.abs(np.fft.fft(unit[:199_680].reshape(-1, 256))) ** 2, axis=0) / 256
        assert np.all(np.abs(spectrum - 1) < 0.2)

    @pytest.mark.parametrize("bits", [6, 8, 12])
    def test_bits(self, link, rng, bits):
        """Each converter adds noise of (2/3) 4^-n, whatever the gain before it."""
        sent = burst(rng, COUNT + 60_000)
        received, _ = link(sent, tx="bits=0", rx=f"{QUIET},bits={bits},loss_db=3")
        codes = received.view(np.float32) * 2 ** (bits - 1)
        assert np.array_equal(codes, np.round(codes))
        ideal, _ = link(sent, tx="bits=0", rx=f"{QUIET},bits=0,loss_db=3")
        error = power_db(received.astype(np.complex128) - ideal)
        assert error == pytest.approx(10 * np.log10(2 / 3 * 4.0**-bits), abs=0.1)

    def test_full_scale_clips(self, link):
        received, _ = link(tone(0.1, -1), rx_spec={"gains": {"RX": 20}})
        assert np.max(np.abs(received.view(np.float32))) == 1.0

    def test_models_reach_full_scale_at_their_reference_gains(self, link):
        received, _ = link(tone(0.1, -6), tx="model=hackrf", rx=f"model=b210,{QUIET}")
        assert power_db(settled(received)) == pytest.approx(-6, abs=0.1)

    def test_formats(self, link):
        sent = tone(0.05, -6)
        codes = np.round(sent.view(np.float32) * 2**15).astype(np.int16)
        received, _ = link(codes, tx_spec={"format": "CS16"}, rx_spec={"format": "CS8"})
        values = received.reshape(-1, 2).astype(np.float64) / 128
        values = settled(values[:, 0] + 1j * values[:, 1])
        assert abs(part(values, 0.05)) == pytest.approx(10 ** (-6 / 20), rel=2e-3)


class TestMixer:
    """IQ imbalance and DC as docs/guide/virtual-radio.md defines them, at either end."""

    @pytest.mark.parametrize("end", ["tx", "rx"])
    def test_iq_imbalance(self, link, end):
        fault = f"{end}_iq_gain_db=1,{end}_iq_phase_deg=5"
        args = {"tx": fault} if end == "tx" else {"rx": f"{QUIET},{fault}"}
        received, _ = link(tone(0.1, -20), **args)
        received = settled(received)
        gain, angle = 10 ** (1 / 20), np.deg2rad(5)
        image = (1 - gain * np.exp(1j * angle)) / (1 + gain * np.exp(1j * angle))  # ν / μ*
        measured = part(received, -0.1) / np.conj(part(received, 0.1))
        assert measured == pytest.approx(image, abs=1e-4)

    @pytest.mark.parametrize("end", ["tx", "rx"])
    def test_dc(self, link, end):
        fault = f"{end}_dc_i=0.01,{end}_dc_q=-0.02"
        args = {"tx": fault} if end == "tx" else {"rx": f"{QUIET},{fault}"}
        received, _ = link(tone(0.1, -20), **args, tx_spec={"gains": {"TX": 6}}, rx_spec={"gains": {"RX": -2}})
        level = 10 ** ((6 - 2) / 20) if end == "tx" else 1.0  # the transmitter's leakage goes through the gains
        assert part(settled(received), 0) == pytest.approx(level * (0.01 - 0.02j), abs=1e-5)

    @pytest.mark.parametrize("end", ["tx", "rx"])
    def test_phase_noise(self, link, end):
        """An rms phase, with the correlation of a loop of 50 kHz."""
        fault = f"{end}_phase_noise_deg=2,seed=5"
        args = {"tx": fault} if end == "tx" else {"rx": f"{QUIET},{fault}"}
        received, _ = link(tone(0.1, -10), **args, tx_spec={"rate": 2e6}, rx_spec={"rate": 2e6})
        still = settled(received) * np.exp(-2j * np.pi * 0.1 * np.arange(len(received) - 2000))
        phase = np.rad2deg(np.angle(still / np.mean(still)))
        assert np.std(phase) == pytest.approx(2, rel=0.05)
        after = np.mean(phase[:-4] * phase[4:]) / np.var(phase)
        assert after == pytest.approx(np.exp(-2 * np.pi * 50e3 * 4 / 2e6), abs=0.03)
        assert 20 * np.log10(np.mean(np.abs(still))) == pytest.approx(-10, abs=0.01)

    def test_lo_offset_moves_dc_and_image_aside(self, link):
        """With the oscillator's phase ψ: DC at exp(jψ), the image ν x* exp(2jψ)."""
        received, _ = link(
            tone(0.1, -20),
            rx=f"{QUIET},rx_dc_i=0.01,rx_iq_gain_db=1,rx_iq_phase_deg=5",
            rx_spec={"tuning": {"RF": "2449800000"}},  # 0.2 cycles per sample below
        )
        received = settled(received)
        leakage = part(received, -0.2)
        assert abs(leakage) == pytest.approx(0.01, rel=1e-3)
        assert abs(part(received, 0)) < 1e-5
        gain, angle = 10 ** (1 / 20), np.deg2rad(5)
        image = (1 - gain * np.exp(1j * angle)) / (1 + gain * np.exp(1j * angle))  # ν / μ*
        measured = part(received, -0.5) / np.conj(part(received, 0.1)) * (0.01 / leakage) ** 2  # mirrored around -0.2
        assert measured == pytest.approx(image, abs=1e-4)


class TestAmplifier:
    @pytest.mark.parametrize("gain", [0, 10])
    def test_1_db_compression(self, link, gain):
        """At compression_dbfs after the transmit gain the output is 1 dB down; 20 dB below it is linear."""
        point = -4
        for below, lack in ((0, 1.0), (20, 10 * np.log10(1 + 0.58489 * 1e-4) / 2)):
            received, _ = link(
                tone(0.1, point - gain - below),
                tx=f"compression_dbfs={point}",
                rx=f"{QUIET},loss_db=20",
                tx_spec={"gains": {"TX": gain}},
                count=20_000,
            )
            assert power_db(settled(received)) == pytest.approx(point - below - 20 - lack, abs=0.02)


class TestClock:
    @pytest.mark.parametrize(("tx_ppm", "rx_ppm"), [(20, 0), (0, -7.5), (12.25, 3)])
    def test_ppm_moves_the_carrier(self, link, tx_ppm, rx_ppm):
        received, _ = link(tone(0, -20), tx=f"ppm={tx_ppm}", rx=f"{QUIET},ppm={rx_ppm}", count=COUNT)
        hertz = frequency(settled(received)) * 1e6 * (1 + rx_ppm * 1e-6)
        assert hertz == pytest.approx(2.45e9 * (tx_ppm - rx_ppm) * 1e-6, abs=1)

    def test_ppm_moves_the_sample_rate(self, link):
        """Two tones, far apart: after both clocks' ratio and the carrier are taken out, their phases stand still."""
        spec = {"frequency": 100e6}
        sent = tone(0.3, -20) + tone(-0.3, -20)
        received, _ = link(sent, tx="ppm=20", rx=f"{QUIET},ppm=-10", tx_spec=spec, rx_spec=spec)
        received = settled(received)
        ratio = (1 + 20e-6) / (1 - 10e-6)
        carrier = 100e6 * 30e-6 / (1e6 * (1 - 10e-6))  # cycles per sample
        half = len(received) // 2
        for cycles in (0.3 * ratio + carrier, -0.3 * ratio + carrier):
            still = received * np.exp(-2j * np.pi * cycles * np.arange(len(received)))
            drift = np.angle(part(still[half : 2 * half], 0) / part(still[:half], 0)) / (2 * np.pi * half)
            assert drift / 0.3 == pytest.approx(0, abs=0.02e-6)

    @pytest.mark.parametrize("cycles", [0.05, -0.23, 0.41])
    def test_interpolation_leaves_no_images(self, link, cycles):
        received, _ = link(tone(cycles, -6), rx="noise_dbfs=-150,ppm=33,bits=0")
        received = settled(received)
        spectrum = np.abs(np.fft.fft(received * np.kaiser(len(received), 20)))
        peak = int(np.argmax(spectrum))
        others = np.delete(
            np.roll(spectrum, len(spectrum) // 2 - peak), np.s_[len(spectrum) // 2 - 40 : len(spectrum) // 2 + 41]
        )
        assert 20 * np.log10(others.max() / spectrum[peak]) < -75
        assert 20 * np.log10(np.abs(part(received, frequency(received)))) == pytest.approx(-6, abs=0.01)

    @pytest.mark.parametrize(("sent_at", "received_at"), [(2e6, 1e6), (1e6, 4e6), (1e6, 1.3e6)])
    def test_rates_may_differ(self, link, sent_at, received_at):
        samples = tone(0.11, -10, 400_000) + tone(-0.37, -10, 400_000)
        received, _ = link(samples, tx_spec={"rate": sent_at}, rx_spec={"rate": received_at}, count=60_000)
        received = settled(received)
        near, far = 0.11 * sent_at / received_at, -0.37 * sent_at / received_at
        assert 20 * np.log10(abs(part(received, near))) == pytest.approx(-10, abs=0.02)
        if abs(far) < 0.5:
            assert 20 * np.log10(abs(part(received, far))) == pytest.approx(-10, abs=0.02)
        else:  # filtered away, not folded back
            assert 20 * np.log10(abs(part(received, (far + 0.5) % 1 - 0.5))) < -80

    def test_a_receiver_tuned_aside_hears_its_part(self, link):
        samples = tone(0.3, -10) + tone(-0.3, -10)
        received, _ = link(samples, rx_spec={"frequency": 2.45e9 + 0.4e6})
        received = settled(received)
        assert 20 * np.log10(abs(part(received, -0.1))) == pytest.approx(-10, abs=0.02)
        assert 20 * np.log10(abs(part(received, 0.3))) < -80  # -0.7 would fold there
        received, _ = link(samples, rx_spec={"frequency": 2.46e9}, rx="noise_dbfs=-100")
        assert power_db(settled(received)) == pytest.approx(-100, abs=0.1)


class TestTime:
    @pytest.mark.parametrize("delay", [0, 37, 12.5])
    def test_delay_by_hardware_time(self, link, rng, delay):
        """A burst sent at a time is received that time plus the delay, by the time stamps."""
        sent = burst(rng, 4096)
        at = 30_000_000  # ns
        received, answer = link(sent, rx=f"{QUIET},delay={delay}", at_ns=at, count=60_000)
        first = answer["times"][0][2] * 1e-9 * 1e6  # sample of the hardware clock
        spectrum = np.fft.fft(received, 1 << 17) * np.conj(np.fft.fft(sent, 1 << 17))
        places = np.abs(np.fft.ifft(spectrum))
        peak = int(np.argmax(places))
        beside = np.fft.fftfreq(1 << 17)
        fine = np.arange(-1, 1.001, 0.05)
        sums = [abs(np.sum(spectrum * np.exp(2j * np.pi * beside * (peak + shift)))) for shift in fine]
        arrived = first + peak + fine[int(np.argmax(sums))]
        assert arrived - at * 1e-3 == pytest.approx(delay, abs=0.051)
        assert not answer["lost"]
        assert [0, 2 | 4] in [event[:2] for event in answer["events"]]  # the burst's end is acknowledged

    def test_time_errors_and_acknowledgements(self, bench, air):
        answer = bench("too_late", args=f"air={air}")
        late, ended = answer["events"]
        assert late[0] == -6  # SOAPY_SDR_TIME_ERROR
        assert answer["wrote"] == 1000
        assert ended[:2] == [0, 2 | 4]  # END_BURST, HAS_TIME
        assert ended[2] == pytest.approx(answer["at"] + 1_000_000, abs=500)  # 1000 samples later, to the nearest

    def test_receiving_from_a_time_on(self, bench, air):
        answer = bench("timed_read", args=f"air={air}", clock_ns=5_000_000_000, after_ns=150_000_000)
        assert answer["late"] == -6  # SOAPY_SDR_TIME_ERROR
        assert answer["read"] == 1000
        assert answer["time"] == pytest.approx(5_150_000_000, abs=500)

    def test_a_device_hears_itself_through_a_loop(self, bench, air, tmp_path, rng):
        sent = burst(rng, 4096)
        np.save(tmp_path / "sent.npy", sent)
        spec = {"args": f"air={air},pace=lockstep,loop=1,delay=25,{QUIET}"}
        capture = tmp_path / "received.npy"
        job = {"tx": spec, "rx": spec, "waveform": str(tmp_path / "sent.npy"), "capture": str(capture)}
        answer = bench("exchange", **job, count=20_000, at_ns=5_000_000)
        begin = 5_000 + 25 - answer["times"][0][2] // 1000
        np.testing.assert_allclose(np.load(capture)[begin:][: len(sent)], sent, atol=1e-7)

    def test_a_device_does_not_hear_itself_without(self, bench, air, tmp_path):
        np.save(tmp_path / "sent.npy", tone(0.1, -10, 4096))
        spec = {"args": f"air={air},pace=lockstep,{QUIET}"}
        capture = tmp_path / "received.npy"
        bench("exchange", tx=spec, rx=spec, waveform=str(tmp_path / "sent.npy"), capture=str(capture), count=5_000)
        assert power_db(np.load(capture)) < -190

    def test_mtu(self, link, rng):
        _, answer = link(burst(rng, 20_000), rx=f"model=b210,{QUIET}", count=20_000)
        assert answer["longest"] == 2040

    def test_two_runs_are_the_same(self, link, rng):
        sent = burst(rng, 50_000)
        faults = "ppm=13,noise_dbfs=-40,seed=7,overflow=0.2"
        first, second = (link(sent, rx=faults)[0] for _ in range(2))
        assert np.array_equal(first, second)
        other, _ = link(sent, rx=faults.replace("seed=7", "seed=8"))
        assert not np.array_equal(first, other)


class TestLosses:
    def test_injected_overflows(self, link):
        """Each costs one buffer: what follows is what would have been there, and its time says so."""
        sent = tone(0.1, -10, 800_000)
        received, answer = link(sent, rx=f"model=b210,{QUIET},bits=0,overflow=0.1,seed=2", count=300_000)
        buffers = 300_000 / 2040
        assert len(answer["lost"]) == pytest.approx(buffers * 0.1, abs=4 * np.sqrt(buffers * 0.1))
        assert all(code == -4 for _, code, _ in answer["lost"])
        assert answer["lost"][0][0] > 3500
        before, skipped = part(received[3000:3500], 0.1), 0
        for place, _, time_ns in answer["lost"]:
            skipped += 2040
            assert time_ns - answer["times"][0][2] == pytest.approx((place + skipped) * 1000, abs=1)
            after = part(received[place + 10 : place + 510], 0.1)
            passed = place + 10 + skipped - 3000  # samples of the air, among them those that were lost
            assert after * np.exp(-2j * np.pi * 0.1 * passed) == pytest.approx(before, abs=1e-4)

    def test_injected_underflows(self, link):
        sent = tone(0.1, -10, 400_000)
        received, answer = link(sent, tx="model=b210,bits=0,underflow=0.05,seed=4", count=450_000)
        underflows = [event for event in answer["events"] if event[0] == -7]
        assert len(underflows) == pytest.approx(196 * 0.05, abs=4 * np.sqrt(196 * 0.05))
        silent = np.abs(received[1100 : 1100 + 400_000 + 2040 * len(underflows)]) < 1e-6
        assert silent.sum() == pytest.approx(2040 * len(underflows), abs=2000)

    def test_who_does_not_read_overflows(self, bench, air):
        answer = bench("stall", args=f"air={air}", seconds=1.6)
        assert answer["codes"] == [1000, -4, 1000]
        gap = (answer["times"][2] - answer["times"][0]) * 1e-9
        assert 1.6 - 0.5 < gap < 2.6

    def test_who_does_not_write_underflows(self, bench, air):
        answer = bench("starve", args=f"air={air},model=hackrf")
        assert [event and event[0] for event in answer["events"]] == [-7, None, None]

    def test_a_hackrf_sends_or_receives(self, bench, air):
        """The direction that starts stops the other: its calls time out, as those of an inactive stream do."""
        answer = bench("half_duplex", args=f"air={air},model=hackrf,bits=8")
        assert not answer["full_duplex"]
        assert answer["answers"] == [131072, -1, 1000, 131072, -1]
        answer = bench("half_duplex", args=f"air={air}")
        assert answer["full_duplex"]
        assert answer["answers"] == [16384, 16384, 1000, 16384, 1000]


class TestComingAndGoing:
    def test_unplugged_and_back(self, bench, air):
        answer = bench("unplugged", args=f"air={air},id=x,unplug=0.3,unplug_for=0.5", wait=0.6)
        assert (answer["read"], answer["write"], answer["status"]) == (-2, -2, -2)  # SOAPY_SDR_STREAM_ERROR
        assert (answer["found"], answer["found_later"]) == (0, 1)
        assert answer["error"]
        assert answer["read_later"] == 1000  # and it stays this time

    def test_two_processes(self, start, receive, air, tmp_path):
        """Real pace: a tone crosses with both clocks off, and nothing is lost."""
        np.save(tmp_path / "tone.npy", tone(0.1, -10, 100_000))
        sender = start(
            "send", tx={"args": f"air={air},ppm=10", "buffers": 60}, waveform=str(tmp_path / "tone.npy"), forever=True
        )
        assert sender.line().split() == ["0", "sending"]
        received, lost = receive(f"air={air},ppm=-10,{QUIET}", count=300_000, skip=100_000)
        sender.kill()
        assert lost == 0
        assert power_db(received) == pytest.approx(-10, abs=0.02)
        offset = 2.45e9 * 20e-6 / 1e6
        assert frequency(received) == pytest.approx(0.1 * (1 + 20e-6) + offset, abs=2e-6)
        assert air in cleanup()

    def test_lockstep_waits_for_the_receiver(self, start, receive, air, tmp_path, rng):
        """The transmitter comes first and waits; the receiver, in another process, gets all of it."""
        sent = burst(rng, 400_000)
        np.save(tmp_path / "sent.npy", sent)
        sender = start("send", tx={"args": f"air={air},pace=lockstep"}, waveform=str(tmp_path / "sent.npy"))
        sender.line()
        time.sleep(0.3)
        received, lost = receive(f"air={air},{QUIET}", count=410_000)
        assert lost == 0
        assert sender.answer() == {"sent": len(sent)}
        begin = int(np.argmax(np.abs(received) > 1e-6))
        np.testing.assert_allclose(received[begin:][: len(sent)], sent, atol=1e-7)

    def test_lockstep_goes_on_without_a_killed_transmitter(self, start, air, tmp_path):
        """It was killed within a burst: what it had written is heard, then noise."""
        holder = start("hold", args=f"air={air},pace=lockstep")
        holder.line()
        receiver = start("receive", rx={"args": f"air={air},{QUIET}"}, capture=str(tmp_path / "rest.npy"), count=50_000)
        assert receiver.line() == "receiving\n"
        holder.kill()
        assert receiver.answer() == {"lost": 0}

    def test_lockstep_goes_on_with_another_receiver(self, start, receive, air, tmp_path):
        np.save(tmp_path / "tone.npy", tone(0.1, -10, 100_000))
        tx = {"args": f"air={air},pace=lockstep"}
        sender = start("send", tx=tx, waveform=str(tmp_path / "tone.npy"), forever=True)
        sender.line()
        receiver = start("receive", rx={"args": f"air={air}"}, capture=str(tmp_path / "rest.npy"), count=10**9)
        assert receiver.line() == "receiving\n"
        receiver.kill()
        received, lost = receive(f"air={air},{QUIET}", count=100_000, skip=10_000)
        assert lost == 0
        assert power_db(received) == pytest.approx(-10, abs=0.01)
        sender.kill()
        cleanup()

    def test_a_killed_process_leaves_its_place(self, start, bench, air):
        holder = start("hold", args=f"air={air},id=x,pace=lockstep")
        assert holder.line() == "holding\n"
        (line,) = bench("errors", attempts=[f"air={air},id=x"])["lines"]
        assert "in use by process" in line and str(holder.process.pid) in line
        holder.kill()
        assert list(SHARED_MEMORY.glob(f"gr-jscc-air-{air}.*"))  # its ring
        assert bench("errors", attempts=[f"air={air},id=x"])["lines"] == [""]

    def test_cleanup_after_a_kill(self, start, air):
        holder = start("hold", args=f"air={air}")
        holder.line()
        assert air not in cleanup()
        holder.kill()
        assert air in cleanup()

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
    def test_what_another_user_left_is_not_touched(self, air):
        table = SHARED_MEMORY / f"gr-jscc-air-{air}"
        table.touch(mode=0)
        try:
            assert air not in cleanup() and table.exists()
        finally:
            table.unlink()

    def test_one_line_for_what_makes_no_sense(self, bench, air):
        said = {
            "nois=3": "no argument 'nois'; it has air, id",
            "ppm=fast": "ppm must be a number, not 'fast'",
            "overflow=2": "overflow must lie in 0 to 1",
            "model=lime": "no model lime; it has plain, hackrf, b210",
            "bits=7.5": "bits must be a whole number",
            "pace=slow": "pace must be real or lockstep",
            "id=a/b": "id must be letters",
        }
        lines = bench("errors", attempts=[f"air={air},{args}" for args in said])["lines"]
        for line, part_of_it in zip(lines, said.values(), strict=True):
            assert part_of_it in line and "\n" not in line

    def test_one_air_one_pace(self, start, bench, air):
        holder = start("hold", args=f"air={air},pace=lockstep")
        holder.line()
        lines = bench("errors", attempts=[f"air={air},pace=real", f"air={air}"])["lines"]
        assert f"the air {air} already runs with pace=lockstep" in lines[0]
        assert lines[1] == ""
        holder.kill()
        cleanup()

    def test_limits_of_the_models(self, bench, air):
        answer = bench("limits", args=f"air={air},model=hackrf,id=7")
        assert answer["mtu"] == [131072, 131072]
        assert answer["serial"] == "virtual-7"
        assert answer["rx"]["gains"] == {"LNA": [0, 40, 8], "AMP": [0, 14, 14], "VGA": [0, 62, 2]}
        assert answer["tx"]["rates"] == [1e6, 20e6]
        assert not answer["time"]
        assert "no sample rate of 61" in answer["error"]
        answer = bench("limits", args=f"air={air},model=b210")
        assert answer["rx"]["antennas"] == ["RX2", "TX/RX"]
        assert answer["tx"]["gains"] == {"PGA": [0, 89.75, 0.25]}
        assert answer["time"]


class TestOthersPrograms:
    def test_soapysdrutil_finds_it(self, environment):
        found = subprocess.run(
            ["SoapySDRUtil", "--find=driver=jscc"], env=environment, capture_output=True, text=True, timeout=20
        )
        assert found.returncode == 0
        assert "driver = jscc" in found.stdout and "label = Virtual radio" in found.stdout

    def test_an_in_tree_flowgraph_records_it(self, start, environment, air, tmp_path):
        """GNU Radio's own Soapy source and file sink, nothing of ours in the process."""
        np.save(tmp_path / "tone.npy", tone(0.1, -10, 100_000))
        sender = start(
            "send", tx={"args": f"air={air}", "buffers": 60}, waveform=str(tmp_path / "tone.npy"), forever=True
        )
        sender.line()
        code = (
            "from gnuradio import gr, blocks, soapy\n"
            f"source = soapy.source('driver=jscc', 'fc32', 1, 'air={air},{QUIET}', '', [''], [''])\n"
            "source.set_sample_rate(0, 1e6)\n"
            "source.set_frequency(0, 2.45e9)\n"
            f"sink = blocks.file_sink(gr.sizeof_gr_complex, {str(tmp_path / 'recording.cf32')!r})\n"
            "graph = gr.top_block()\n"
            "graph.connect(source, blocks.head(gr.sizeof_gr_complex, 200_000), sink)\n"
            "graph.run()\n"
        )
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=40)
        assert done.returncode == 0, done.stderr
        sender.kill()
        recording = np.fromfile(tmp_path / "recording.cf32", np.complex64)[-100_000:]
        assert power_db(recording) == pytest.approx(-10, abs=0.05)
        assert frequency(recording) == pytest.approx(0.1, abs=1e-6)
        cleanup()

    def test_an_in_tree_sink_sends_with_it(self, receive, environment, air):
        code = (
            "from gnuradio import analog, gr, soapy\n"
            "tone = analog.sig_source_c(1e6, analog.GR_COS_WAVE, 1e5, 0.5, 0)\n"
            f"sink = soapy.sink('driver=jscc', 'fc32', 1, 'air={air},model=hackrf,bits=0', '', [''], [''])\n"
            "sink.set_sample_rate(0, 1e6)\n"
            "sink.set_frequency(0, 2.45e9)\n"
            "graph = gr.top_block()\n"
            "graph.connect(tone, sink)\n"
            "graph.start()\n"
            "print('sending', flush=True)\n"
            "input()\n"
            "graph.stop()\n"
            "graph.wait()\n"
        )
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
        with subprocess.Popen([sys.executable, "-c", code], **pipes) as sender:
            assert "sending\n" in iter(sender.stdout.readline, "")
            received, _ = receive(f"air={air},{QUIET}", count=200_000, skip=300_000)
            sender.communicate("\n", timeout=30)
        assert sender.returncode == 0
        assert power_db(received) == pytest.approx(20 * np.log10(0.5), abs=0.02)
        assert frequency(received) == pytest.approx(0.1, abs=1e-6)


def test_doctor_finds_it(environment):
    check = check_virtual_radio()
    assert check.ok and "driver=jscc" in check.found


def test_doctor_says_how_to_build_it(monkeypatch, tmp_path):
    monkeypatch.setattr("gr_jscc.radio.virtual.build_folder", lambda: tmp_path)
    monkeypatch.delenv(PLUGIN_PATH, raising=False)  # where radios were opened before, it names the built one
    assert check_virtual_radio().remedy.endswith("gr-jscc virtual-radio build")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert re.search(r"apt-get install .*cmake g\+\+.* && gr-jscc virtual-radio build$", check_virtual_radio().remedy)


def test_doctor_notices_a_module_that_does_not_load(monkeypatch, tmp_path):
    monkeypatch.setattr("gr_jscc.radio.virtual.build_folder", lambda: tmp_path)
    (tmp_path / MODULE_NAME).write_bytes(b"no library")
    check = check_virtual_radio()
    assert not check.ok and "does not load" in check.found and check.remedy.startswith(f"rm -r {tmp_path}")
