"""Metrics, accounting, the report's keys and the matching of a picture's two ends."""

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest

from gr_jscc.codecs.base import Payload
from gr_jscc.link.accounting import capacity_uses, count_uses
from gr_jscc.link.arrival import Arrival
from gr_jscc.link.bursts import LinkSettings, round_bursts
from gr_jscc.metrics.picture import LARGEST_PSNR_DB, ms_ssim, psnr_db
from gr_jscc.modem import DEFAULT_NUMEROLOGY, burst_length, modulate
from gr_jscc.plots import plot_comparison, plot_constellation, plot_psnr_over_snr
from gr_jscc.reports.collector import Collector
from gr_jscc.reports.report import OnAir, Received, Sent, write_json

pytestmark = pytest.mark.timeout(60)

KEYS = {
    "codec": None, "weights": None, "image": {"name", "height", "width"}, "channel": None, "snr_db": None,
    "arrived": None, "psnr_db": None, "ms_ssim": None, "bursts": {"sent", "received", "lost", "repeated"},
    "uses": {"payload", "side_info", "header", "air"}, "cbr": {"payload", "paper", "total", "air"},
    "per_payload": {"total", "air"}, "link": {"snr_est_db", "evm_db", "cfo_hz", "papr_db"},
    "feedback": {"rounds", "bytes", "missed", "blind_from", "drifted"},
    "side_info": {"bytes", "back_channel_bytes"}, "rounds": None, "radio": None,
    "seconds": {"encode", "air", "decode", "total"},
}  # fmt: skip


def test_psnr_by_hand():
    image = np.zeros((4, 4, 3), np.uint8)
    assert psnr_db(image, image) == LARGEST_PSNR_DB == 100  # no infinity, which would end every mean
    assert psnr_db(image, image + 1) == pytest.approx(20 * math.log10(255))
    assert psnr_db(image + 255, image) == 0  # no wrap-around of bytes
    with pytest.raises(ValueError, match="different shapes"):
        psnr_db(image, image[:2])


def test_ms_ssim_is_one_for_equals_falls_with_noise_and_needs_size(photo, rng):
    noisy = np.clip(photo + rng.normal(0, 20, photo.shape), 0, 255).astype(np.uint8)
    assert ms_ssim(photo, photo) == pytest.approx(1)
    assert 0.5 < ms_ssim(photo, noisy) < 0.97
    assert ms_ssim(photo[:160], photo[:160]) is None


def test_channel_uses_are_what_the_modulator_makes(rng):
    symbols = np.ones(5000, np.complex64)
    bursts = round_bursts(Payload(symbols, b"ab"), 64, 64, b"hash", 1, 0, LinkSettings(manifest_copies=2))
    uses = count_uses([burst.header for burst in bursts], DEFAULT_NUMEROLOGY)
    assert uses.payload == 5000
    assert uses.side_info == 2 * len(bursts[0].symbols)
    assert uses.header == 240 * len(bursts)
    assert uses.air == sum(len(modulate(burst.header, burst.symbols)) for burst in bursts)
    assert uses.air == sum(burst_length(burst.header, DEFAULT_NUMEROLOGY) for burst in bursts)
    cbr = uses.cbr(100, 200)
    assert cbr["payload"] == 5000 / 60_000 and cbr["payload"] < cbr["total"] < cbr["air"]
    assert (uses + uses).air == 2 * uses.air
    assert capacity_uses(100, 10 * math.log10(3)) == pytest.approx(400)  # two bits a channel use


