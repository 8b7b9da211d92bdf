"""SoapySDR devices as blocks, on the virtual radio: what arrives, what is counted, what is refused in one line."""

import itertools
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import scipy.signal
from gnuradio import blocks, gr

from gr_jscc.radio import RadioError, radio_sink, radio_source
from gr_jscc.radio.profile import load_profile
from gr_jscc.radio.soapy_api import found_devices, has_module, missing_module
from gr_jscc.radio.virtual import module_folder

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(60)]
COUNT = 150_000
CLEAN = "noise_dbfs=-150,bits=0"
_numbers = itertools.count()


@pytest.fixture
def air():
    """Makes addresses of devices in an air of the test's own, whose clock goes as its devices work."""
    assert module_folder(), "the virtual radio is not built: gr-jscc virtual-radio build"
    name = f"soapy-{os.getpid()}-{next(_numbers)}"

    def address(identity, *more, pace="lockstep"):
        return ",".join([f"soapy:driver=jscc,air={name},pace={pace},id={identity}", *more])

    return address


@pytest.fixture(scope="module")
def noise():
    """complex64[COUNT] with mean power 1, that ends within the receiver's reach."""
    rng = np.random.default_rng(1)
    return ((rng.standard_normal((COUNT, 2)) @ [1, 1j]) / np.sqrt(2)).astype(np.complex64)


def calibrated(name, **tables):
    profile = load_profile(name)
    return type(profile).model_validate(profile.model_dump() | {"calibration": {"date": "2026-01-01"} | tables})


class Kept(gr.sync_block):
    """Keeps what it gets."""

    def __init__(self):
        gr.sync_block.__init__(self, name="Kept", in_sig=[np.complex64], out_sig=None)
        self.parts = []

    def work(self, input_items, output_items):
        self.parts.append(input_items[0].copy())
        return len(input_items[0])


def transmit(sink, samples):
    """In one piece: where the flowgraph pauses for longer than the queue waits, the device pauses, too."""
    graph, source = gr.top_block(), blocks.vector_source_c(samples)
    source.set_log_level("warn")  # the next line would be announced on standard output
    source.set_min_output_buffer(2 * COUNT)
    graph.connect(source, sink)
    graph.run()
    assert sink.finish()


def over_the_air(source, sink, samples):
    """What a receiver gets while a transmitter sends: complex64[n], the noise between included."""
    graph, received = gr.top_block(), Kept()
    graph.connect(source, received)
    graph.start()
    try:
        transmit(sink, samples)
        sent, end = received.nitems_read(0), time.monotonic() + 20  # some is still in the air
        while received.nitems_read(0) < sent + 2 * COUNT and time.monotonic() < end and source.failure is None:
            time.sleep(0.01)
    finally:
        graph.stop()
        graph.wait()
    return np.concatenate(received.parts)


def found(received, sent):
    """The part of what was received that is best explained by what was sent."""
    match = scipy.signal.fftconvolve(received, np.conj(sent[::-1]), "valid")
    begin = int(np.abs(match).argmax())
    return received[begin : begin + len(sent)]


@pytest.mark.parametrize(
    ("model", "profile"), [("plain", "virtual"), ("hackrf", "virtual-hackrf"), ("b210", "virtual-b210")]
)
def test_every_sample_arrives(air, noise, model, profile):
    """Over buffers of 131,072 samples and of 2040, in an endless stream and in timed bursts; the profile's power."""
    source = radio_source(air("r", f"model={model}", CLEAN), profile=profile)
    sink = radio_sink(air("t", f"model={model}", CLEAN), profile=profile)
    got = found(over_the_air(source, sink, noise), noise)
    amplitude = load_profile(profile).tx.amplitude
    clipped = np.clip((amplitude * noise).view(np.float32), -1, 1).view(np.complex64)
    assert np.abs(got - clipped).max() < 1e-3
    assert source.statistics.overflows == source.statistics.lost_samples == 0 and sink.statistics.underflows == 0
    assert source.tuned.serial == "virtual-r" and source.tuned.gains == load_profile(profile).rx.gains
    assert sink.finish()  # once more, harmless


