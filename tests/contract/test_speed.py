"""The contract's check of what a codec's halves cost."""

import pytest

from gr_jscc.contract import speed as checked
from gr_jscc.contract.check import BreachError
from gr_jscc.contract.subject import Subject
from gr_jscc.host.main import main

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    """What gr-jscc new-codec writes: as small a network as any."""
    folder = tmp_path_factory.mktemp("speed") / "small-codec"
    with pytest.raises(SystemExit, match="0"):
        main(["new-codec", "small-codec", "--out", str(folder)])
    return Subject(f"{folder}/small_codec.py:SmallCodec")


def measured(monkeypatch, ratios):
    """Let the measurements be ``ratios``; the list holds what has not been taken."""
    left = list(ratios)
    monkeypatch.setattr(checked, "codec_overhead", lambda *_: (left.pop(0), 0.01))
    return left


def test_a_neighbour_for_a_moment_is_no_breach(subject, monkeypatch):
    left = measured(monkeypatch, [2.6, 2.1, 1.9, 5.0])
    assert checked.speed(subject).startswith("1.90 times")
    assert left == [5.0], "measured on though it held"


def test_what_is_slow_each_time_is_a_breach_told_by_its_least(subject, monkeypatch):
    left = measured(monkeypatch, [2.6, 2.3, 2.1, 2.2])
    with pytest.raises(BreachError, match="^2.10 times the bare network's passes; 256x256: "):
        checked.speed(subject)
    assert left == []


def test_a_receiver_that_is_slow_for_real_is_caught(subject, monkeypatch):
    receiver = subject.codec.receiver

    def slow(height, width):
        one = receiver(height, width)
        push = one.push
        one.push = lambda reception: [push(reception) for _ in range(6)][-1]
        return one

    monkeypatch.setattr(subject.codec, "receiver", slow)
    with pytest.raises(BreachError, match="times the bare network's passes"):
        checked.speed(subject)
