"""What blocks tell beside pictures: to the logger, to windows, or to the programs of this package."""

import numpy as np
import pytest
from gnuradio import gr

from gr_jscc import telling
from gr_jscc.blocks import back_channel, jscc_decoder, jscc_encoder
from gr_jscc.codecs.base import Reception
from gr_jscc.errors import UserError
from gr_jscc.link.arrival import Arrival
from gr_jscc.link.back_channel import RefusedPeer
from gr_jscc.link.bursts import manifest_of
from gr_jscc.link.policy import SendingPolicy
from gr_jscc.link.session import Session
from gr_jscc.scheduler.guard import fail, guarded

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(120)]


@pytest.fixture
def told():
    """Lines as a window gets them, and whether each is a failure."""

    class Lines:
        def __init__(self):
            self.lines = []

        def take(self, line, failed):
            self.lines.append((line, failed))

    heard = Lines()
    telling.listen(heard.take)
    yield heard.lines


@pytest.mark.parametrize(
    ("codec", "with_policy", "remark"),
    [
        ("successive-residual", False, True),
        ("hjscc-feedback", False, True),
        ("successive-residual", True, False),
        ("deepjscc", False, False),
    ],
)
def test_a_feedback_codec_without_a_back_channel_says_so(told, codec, with_policy, remark):
    encoder = jscc_encoder(codec, 1 / 12, policy=SendingPolicy() if with_policy else None)
    encoder.start()
    encoder.stop()
    line = f"{codec} works better with feedback, but there is no back-channel: it sends without"
    assert told == ([(line, False)] if remark else [])


@pytest.mark.parametrize(("live", "back", "remark"), [(True, False, True), (False, False, False), (True, True, False)])
def test_a_receiving_host_without_a_back_channel_says_so(told, live, back, remark):
    decoder = jscc_decoder("hjscc-feedback", live=live, back_channel=back)
    decoder.start()
    decoder.stop()
    assert [line for line, _ in told] == (
        ["hjscc-feedback works better with feedback, but there is no back-channel: it continues without"]
        if remark
        else []
    )


def test_rounds_of_another_codec_are_told_once(told, small_photo):
    sender, decoder = jscc_encoder("deepjscc"), jscc_decoder("successive-single")
    payload = sender.codec.transmitter(1 / 12).start(small_photo)
    height, width = small_photo.shape[:2]
    manifest = manifest_of(payload, height, width, sender.codec.weights_hash, Session())
    reception = Reception(payload.symbols, np.full(len(payload.symbols), 0.1, np.float32), payload.side_info)
    for transfer in range(3):
        decoder._decode(Arrival(transfer, 0, manifest, reception, 4, 4, 10.0, 0.0, -10.0))
    ((line, failed),) = told
    assert not failed and "another codec or other weights" in line and "successive-single" in line


@pytest.mark.parametrize("sure", [True, False])
def test_a_peer_that_does_not_fit_is_told_once(told, sure):
    channel = back_channel("tcp://127.0.0.1:5550")
    for _ in range(3):
        channel._tell(RefusedPeer("the receiver runs ntscc, not deepjscc", sure))
    assert told == [("the receiver runs ntscc, not deepjscc", False)]


class block(gr.basic_block):  # noqa: N801
    def __init__(self, error):
        gr.basic_block.__init__(self, "Block Under Test", None, None)
        self.failure, self.error = None, error

    @guarded
    def work_once(self):
        raise self.error


def test_a_failure_is_on_the_logger_once_and_a_bug_keeps_its_traceback(told, capfd):
    user, bug = block(UserError("a.png: damaged")), block(KeyError("oops"))
    for one in (user, bug):
        assert one.work_once() == one.work_once() == -1
        fail(one, RuntimeError("later"))
        assert one.failure is one.error
    assert told == [("a.png: damaged", True), ("KeyError: 'oops'", True)]
    out, err = capfd.readouterr()
    logged = [line for line in err.splitlines() if line.startswith("Block")]
    assert logged == ["Block Under Test :error: a.png: damaged", "Block Under Test :error: KeyError: 'oops'"]
    assert out == "" and err.count("Traceback") == 1 and err.count("a.png") == 1


def test_our_programs_raise_failures_themselves_and_show_remarks(told, capfd):
    shown = []
    with telling.told_by_program(shown.append):
        telling.failure("Block", UserError("bad"))
        telling.remark("Block", "kept where the program looks", kept=True)
        telling.remark("Block", "left out: \x1b[31m")
    assert shown == ["left out: \\x1b[31m"]
    assert [line for line, _ in told] == ["bad", "kept where the program looks", "left out: \\x1b[31m"]
    assert capfd.readouterr() == ("", "")
    telling.remark("Block", "afterwards")
    assert capfd.readouterr().err == "Block :warning: afterwards\n"
