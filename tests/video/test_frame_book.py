"""What became of each frame, from what both ends tell of it."""

import numpy as np
import pytest

from gr_jscc.video.frame_book import MOST_OPEN, FrameBook
from gr_jscc.video.live import now_ms
from gr_jscc.video.pattern import WanderingCamera
from gr_jscc.video.strips import strip_points, value_range


def grey(level):
    return np.full((120, 160, 3), level, np.uint8)


def test_a_frame_that_came_has_its_figures():
    book = FrameBook()
    book.sent(3, grey(100), started=5.0)
    book.charged(3, 2000)
    book.charged(3, 400)  # a second round
    book.dropped = 4
    figures = book.received(3, grey(110), 9.5, finished=5.2)
    assert figures.psnr_db == pytest.approx(20 * np.log10(255 / 10))
    assert figures.cbr == 2400 / (120 * 160 * 3)
    assert figures.latency_ms == pytest.approx(200)
    assert (figures.snr_db, figures.frozen, figures.lost, figures.dropped) == (9.5, 0, 0, 4)


def test_where_nothing_can_be_shown_the_frame_before_stays_and_is_compared():
    book = FrameBook()
    for number, level in enumerate((100, 120, 140)):
        book.sent(number, grey(level), started=0.0)
    book.received(0, grey(100), 9.0, 1.0)
    first, second = (book.received(number, None, float("nan"), 1.0) for number in (1, 2))
    assert np.array_equal(second.shown, grey(100))
    assert first.psnr_db == pytest.approx(20 * np.log10(255 / 20))
    assert second.psnr_db == pytest.approx(20 * np.log10(255 / 40))
    assert (first.frozen, second.frozen, first.lost, second.lost) == (1, 2, 1, 2)
    assert second.snr_db is None and second.latency_ms is None


def test_frames_of_which_nothing_is_heard_are_lost_when_a_later_one_comes():
    book = FrameBook()
    for number in range(5):
        book.sent(number, grey(100), started=0.0)
    assert book.received(1, grey(100), 9.0, 1.0).lost == 1
    assert book.received(4, grey(100), 9.0, 1.0).lost == 3


def test_rounds_of_a_frame_are_one_frame():
    book = FrameBook()
    book.sent(1, grey(100), started=0.0)
    assert book.received(1, None, 9.0, 1.0).lost == 1
    assert book.received(1, grey(101), 9.0, 1.0).lost == 0
    assert book.received(1, None, 9.0, 1.0).frozen == 0


def test_of_a_transmitter_elsewhere_the_pattern_tells_how_late_it_is():
    book, camera = FrameBook(), WanderingCamera(160, 120, seed=1)
    figures = book.received(1, camera.frame(0.0, (now_ms() - 500) % 65536), 9.0, 1.0)
    assert figures.original is figures.psnr_db is figures.cbr is None
    assert 450 <= figures.latency_ms < 5000


def test_a_book_takes_no_more_memory_with_time():
    book = FrameBook()
    for number in range(10 * MOST_OPEN):
        book.sent(number, grey(100), started=0.0)
    assert len(book._open) == MOST_OPEN and book.lost == 9 * MOST_OPEN


def test_a_strip_holds_all_its_values():
    values = [3.0, float("nan"), -20.0, 8.0]
    low, high = value_range(values, least=5.0)
    assert low < -20 and high > 8
    points = strip_points([0, 1, 2, 4], values, (0, 4), (low, high))
    assert points[:, 0].tolist() == [0, 0.5, 1]
    assert 0 < points.min() + 1e-9 and points.max() <= 1
    assert value_range([], 5.0) == (-2.5, 2.5) and len(strip_points([], [], (0, 1), (0, 1))) == 0