@pytest.mark.parametrize("count", [5000, COUNT])
def test_a_burst_that_came_too_late_is_sent_again(air, noise, count, caplog):
    """0.1 ms ahead is too late for the virtual radio, which wants 0.26: one burst of one write and one of many."""
    profile = load_profile("virtual-b210")
    stream = profile.stream.model_dump() | {"lead_seconds": 1e-4}
    hasty = type(profile).model_validate(profile.model_dump() | {"stream": stream})
    sink = radio_sink(air("t", "model=b210", CLEAN), profile=hasty)
    source = radio_source(air("r", "model=b210", CLEAN), profile=profile)
    received = over_the_air(source, sink, noise[:count])
    assert sink.failure is None
    clipped = np.clip((0.2 * noise[:count]).view(np.float32), -1, 1).view(np.complex64)
    assert np.abs(found(received, noise[:count]) - clipped).max() < 1e-3
    assert np.count_nonzero(np.abs(received) > 1e-3) < 1.01 * count  # it is there once
    assert sink.statistics.late_bursts >= 1 and sink.statistics.underflows == 0
    told = [record.getMessage() for record in caplog.records]
    assert (
        len(told) == 1
        and "a burst missed its transmit time" in told[0]
        and "lead_seconds" in told[0]
        and "\n" not in told[0]
    )


def test_one_device_hears_itself(air, noise):
    address = air("both", "loop=1", CLEAN)
    source, sink = radio_source(address), radio_sink(address)
    assert np.abs(found(over_the_air(source, sink, noise), noise) - 0.2 * noise).max() < 1e-3


def test_what_the_device_loses_is_left_out_and_counted(air):
    """A constant is sent; a fifth of the receiver's buffers are lost."""
    source = radio_source(air("r", "model=b210", "overflow=0.2", "seed=3", CLEAN), profile="virtual-b210")
    sink = radio_sink(air("t", "model=b210", CLEAN), profile="virtual-b210")
    received = over_the_air(source, sink, np.ones(COUNT, np.complex64))
    arrived = np.count_nonzero(np.abs(received - 0.2) < 0.01)
    told = source.statistics
    assert told.overflows > 0 and told.lost_samples >= told.overflows * 1000
    # What is lost before and after the constant is counted, too.
    assert 0 < COUNT - arrived <= told.lost_samples and told.underflows == 0


def test_a_clock_that_jumps_loses_no_samples(air):
    """At one buffer in twenty, by up to a second either way; half of the calls move a part of what they could."""
    source = radio_source(air("r", "model=b210", "jumps=0.05", "partial=0.5", pace="real"), profile="virtual-b210")
    graph, received = gr.top_block(), blocks.null_sink(gr.sizeof_gr_complex)
    graph.connect(source, received)
    begun = time.monotonic()
    graph.start()
    time.sleep(1.0)
    graph.stop()
    graph.wait()
    most = (time.monotonic() - begun + 0.1) * load_profile("virtual-b210").stream.sample_rate
    assert 0 < received.nitems_read(0) <= most - source.statistics.lost_samples


def test_what_came_too_late_is_counted(air, noise):
    sink = radio_sink(air("t", "model=b210", "underflow=0.5", "seed=3", CLEAN), profile="virtual-b210")
    source = radio_source(air("r", "model=b210", CLEAN), profile="virtual-b210")
    over_the_air(source, sink, noise)
    assert sink.statistics.underflows > 5


@pytest.mark.parametrize(("model", "profile"), [("hackrf", "virtual-hackrf"), ("b210", "virtual-b210")])
def test_beside_the_local_oscillator(air, model, profile):
    """Both tune 150 kHz higher, by the device or digitally: a tone arrives where it was, and leakage 150 kHz higher."""
    name = load_profile(profile)
    tables = {way: name.direction(way).model_dump() | {"lo_offset": 150e3} for way in ("tx", "rx")}
    name = type(name).model_validate(name.model_dump() | tables)
    source = radio_source(air("r", f"model={model}", "rx_dc_i=0.08", CLEAN), profile=name)
    sink = radio_sink(air("t", f"model={model}", "tx_dc_i=0.04", CLEAN), profile=name)
    rate, frequency = 2e6, 250e3
    tone = np.exp(2j * np.pi * frequency / rate * np.arange(COUNT)).astype(np.complex64)
    got = found(over_the_air(source, sink, tone), tone)
    spectrum = np.abs(np.fft.fft(got * np.hanning(len(got))))
    level = lambda at: spectrum[round(at / rate * len(got)) % len(got)]  # noqa: E731
    assert spectrum.argmax() == pytest.approx(frequency / rate * len(got), abs=1)
    assert level(0.0) < 1e-3 * level(frequency) and level(150e3) > 0.1 * level(frequency)