@pytest.fixture
def ends(small_photo):
    headers = [burst.header for burst in round_bursts(Payload(np.ones(5000, np.complex64)), 64, 64, b"hash", 3)]
    air = OnAir(count_uses(headers, DEFAULT_NUMEROLOGY), 3, 9.5)
    sent = Sent("parrots.png", small_photo, "deepjscc", "deepjscc-photo", 1 / 12, 0.1, 5.0)
    arrival = Arrival(3, 0, None, None, 2, 3, 9.9, 0.001, -10.1)
    return sent, air, Received(small_photo // 2, arrival, 0.2, 6.5)


def test_the_report_has_the_keys_of_the_design_in_any_order_of_news(ends):
    sent, air, received = ends
    for order in itertools.permutations(range(3)):
        collector = Collector("awgn", 10.0, 2e6)
        news = [
            lambda c=collector: c.sent(3, sent),
            lambda c=collector: c.on_air(3, 0, air),
            lambda c=collector: c.received(3, 0, received),
        ]
        results = [result for i in order for result in news[i]()]
        assert len(results) == 1
        report = results[0].report
        assert set(report) == set(KEYS)
        for key, inner in KEYS.items():
            assert inner is None or set(report[key]) == inner
        assert report["bursts"] == {"sent": 3, "received": 2, "lost": 1, "repeated": 0}
        assert report["link"]["cfo_hz"] == 2000 and report["seconds"]["total"] == 1.5
        json.dumps(report, allow_nan=False)


def test_a_picture_that_never_came_is_reported_at_the_end(ends):
    sent, air, _ = ends
    collector = Collector("awgn", 10.0)
    assert not collector.sent(3, sent) and not collector.on_air(3, 0, air)
    (result,) = collector.end(9.0)
    assert result.received is None and result.report["psnr_db"] is None
    assert result.report["bursts"] == {"sent": 3, "received": 0, "lost": 3, "repeated": 0}
    json.dumps(result.report, allow_nan=False)
    assert not collector.end(9.0)


def test_a_picture_that_never_came_is_reported_when_a_later_one_does(ends):
    sent, air, received = ends
    collector = Collector("awgn", 10.0)
    for transfer in (1, 2, 3):
        collector.sent(transfer, sent)
        collector.on_air(transfer, 0, air)
    collector.snr_db = 5.0
    results = collector.received(3, 0, received)
    assert [(r.transfer, r.received is None) for r in results] == [(1, True), (2, True), (3, False)]
    assert {r.report["snr_db"] for r in results} == {10.0}  # that of the time on the air
    assert not collector.end(9.0)


def test_rounds_add_up_and_transfer_numbers_come_again(ends):
    sent, air, received = ends
    collector = Collector("awgn", 10.0)
    for _ in range(3):
        collector.sent(3, sent)
        results = []
        for round_ in range(2):
            collector.on_air(3, round_, air)
            results += collector.received(3, round_, received)
        assert [r.report["uses"]["payload"] for r in results] == [5000, 10_000]
    assert not collector.end(9.0)


def test_plots_and_json_are_written_whole(tmp_path, ends, small_photo, rng):
    sent, air, received = ends
    collector = Collector("awgn", 10.0)
    collector.sent(3, sent)
    collector.on_air(3, 0, air)
    (result,) = collector.received(3, 0, received)
    plot_comparison(tmp_path / "a.png", result.original, result.received, result.report)
    plot_comparison(tmp_path / "lost.png", result.original, None, result.report)
    plot_constellation(tmp_path / "b.png", rng.standard_normal(500) + 1j * rng.standard_normal(500), "title")
    plot_psnr_over_snr(tmp_path / "c.png", {"one": [(0, 20.0), (10, 30.0)]}, "title")
    write_json(tmp_path / "d.json", result.report)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png", "c.png", "d.json", "lost.png"]
    assert all(p.stat().st_size > 200 for p in tmp_path.iterdir())


def test_layers_are_estimates_and_the_last_is_final(ends):
    sent, air, received = ends
    collector = Collector("awgn", 10.0)
    collector.sent(3, dataclasses.replace(sent, rounds=3))
    results = []
    for round_ in range(3):
        collector.on_air(3, round_, air)
        results += collector.received(3, round_, received)
    assert [(r.round, r.final, r.layered) for r in results] == [(0, False, True), (1, False, True), (2, True, True)]
    assert [r["round"] for r in results[-1].report["rounds"]] == [0, 1, 2]
    assert results[-1].report["uses"]["payload"] == 3 * results[0].report["uses"]["payload"]
    assert collector.end(9.0) == []


def test_a_picture_without_its_last_layer_becomes_final_when_the_next_comes_or_at_the_end(ends):
    sent, air, received = ends
    collector = Collector("awgn", 10.0)
    for transfer in (3, 4):
        collector.sent(transfer, dataclasses.replace(sent, rounds=2))
        collector.on_air(transfer, 0, air)
        collector.on_air(transfer, 1, air)
    assert [r.final for r in collector.received(3, 0, received)] == [False]
    late = collector.received(4, 0, received)
    assert [(r.transfer, r.final) for r in late] == [(3, True), (4, False)]
    assert [(r.transfer, r.final, r.received is None) for r in collector.end(9.0)] == [(4, True, False)]
