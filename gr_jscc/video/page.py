"""A page that shows frames as they come, in any browser: motion JPEG over HTTP, by Python's own server.

It loads nothing from anywhere else. It is served at one address, which is this machine's own unless told otherwise:
whoever can reach that address can watch. Who asks for it by another name is refused: a name that somebody else owns may
be made to mean this machine, and a page of theirs that is open in a browser here could then read what is shown (DNS
rebinding).
"""

from __future__ import annotations

import io
import ipaddress
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image

from gr_jscc.video.frames import VideoError

QUALITY = 80  # of JPEG
WATCHERS = 8  # at a time
_WAIT_SECONDS = 1.0  # for a frame, between two looks whether the page is still open
_PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>gr-jscc</title>
<meta name="viewport" content="width=device-width">
<style>html{background:#202226}body{margin:0;display:grid;place-items:center;height:100vh}
img{width:100vw;height:100vh;object-fit:contain;image-rendering:auto}</style>
<img src="frames" alt="what is received"></html>"""
_POLICY = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'"


class FramePage:
    """Serves the frames that it is shown.

    Args:
        host, port: of its address; port 0 takes a free one.

    Attributes:
        address: of the page.
        watching: as many may.

    Raises:
        VideoError: nothing can listen there.

    Example:
        >>> import urllib.request
        >>> with FramePage("127.0.0.1", 0) as page:
        ...     page.show(np.zeros((16, 16, 3), np.uint8))
        ...     with urllib.request.urlopen(page.address) as answer:
        ...         b"<img" in answer.read()
        True
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._news = threading.Condition()
        self._image: np.ndarray | None = None
        self._number, self._closing = 0, False
        self._jpeg: tuple[int, bytes] = (0, b"")
        self.watching = threading.BoundedSemaphore(WATCHERS)
        try:
            self._server = _Server((host, port), _handler(self))
        except (OSError, OverflowError) as error:
            raise VideoError(f"no page can be served at {host}:{port}: {error}") from error
        self._host, self._port = host.lower(), self._server.server_address[1]
        self.address = f"http://{host}:{self._port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    def __enter__(self) -> FramePage:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        with self._news:
            self._closing = True
            self._news.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def is_meant(self, host: str) -> bool:
        """Whether a request's ``Host`` is this page's address: as it was told, or ``localhost`` where that is the same.

        Where all addresses of the machine are served, each of them in figures is.
        """
        name, _, port = host.lower().partition(":")
        if (port or "80") != str(self._port):
            return False
        try:
            served = ipaddress.ip_address(self._host)
        except ValueError:  # a name
            return name == self._host
        if name == "localhost":
            return served.is_loopback or served.is_unspecified
        return name == self._host or (served.is_unspecified and _is_figures(name))

    def show(self, image: np.ndarray) -> None:
        """Shows uint8[H, W, 3] to whoever watches; who is too slow misses it."""
        with self._news:
            self._image = image
            self._number += 1
            self._news.notify_all()

    def frames(self) -> Iterator[bytes]:
        """Yields JPEG files, each newer than the one before, and nothing (empty bytes) after a while without one."""
        seen = 0
        while True:
            with self._news:
                self._news.wait_for(lambda: self._number > seen or self._closing, _WAIT_SECONDS)  # noqa: B023
                if self._closing:
                    return
                fresh, seen = self._number > seen, self._number
                data = self._as_jpeg() if fresh else b""
            yield data

    def _as_jpeg(self) -> bytes:
        """The newest frame, coded once for all who watch."""
        if self._jpeg[0] != self._number:
            stream = io.BytesIO()
            Image.fromarray(np.ascontiguousarray(self._image)).save(stream, "JPEG", quality=QUALITY)
            self._jpeg = self._number, stream.getvalue()
        return self._jpeg[1]


def _is_figures(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever closes the page breaks a connection: that is no error."""


def _handler(page: FramePage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not page.is_meant(self.headers.get("Host", "")):
                self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            elif self.path == "/":
                self._answer("text/html; charset=utf-8", len(_PAGE))
                self.wfile.write(_PAGE)
            elif self.path != "/frames":
                self.send_error(HTTPStatus.NOT_FOUND)
            elif not page.watching.acquire(blocking=False):
                self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            else:
                try:
                    self._stream()
                finally:
                    page.watching.release()

        def _stream(self) -> None:
            self._answer("multipart/x-mixed-replace; boundary=frame", None)
            self.wfile.write(b"--frame\r\n")
            for data in page.frames():
                if data:
                    head = f"Content-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    self.wfile.write(head.encode() + data + b"\r\n--frame\r\n")

        def _answer(self, kind: str, length: int | None) -> None:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            self.send_header("Cache-Control", "no-store")
            self.send_header("Content-Security-Policy", _POLICY)
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Nothing: the terminal is the program's."""

    return Handler