def test_offset_and_clock_are_corrected(air):
    """What a calibration found out is undone: an offset of 0.1 and a clock that is 8 ppm too fast."""
    faults = "rx_dc_i=0.1", "rx_dc_q=-0.05", "ppm=8", CLEAN
    tone = np.ones(COUNT, np.complex64)

    def heard(profile):
        received = over_the_air(
            radio_source(air(f"r{profile.calibration is None}", *faults), profile=profile),
            radio_sink(air("t", CLEAN), profile="virtual"),
            tone,
        )
        return received

    plain = heard(load_profile("virtual"))
    better = heard(calibrated("virtual", rx={"dc": (0.1, -0.05), "ppm": 8.0}))
    assert np.abs(np.median(plain.real) - 0.1) < 0.03
    silent = better[np.abs(better) < 0.1]
    assert len(silent) > 1000 and np.percentile(np.abs(silent), 99) < 1e-3
    loud = better[np.abs(better) > 0.19]
    turn = np.angle(np.vdot(loud[:-1], loud[1:])) / (2 * np.pi) * 1e6
    assert abs(turn) < 1.0  # Hz; 19.6 kHz without
    assert abs(len(loud) - COUNT) < 10


def test_imbalance_of_the_transmitter_is_predistorted(air):
    """A tone's image, with Q 0.5 dB stronger than I, and with the correction that undoes it, see correction.py."""
    gain = 10 ** (0.5 / 20)
    mu, nu = (1 + gain) / 2, (1 - gain) / 2
    tone = np.exp(2j * np.pi * 0.1 * np.arange(COUNT)).astype(np.complex64)

    def image(profile, identity):
        sink = radio_sink(air(identity, "tx_iq_gain_db=0.5", CLEAN), profile=profile)
        got = found(over_the_air(radio_source(air("r" + identity, CLEAN)), sink, tone), tone)
        return abs(np.vdot(np.conj(tone), got)) / abs(np.vdot(tone, got))

    assert image(load_profile("virtual"), "a") == pytest.approx(abs(nu / mu), rel=0.02)
    assert image(calibrated("virtual", tx={"iq": (-nu / mu, 0.0)}), "b") < 1e-3


@pytest.mark.parametrize("make", [radio_sink, radio_source])
def test_gains_and_frequency_change_while_it_runs(air, make):
    radio = make(air("x", "model=b210"), profile="virtual-b210")
    radio.set_gain("PGA", 33)
    radio.set_frequency(915e6)
    assert radio.tuned.gains == {"PGA": 33} and radio.tuned.frequency == 915e6
    for change, message in (
        (lambda: radio.set_gain("PGA", 99), "PGA does not take 99 dB"),
        (lambda: radio.set_gain("LNA", 1), "no gain stage 'LNA'; it has PGA"),
        (lambda: radio.set_frequency(1e3), "does not tune to 0.001 MHz"),
    ):
        with pytest.raises(RadioError, match=message):
            change()
    assert radio.tuned.gains == {"PGA": 33} and radio.tuned.frequency == 915e6


