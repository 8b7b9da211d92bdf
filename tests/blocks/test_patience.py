"""A simulated run waits for whatever is at work, however long; what stands still is told in a line."""

import time

import pytest
from PIL import Image

from gr_jscc.blocks import image_source
from gr_jscc.codecs.deepjscc import codec as deepjscc
from gr_jscc.errors import UserError
from gr_jscc.flowgraphs import loopback as loopback_flowgraph
from gr_jscc.flowgraphs import transmitter
from gr_jscc.flowgraphs.loopback import Air, LoopbackFlowgraph
from gr_jscc.host.main import main
from gr_jscc.link.loading import Encoding
from gr_jscc.reports.collector import Collector
from gr_jscc.scheduler.worker import Worker

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(120)]
STALLED = 1.0


@pytest.fixture
def small_file(tmp_path, small_photo):
    path = tmp_path / "parrots.png"
    Image.fromarray(small_photo).save(path)
    return path


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(loopback_flowgraph, "STALLED_SECONDS", STALLED)


@pytest.mark.parametrize(
    ("owner", "name"),
    [(deepjscc._Transmitter, "start"), (deepjscc._Receiver, "push"), (Collector, "received")],
    ids=["encoder", "decoder", "comparison"],
)
def test_what_is_slow_is_waited_for(small_file, monkeypatch, owner, name):
    calls, original = [], getattr(owner, name)

    def slow(*arguments):
        calls.append(name)
        time.sleep(3 * STALLED)
        return original(*arguments)

    monkeypatch.setattr(owner, name, slow)
    (result,) = LoopbackFlowgraph([small_file], Encoding(), Air(snr_db=20.0)).results()
    assert calls == [name]
    assert result.report["psnr_db"] > 25 and result.report["bursts"]["lost"] == 0


@pytest.mark.parametrize("cut", ["ready", "received"])
def test_a_graph_that_stands_still_is_told(small_file, cut):
    graph = LoopbackFlowgraph([small_file], Encoding(), Air(snr_db=20.0))
    if cut == "ready":  # nothing ever begins
        sender = graph.transmitter
        sender.msg_disconnect(sender.encoder, "ready", sender.source, "ready")
    else:  # what was decoded is never heard of
        receiver = graph.receiver
        receiver.msg_disconnect(receiver.decoder, "received", receiver.sink, "events")
    with pytest.raises(UserError, match="has stalled") as told:
        list(graph.results())
    assert "\n" not in str(told.value)


def test_the_program_that_stands_still_ends_with_a_line_and_exit_code_2(small_file, monkeypatch, capsys, tmp_path):
    asked = []

    class silent_source(image_source):  # noqa: N801
        def handle_ready(self, message):
            asked.append(message)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(transmitter, "image_source", silent_source)
    with pytest.raises(SystemExit) as ended:
        main(["loopback", str(small_file), "--json"])
    _, err = capsys.readouterr()
    assert asked and ended.value.code == 2
    assert err.startswith("gr-jscc: ") and err.count("\n") == 1 and "has stalled" in err


def test_a_worker_is_busy_until_all_is_done_and_never_after_a_failure():
    def work(item):
        if item == "bad":
            raise UserError("no")
        item.append(1)
        time.sleep(0.05)

    failures, done = [], [[], []]
    worker = Worker(work, 0, failures.append)
    assert not worker.busy
    for item in done:
        worker.submit(item)
    assert worker.busy
    worker.start()
    end = time.monotonic() + 10
    while worker.busy:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert done == [[1], [1]]
    worker.submit("bad")
    worker.submit([])
    while not failures:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert not worker.busy
