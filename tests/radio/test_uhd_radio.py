"""What of the UHD radio can be shown without a USRP: bursts and their tags, what is counted, limits, errors."""

import numpy as np
import pmt
import pytest
from gnuradio import blocks, gr, uhd

from gr_jscc.radio import RadioError, radio_sink, radio_source
from gr_jscc.radio.conditioning import FromConverter, ToConverter
from gr_jscc.radio.limits import check_limits
from gr_jscc.radio.profile import load_profile
from gr_jscc.radio.tags import OVERFLOW
from gr_jscc.radio.timed_bursts import TimedBursts
from gr_jscc.radio.transmit_queue import TransmitQueue
from gr_jscc.radio.uhd_api import found_devices
from gr_jscc.radio.uhd_bursts import BurstQueue, BurstTagger, SinkEvents
from gr_jscc.radio.uhd_overflows import OverflowCounter
from gr_jscc.radio.uhd_radio import limits_of

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(60)]


def burst_tag(offset):
    tag = gr.tag_t()
    tag.offset, tag.key, tag.value = offset, pmt.intern("burst"), pmt.PMT_T
    return tag


def time_tag(offset, seconds):
    tag = gr.tag_t()
    tag.offset, tag.key = offset, pmt.intern("rx_time")
    tag.value = pmt.make_tuple(pmt.from_uint64(int(seconds)), pmt.from_double(seconds % 1))
    return tag


def run(*chain):
    graph = gr.top_block()
    graph.connect(*chain)
    graph.run()


def calibrated(**tables):
    """A calibrated profile, tuned without an offset: beside one there would be nothing to correct."""
    profile = load_profile("b210-uhd")
    ends = {end: profile.direction(end).model_dump() | {"lo_offset": 0.0} for end in ("tx", "rx")}
    calibration = {"date": "2026-01-01", **tables}
    return type(profile).model_validate(profile.model_dump() | ends | {"calibration": calibration})


@pytest.mark.parametrize("now", [None, lambda: 7.25])
def test_samples_leave_as_bursts_that_start_at_a_time(rng, now):
    """300,000 samples come at once, the device is busy with them to the end: one burst, none lost."""
    samples = (rng.standard_normal((300_000, 2)) @ [1, 1j]).astype(np.complex64) / 2
    queue = TransmitQueue(200_000, 50_000)
    source = blocks.vector_source_c(samples, False, 1, [burst_tag(0), burst_tag(100_000), burst_tag(299_000)])
    bursts, converter = TimedBursts("uhd:", 1e6, 0.05), ToConverter(load_profile("b210-uhd"))
    entrance, tagger = BurstQueue(queue), BurstTagger(queue, converter, now, bursts, SinkEvents())
    sent = blocks.vector_sink_c()
    graph = gr.top_block()
    graph.connect(source, entrance)
    graph.connect(tagger, sent)
    graph.run()
    assert np.allclose(sent.data(), 0.2 * samples, atol=1e-6)
    tags = [(tag.offset, pmt.symbol_to_string(tag.key)) for tag in sent.tags()]
    starts = [offset for offset, key in tags if key == "tx_sob"]
    ends = [offset for offset, key in tags if key == "tx_eob"]
    assert starts[0] == 0 and ends[-1] == len(samples) - 1
    assert starts[1:] == [end + 1 for end in ends[:-1]]  # every sample lies in one burst
    assert set(starts[1:]) <= {100_000, 299_000}  # and a pause only between ours
    times = [tag for tag in sent.tags() if pmt.symbol_to_string(tag.key) == "tx_time"]
    if not now:
        assert not times
        return
    seconds = [sum(pmt.to_python(tag.value)) for tag in times]
    # The device's clock stands still here: every burst waits for the end of the one before.
    assert seconds == pytest.approx([7.3 + start / 1e6 for start in starts])


def test_peaks_are_clipped_and_imbalance_is_predistorted():
    profile = calibrated(tx={"dc": (0.25, 0.0), "iq": (0.0, 0.5)})
    sent = ToConverter(profile).process(np.array([1, 100, -100j], np.complex64))
    # 0.2 - 0.25 + 0.5j·0.2; what exceeds full scale stops there
    assert np.allclose(sent, [-0.05 + 0.1j, 1 + 1j, -1 - 1j])


@pytest.mark.parametrize("scale", [2048, 32768])  # of SoapyBladeRF, and of SoapyRemote with a Pluto behind it
def test_peaks_do_not_wrap_around_in_drivers_that_multiply_and_cut(scale):
    sent = ToConverter(load_profile("hackrf")).process(np.array([100 - 100j], np.complex64))
    whole = (sent.view(np.float32) * np.float32(scale)).astype(np.int32)
    assert whole.tolist() == [scale - 1, -scale]


def test_what_the_device_lost_is_counted_and_the_offset_corrected():
    """10 ms are lost after 5000 samples, 3 samples after 9000."""
    rate, profile = 1e6, calibrated(rx={"dc": (0.5, 0.0)})
    tags = [time_tag(0, 1.75), time_tag(5000, 1.765), time_tag(9000, 1.769003)]
    source = blocks.vector_source_c(np.ones(20_000), False, 1, tags)
    counter, received = OverflowCounter(rate, FromConverter(profile)), blocks.vector_sink_c()
    run(source, counter, received)
    assert (counter.overflows, counter.lost_samples) == (2, 10_003)
    assert np.allclose(received.data(), 0.5) and len(received.data()) == 20_000
    assert [tag.offset for tag in received.tags() if tag.key == OVERFLOW] == [5000, 9000]