class TestUnplugged:
    def test_the_source_ends_with_one_line(self, air):
        source = radio_source(air("r", "unplug=0.3", pace="real"))
        graph = gr.top_block()
        graph.connect(source, blocks.null_sink(gr.sizeof_gr_complex))
        graph.run()
        assert isinstance(source.failure, RadioError) and "\n" not in str(source.failure)
        assert "the device returned STREAM_ERROR; is it unplugged?" in str(source.failure)

    def test_the_sink_ends_with_one_line(self, air):
        sink = radio_sink(air("t", "unplug=0.3", pace="real"))
        graph = gr.top_block()
        graph.connect(blocks.null_source(gr.sizeof_gr_complex), sink)
        graph.run()
        assert "is it unplugged?" in str(sink.failure) and not sink.finish()

    def test_the_source_goes_on_when_it_is_back(self, air):
        source = radio_source(air("r", "unplug=0.3", "unplug_for=0.6", pace="real"), reconnect=True)
        graph, received = gr.top_block(), blocks.null_sink(gr.sizeof_gr_complex)
        graph.connect(source, received)
        graph.start()
        end = time.monotonic() + 20
        while not source.statistics.reconnects and time.monotonic() < end:
            time.sleep(0.02)
        before = received.nitems_read(0)
        while received.nitems_read(0) == before and time.monotonic() < end:
            time.sleep(0.02)
        graph.stop()
        graph.wait()
        assert source.statistics.reconnects == 1 and not source.away and source.failure is None
        assert received.nitems_read(0) > before > 0

    def test_the_sink_goes_on_when_it_is_back(self, air):
        sink = radio_sink(air("t", "unplug=0.3", "unplug_for=0.6", pace="real"), reconnect=True)
        graph, source = gr.top_block(), blocks.null_source(gr.sizeof_gr_complex)
        graph.connect(source, sink)
        graph.start()
        end = time.monotonic() + 50
        while not sink.statistics.reconnects and time.monotonic() < end:
            time.sleep(0.02)
        before = sink.nitems_read(0)
        while sink.nitems_read(0) < before + 500_000 and time.monotonic() < end:
            time.sleep(0.02)
        graph.stop()
        graph.wait()
        assert sink.statistics.reconnects == 1 and sink.failure is None and sink.nitems_read(0) > before


class TestRefused:
    @pytest.mark.parametrize(
        ("place", "profile", "message"),
        [
            ("model=hackrf", "virtual", "no sample rate of 1.5 Msps; possible: 1 to 20 in steps of 1 Msps"),
            ("model=plain", "virtual-hackrf", "the device has no gain stage 'AMP'; it has RX"),
            ("model=nosuch", "virtual", "the virtual radio has no model nosuch"),
            ("ppm=fast", "virtual", "ppm must be a number"),
        ],
    )
    def test_what_the_device_cannot(self, air, place, profile, message):
        profile = load_profile(profile)
        if "rate" in message:
            profile = profile.adjusted("rx", sample_rate=1.5e6)
        with pytest.raises(RadioError) as refused:
            radio_source(air("x", place), profile=profile)
        assert message in str(refused.value) and "\n" not in str(refused.value)

    def test_both_directions_of_a_half_duplex_device(self, air):
        address = air("x", "model=hackrf")
        sink = radio_sink(address, profile="virtual-hackrf")
        with pytest.raises(RadioError, match="half-duplex and this program already uses it to send"):
            radio_source(address, profile="virtual-hackrf")
        sink.close()
        radio_source(address, profile="virtual-hackrf").close()

    def test_a_device_that_another_program_has(self, air):
        address = air("x")
        code = (
            "import sys; from gr_jscc.radio.soapy_api import soapy; device = soapy().Device(sys.argv[1]);"
            "print('open', flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code, address.removeprefix("soapy:")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as other:
            assert other.stdout.readline() == "open\n"
            with pytest.raises(RadioError, match=f"in use by process {other.pid}"):
                radio_sink(address)
            other.stdin.close()

    def test_a_driver_that_is_not_installed(self):
        assert has_module("jscc") and has_module("somethingelse")
        if has_module("xtrx"):
            pytest.skip("the driver is installed here")
        with pytest.raises(RadioError) as refused:
            radio_sink("soapy:driver=xtrx", profile="hackrf")
        assert str(refused.value) == missing_module("xtrx")
        assert str(refused.value).endswith("sudo apt-get install soapysdr-module-xtrx")

    def test_a_device_that_is_not_there(self):
        assert found_devices("driver=nosuch") == []
        with pytest.raises(RadioError, match="soapy:driver=nosuch: no such device is connected: see gr-jscc devices"):
            radio_source("soapy:driver=nosuch", profile="hackrf")
