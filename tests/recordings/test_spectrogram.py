"""Marks stand where the samples are that they mean, whoever wrote them."""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from gr_jscc.radio.sigmf_file import read_recording
from gr_jscc.recordings import spectrogram

pytestmark = pytest.mark.timeout(60)
RATE = 1e6


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Draws a recording of noise with a burst from 4 to 5 ms, and returns the figure's axes and its PNG."""
    figures = []

    class Kept(Figure):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            figures.append(self)

    monkeypatch.setattr(spectrogram, "Figure", Kept)

    def draw(annotations, captures=({"core:sample_start": 0},), samples=10_000, **fields):
        rng = np.random.default_rng(3)
        noise = rng.standard_normal((samples, 2)).view(np.complex128)[:, 0] * 0.01
        noise[4000:5000] *= 100
        noise.astype(np.complex64).tofile(tmp_path / "air.sigmf-data")
        fields = {"core:datatype": "cf32_le", "core:version": "1.2.0", "core:sample_rate": RATE} | {
            f"core:{key}": value for key, value in fields.items()
        }
        content = {"global": fields, "captures": list(captures), "annotations": annotations}
        (tmp_path / "air.sigmf-meta").write_text(json.dumps(content))
        spectrogram.plot_recording(tmp_path / "air.png", read_recording(tmp_path / "air"))
        (figure,) = figures
        return figure.axes, tmp_path / "air.png"

    return draw


def marks(axes):
    """Where the rectangles begin and end, s."""
    boxes = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    return [(box.get_x(), box.get_x() + box.get_width()) for box in boxes]


def loudest(axes):
    """Beginning and end of the loud part of what is shown, s."""
    (image,) = axes.images
    levels = np.asarray(image.get_array()).mean(axis=0)
    left, right, _, _ = image.get_extent()
    loud = np.flatnonzero(levels > (levels.max() + levels.min()) / 2)
    pace = (right - left) / len(levels)
    return left + loud[0] * pace, left + (loud[-1] + 1) * pace


@pytest.mark.parametrize("offset", [0, 5000, 123_456_789])
def test_marks_count_from_where_the_metadata_begin(drawn, offset):
    annotation = {"core:sample_start": offset + 4000, "core:sample_count": 1000}
    axes, _ = drawn([annotation], [{"core:sample_start": offset}], offset=offset)
    assert marks(axes[1]) == [pytest.approx((0.004, 0.005))]
    for one in axes:
        assert loudest(one) == pytest.approx((0.004, 0.005), abs=3e-4)
    assert axes[1].get_xlim() == pytest.approx((0.0035, 0.0055))


@pytest.mark.parametrize(
    "annotations",
    [
        [{"core:sample_start": 9000, "core:sample_count": 10}],  # before the piece, were it not for the offset
        [{"core:sample_start": 500_000, "core:sample_count": 10}],
        [{"core:sample_start": 20_000}],  # the first sample that is no more in it
        [{"core:sample_count": 10}],
        [{"core:sample_start": "4000", "core:sample_count": 10}],
    ],
)
def test_without_a_mark_inside_there_is_no_lower_panel_and_the_title_says_so(drawn, annotations):
    axes, _ = drawn(annotations, [{"core:sample_start": 10_000}], offset=10_000)
    (upper,) = axes
    assert marks(upper) == [] and "1 annotations lie outside it" in upper.get_title()


def test_marks_at_the_edges_end_with_the_samples_and_time_runs_forwards(drawn):
    annotations = [
        {"core:sample_start": 700, "core:sample_count": 500},
        {"core:sample_start": 10_900, "core:sample_count": 5000},
        {"core:sample_start": 10_999, "core:sample_count": 0},
        {"core:sample_start": 11_000, "core:sample_count": 3},
    ]
    axes, _ = drawn(annotations, offset=1000)
    expected = [pytest.approx(place) for place in ((0, 0.0002), (0.0099, 0.01), (0.009999, 0.009999))]
    for one in axes:
        assert marks(one) == [] or marks(one)[:3] == expected
        left, right = one.get_xlim()
        assert 0 <= left < right <= 0.01 + 1e-9
    assert marks(axes[1]) == expected and "1 annotations lie outside it" in axes[0].get_title()


def test_a_mark_without_a_length_reaches_to_the_end_of_its_segment(drawn):
    captures = [{"core:sample_start": 0}, {"core:sample_start": 6000}]
    axes, _ = drawn([{"core:sample_start": 4000}, {"core:sample_start": 7000}], captures)
    assert marks(axes[1]) == [pytest.approx((0.004, 0.006)), pytest.approx((0.007, 0.01))]


def test_what_other_programs_may_write_is_drawn_as_far_as_it_makes_sense(drawn):
    odd = [
        {"core:sample_start": 1, "core:sample_count": 5, "core:label": ["$\\frac$", 7], "core:freq_lower_edge": "low"},
        {"core:sample_start": 2, "core:sample_count": 5, "jscc:mark": "picture", "jscc:report": "none"},
        {"core:sample_start": 3, "core:sample_count": 5, "jscc:mark": ["x"], "jscc:kind": {}},
        {"core:sample_start": 4, "core:sample_count": 5, "core:label": "cost $5 and $6", "jscc:kind": []},
    ]
    axes, png = drawn(odd, sample_rate=2.5)
    assert len(marks(axes[0])) == 1 and len(marks(axes[1])) == 2 and png.stat().st_size > 5000
