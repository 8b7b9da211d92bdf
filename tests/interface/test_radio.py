"""A whole transfer between two radios in one process."""

import pytest

from gr_jscc import RadioLink, load_codec
from gr_jscc.channel import Scenario
from gr_jscc.errors import UserError
from gr_jscc.ports import free_addresses

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(180)]


def test_between_files(tmp_path, small_photo, codec):
    link = RadioLink(f"file:{tmp_path}/air.cf32", f"file:{tmp_path}/air.cf32")
    sent = link.send(small_photo, codec)
    assert sent.arrived and sent.psnr_db > 30 and sent.row["codec"] == "deepjscc"
    assert sent.row["image"] == "picture" and sent.row["cbr_total"] is None
    assert repr(sent).endswith(f"PSNR {sent.psnr_db:.2f} dB")


@pytest.mark.parametrize("name", ["deepjscc", "hjscc-feedback"])
def test_through_a_channel_that_loses_bursts(small_photo, name):
    from gr_jscc.flowgraphs.channel import ChannelFlowgraph

    near, far = (f"zmq:{address}" for address in free_addresses(2))
    air = ChannelFlowgraph(near, far, Scenario({"awgn": {"snr_db": 12}, "loss": {"probability": 0.2}}, seed=2))
    air.start()
    try:
        sent = RadioLink(near, far).send(small_photo, load_codec(name), 1 / 16)
    finally:
        air.finish(1.0)
    row = sent.row
    assert sent.psnr_db > 28 and row["codec"] == name and row["link"] == "radio"
    assert row["cbr_payload"] < row["cbr_total"] < row["cbr_air"]
    assert row["feedback_rounds"] > 0 or name == "deepjscc"


@pytest.mark.parametrize("address", ["nothing", "zmq:nowhere", "file:", 7])
def test_radios_that_there_are_not(address):
    with pytest.raises(UserError) as told:
        RadioLink(address, "file:air.cf32")
    assert "\n" not in str(told.value)


def test_a_bound_is_refused(tmp_path, small_photo):
    with pytest.raises(UserError, match="a bound"):
        RadioLink(f"file:{tmp_path}/a", f"file:{tmp_path}/a").send(small_photo, "separation-capacity", 1 / 6)
    assert not (tmp_path / "a").exists()