def message(*codes, when=None):
    """What gr-uhd's sink tells (async_event_loop in usrp_sink_impl.cc): a symbol and a dictionary with a list."""
    happened = pmt.PMT_NIL
    for code in codes:
        happened = pmt.list_add(happened, pmt.intern(code))
    content = pmt.dict_add(pmt.make_dict(), pmt.intern("event_code"), happened)
    if when is not None:
        time_spec = pmt.cons(pmt.from_long(int(when)), pmt.from_double(when % 1))
        content = pmt.dict_add(content, pmt.intern("time_spec"), time_spec)
    content = pmt.dict_add(content, pmt.intern("channel"), pmt.from_uint64(0))
    return pmt.cons(pmt.intern("uhd_async_msg"), content)


def test_what_came_too_late_is_taken_from_messages():
    events = SinkEvents()
    for codes, when in ((["underflow"], None), (["burst_ack"], 3.5), (["time_error"], 7.25), (["seq_error"], None)):
        events.handle_event(message(*codes, when=when))
    events.handle_event(message("burst_ack", "underflow_in_packet", "time_error"))
    events.handle_event(pmt.cons(pmt.intern("other"), pmt.PMT_NIL))
    assert events.underflows == 2 and events.late_times() == [7.25, None] and events.late_times() == []
    assert events.failure is None


class LateDevice(gr.sync_block):
    """A USRP sink to which the first bursts come too late: it tells that of every packet and drops them.

    Args:
        events: where it tells.
        late: how many.
        packet: samples of one.
    """

    def __init__(self, events, late, packet=2000):
        gr.sync_block.__init__(self, name="Late Device", in_sig=[np.complex64], out_sig=None)
        self.bursts, self.times = [], []
        self._events, self._late, self._packet = events, late, packet
        self.set_output_multiple(1)

    def work(self, input_items, output_items):
        samples, read = input_items[0], self.nitems_read(0)
        tags = {tag.offset - read: [] for tag in self.get_tags_in_window(0, 0, len(samples))}
        for tag in self.get_tags_in_window(0, 0, len(samples)):
            tags[tag.offset - read].append((pmt.symbol_to_string(tag.key), tag.value))
        for place, sample in enumerate(samples):
            marks = dict(tags.get(place, ()))
            if "tx_sob" in marks:
                self.bursts.append([])
                self.times.append(sum(pmt.to_python(marks["tx_time"])))
            self.bursts[-1].append(sample)
            dropped = len(self.bursts) <= self._late
            if dropped and (len(self.bursts[-1]) % self._packet == 0 or "tx_eob" in marks):
                self._events.handle_event(message("time_error", when=self.times[-1]))
        return len(samples)


@pytest.mark.parametrize("count", [1500, 120_000])
def test_a_late_burst_is_sent_again(rng, count):
    """One that is handed over at once and one that the device drops while more of it comes; late three times."""
    samples = (rng.standard_normal((count, 2)) @ [1, 1j]).astype(np.complex64) / 2
    queue, events, bursts = TransmitQueue(200_000, count), SinkEvents(), TimedBursts("uhd:", 1e6, 0.05)
    tagger = BurstTagger(queue, ToConverter(load_profile("b210-uhd")), lambda: 7.0, bursts, events)
    device = LateDevice(events, late=3)
    queue.put(samples)
    queue.finish()
    run(tagger, device)
    assert tagger.failure is None and bursts.late == 3 and len(device.bursts) == 4
    assert np.allclose(device.bursts[-1], 0.2 * samples, atol=1e-6)
    # Each is handed over earlier, and none before the one before has ended.
    assert device.times[0] == 7.05 and np.all(np.diff(device.times) > np.array([0.05, 0.1, 0.2]) - 1e-9)


class B210:
    """A device in UHD's own types, with the figures of a B210's manual."""

    def get_samp_rates(self):
        return uhd.meta_range(62.5e3, 61.44e6, 0.0)

    def get_freq_range(self, channel):
        return uhd.freq_range(50e6, 6e9, 0.0)

    def get_gain_names(self, channel):
        return ["PGA"]

    def get_gain_range(self, stage, channel):
        return uhd.gain_range(0.0, 76.0, 1.0)

    def get_antennas(self, channel):
        return ("TX/RX", "RX2")

    def get_clock_sources(self, board):
        return ("internal", "external", "gpsdo")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, ""),
        ({"sample_rate": 100e6}, "no sample rate of 100 Msps; possible: 0.0625 to 61.44 Msps"),
        ({"frequency": 30e6}, "does not tune to 30 MHz; possible: 50 to 6000 MHz"),
        ({"gains": {"PGA": 77}}, "PGA does not take 77 dB; possible: 0 to 76 dB"),
        ({"antenna": "RX3"}, "no antenna 'RX3'; it has TX/RX, RX2"),
    ],
)
def test_limits_are_read_from_uhd(changes, message):
    profile = load_profile("b210-uhd").adjusted("rx", **changes)
    if not message:
        check_limits(limits_of(B210()), profile, "rx")
        return
    with pytest.raises(RadioError) as refused:
        check_limits(limits_of(B210()), profile, "rx")
    assert message in str(refused.value)


@pytest.mark.parametrize("radio", [radio_sink, radio_source])
def test_a_usrp_that_is_not_there_is_told_in_one_line(radio):
    with pytest.raises(RadioError) as refused:
        radio("uhd:type=b200,serial=nosuch")
    assert str(refused.value) == ("uhd:type=b200,serial=nosuch: no such device is connected: see gr-jscc devices")
    with pytest.raises(RadioError, match="to reconnect use soapy:driver=uhd"):
        radio("uhd:type=b200", reconnect=True)
    assert found_devices("type=b200,serial=nosuch") == []
