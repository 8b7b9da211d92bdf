"""Addresses of radios: what is taken apart, and what is refused in one clear line."""

import subprocess
import sys

import pytest

from gr_jscc.errors import UserError
from gr_jscc.radio import KINDS, RadioAddress, RadioError, parse_radio

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize(
    ("address", "kind", "place"),
    [
        ("zmq:tcp://127.0.0.1:5555", "zmq", "tcp://127.0.0.1:5555"),
        ("zmq:tcp://*:1", "zmq", "tcp://*:1"),
        ("zmq-pub:tcp://lab-pc.example.org:65535", "zmq-pub", "tcp://lab-pc.example.org:65535"),
        ("zmq-req:ipc:///tmp/air", "zmq-req", "ipc:///tmp/air"),
        ("file:recordings/a:b.cf32", "file", "recordings/a:b.cf32"),
        ("soapy:driver=hackrf,serial=0", "soapy", "driver=hackrf,serial=0"),
        ("uhd:", "uhd", ""),
    ],
)
def test_addresses_are_taken_apart(address, kind, place):
    assert parse_radio(address) == RadioAddress(kind, place)
    assert str(parse_radio(address)) == address


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("", "unknown radio ''"),
        ("zmq", "unknown radio 'zmq'"),
        ("tcp://127.0.0.1:5555", "unknown radio 'tcp:"),
        ("ZMQ:tcp://127.0.0.1:5555", "unknown radio"),
        ("zmq:", "must be tcp://HOST:PORT or ipc://PATH"),
        ("zmq:5555", "must be tcp://HOST:PORT"),
        ("zmq:udp://127.0.0.1:5555", "must be tcp://HOST:PORT"),
        ("zmq:tcp://127.0.0.1", "must be tcp://HOST:PORT"),
        ("zmq:tcp://:5555", "the host is missing"),
        ("zmq:tcp://a b:5555", "the host is missing"),
        ("zmq:tcp://127.0.0.1:0", "from 1 to 65535"),
        ("zmq:tcp://127.0.0.1:99999", "from 1 to 65535"),
        ("zmq:tcp://127.0.0.1:*", "from 1 to 65535"),
        ("zmq:tcp://127.0.0.1:٣٣", "from 1 to 65535"),
        ("zmq:tcp://[::1]:5555", "do not support IPv6"),
        ("zmq-req:ipc://", "path of a socket"),
        ("zmq:ipc://*", "path of a socket"),
        ("file:", "the path of a file"),
        ("soapy:", "arguments must follow"),
        ("soapy:hackrf", "NAME=VALUE"),
        ("uhd:type=b200,", "NAME=VALUE"),
    ],
)
def test_nonsense_is_refused_in_one_line(address, message):
    with pytest.raises(RadioError) as refused:
        parse_radio(address)
    assert message in str(refused.value) and "\n" not in str(refused.value)
    assert isinstance(refused.value, UserError)


def test_the_kinds_are_listed():
    with pytest.raises(RadioError) as refused:
        parse_radio("soup:x")
    assert all(f"{kind}:" in str(refused.value) for kind in KINDS)


def test_addresses_are_checked_without_gnuradio():
    code = "import gr_jscc.radio as radio, sys; radio.parse_radio('zmq:tcp://a:1'); print('gnuradio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
