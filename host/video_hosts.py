"""What ``gr-jscc tx`` and ``rx`` do with frames: send the newest, show and record what comes."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import queue
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gr_jscc.errors import UserError
from gr_jscc.host import options
from gr_jscc.host.back_channel import back_channel_of
from gr_jscc.host.live import LiveView, number
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.link.loading import Decoding, Encoding, load_sending_codec
from gr_jscc.modem import Numerology
from gr_jscc.ports import host_and_port
from gr_jscc.radio.choice import RadioChoice
from gr_jscc.threads import share_cores
from gr_jscc.video.film import check_film, film
from gr_jscc.video.frames import FrameForm
from gr_jscc.video.live import age_ms
from gr_jscc.video.page import FramePage
from gr_jscc.video.pattern import read_number
from gr_jscc.video.sources import Source

KEPT = 4096  # frames over which figures are taken: a stream has no end
MANIFEST_SECONDS = 1.0  # who joins in mid-stream waits so long at most
LOCAL = "127.0.0.1"


def send_video(
    source: Source,
    form: FrameForm,
    seconds: float,
    choice: RadioChoice,
    encoding: Encoding,
    settings: LinkSettings,
    papr_limit: float,
    json_lines: bool,
    quiet: bool,
    slot: int,
    back_channel: tuple[str, str, bool],
) -> None:
    """Sends the newest frame whenever the air has room for one; with a ``slot``, each takes so many samples of it.

    With a ``back_channel`` (address, keys, insecure) the CBR follows the SNR that the receiver tells.

    Raises:
        UserError: the source or the codec cannot.
    """
    from gr_jscc.blocks.video_source import video_source
    from gr_jscc.flowgraphs.video_hosts import SendVideoFlowgraph

    share_cores()
    settings = dataclasses.replace(settings, manifest_seconds=MANIFEST_SECONDS, refresh=form.in_a_second)
    load_sending_codec(encoding, settings).check_picture(np.zeros((form.height, form.width, 3), np.uint8), encoding.cbr)
    frames = video_source(source, form, seconds)
    channel = back_channel_of(*back_channel)
    graph = SendVideoFlowgraph(frames, choice, encoding, settings, papr_limit, slot, channel)
    began, rate, cbrs = time.monotonic(), collections.deque(maxlen=50), collections.deque(maxlen=KEPT)
    title = f"{source.name} by {encoding.codec} at CBR {encoding.cbr:.4g} to {choice.address}"
    try:
        with options.stopped_by_signals(), LiveView(title, [], json_lines, quiet) as view:
            for event in graph.events():
                if event is not None and event["event"] == "air":
                    view.flow(event["air"])
                    rate.append(time.monotonic())
                elif event is not None and event["event"] == "state":
                    view.update(SNR=f"{number(event['snr_db'])} dB")
                elif event is not None and event["event"] == "sent":
                    cbrs.append(event["cbr"])
                    view.update(CBR=number(event["cbr"], 4))
                view.update(frames=frames.sent, dropped=frames.dropped, fps=_rate(rate))
    finally:
        told = {"frames": frames.sent, "dropped": frames.dropped, "seconds": round(time.monotonic() - began, 3)}
        told |= {"cbr_from": round(min(cbrs), 5), "cbr_to": round(max(cbrs), 5)} if channel and cbrs else {}
        _tell(told, json_lines, quiet)


def receive_video(
    choice: RadioChoice,
    decoding: Decoding,
    layout: Numerology,
    film_to: Path | None,
    page: str,
    fps: float,
    idle: float,
    json_lines: bool,
    quiet: bool,
    latency: float,
    back_channel: tuple[str, str, bool],
) -> None:
    """Shows and records frames as they come; on a ``back_channel`` (address, keys, insecure) it tells its SNR.

    Raises:
        UserError: the page or the film cannot be.
    """
    from gr_jscc.flowgraphs.video_hosts import ReceiveVideoFlowgraph

    share_cores()
    seen = _Seen()
    if film_to is not None:
        check_film(film_to, quality=75)
    told = back_channel_of(*back_channel)
    graph = ReceiveVideoFlowgraph(choice, decoding, seen.take, layout, told, latency)
    title = f"frames by {decoding.codec} from {choice.address}"
    interrupted = False
    with contextlib.ExitStack() as open_:
        if page:
            served = open_.enter_context(FramePage(*_address(page)))
            seen.show = served.show
            title += f", shown at {served.address}"
        open_.enter_context(options.stopped_by_signals())
        view = open_.enter_context(LiveView(title, [], json_lines, quiet))
        write, seen.since = None, time.monotonic()
        try:
            with contextlib.closing(graph.moments(1 / fps, idle)) as moments:
                for _ in moments:
                    if film_to is not None and seen.image is not None:
                        height, width = (side // 2 * 2 for side in seen.image.shape[:2])
                        write = write or open_.enter_context(film(film_to, fps, (width, height)))
                        write(np.ascontiguousarray(seen.image[:height, :width]))
                    seen.tell(view, json_lines)
        except KeyboardInterrupt:  # that is how it ends: the film is finished first
            interrupted = True
    seen.tell(view, json_lines)
    _tell(seen.summary() | {"passed_over": graph.decoder.passed_over}, json_lines, quiet)
    if interrupted:
        raise KeyboardInterrupt


class _Seen:
    """What has come so far. `take` is called in a thread of the flowgraph's, all else in the program's."""

    def __init__(self) -> None:
        self.image: np.ndarray | None = None
        self.show = lambda image: None
        self.since: float | None = None  # when it began to listen
        self._first_s: float | None = None  # seconds after that, of the first picture
        self._shown = self._lost = 0
        self._times: collections.deque[float] = collections.deque(maxlen=KEPT)
        self._ages: collections.deque[int] = collections.deque(maxlen=KEPT)
        self._news: queue.Queue[dict] = queue.Queue()
        self._lock = threading.Lock()

    def take(self, image: np.ndarray | None, snr_db: float | None) -> None:
        if image is None:
            self._lost += 1
            self._news.put({"event": "lost", "snr_db": snr_db})
            return
        self.image = image
        self.show(image)
        code = read_number(image)
        age = None if code is None else age_ms(code)
        with self._lock:
            if self.since is not None and not self._shown:
                self._first_s = round(time.monotonic() - self.since, 3)
            self._shown += 1
            self._times.append(time.monotonic())
            if age is not None:
                self._ages.append(age)
        self._news.put({"event": "frame", "number": code, "age_ms": age, "snr_db": snr_db})

    def tell(self, view: LiveView, json_lines: bool) -> None:
        """Brings the view up to date."""
        while not self._news.empty():
            news = self._news.get()
            if json_lines:
                print(json.dumps(news), flush=True)
            view.update(SNR=f"{number(news['snr_db'])} dB")
        with self._lock:
            times, ages = list(self._times)[-50:], list(self._ages)[-1:]
        view.update(frames=self._shown, lost=self._lost, fps=_rate(times))
        if ages:
            view.update(latency=f"{ages[0]} ms")

    def summary(self) -> dict:
        """Figures of the latest frames; the rate from the first of them to the last."""
        span = self._times[-1] - self._times[0] if len(self._times) > 1 else 0.0
        told = {"frames": self._shown, "lost": self._lost, "first_s": self._first_s}
        if span:
            told["fps"] = round((len(self._times) - 1) / span, 2)
            told["longest_gap_s"] = round(float(np.max(np.diff(self._times))), 3)
        if self._ages:
            median, high = np.percentile(self._ages, [50, 95])
            told |= {"latency_ms": round(float(median)), "latency_95_ms": round(float(high))}
        return told


def _rate(times: Sequence[float]) -> str:
    span = times[-1] - times[0] if len(times) > 1 else 0.0
    return f"{(len(times) - 1) / span:.1f}" if span else "–"


def _tell(told: dict, json_lines: bool, quiet: bool) -> None:
    if json_lines:
        print(json.dumps({"event": "summary"} | told), flush=True)
    elif not quiet:
        print(", ".join(f"{name} {value}" for name, value in told.items() if value is not None), flush=True)


def _address(page: str) -> tuple[str, int]:
    """Host and port of a text such as ``8000`` or ``192.168.1.7:8000``.

    Raises:
        UserError: it is none.
    """
    place = host_and_port(page)
    if place is None:
        raise UserError(f"--page must be a port or HOST:PORT, such as 8000, not {page!r}")
    host, port = place
    return host or LOCAL, port
