"""Feedback between two hosts, with and without faults."""

import pytest

from gr_jscc.benchmarks import feedback as feedback_trial
from gr_jscc.benchmarks.feedback import FAULTS, feedback_figures
from gr_jscc.benchmarks.successive_page import write_successive_report
from gr_jscc.figures import Figure

pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(120)]


def test_feedback_crosses_and_feedback_that_is_late_is_counted_and_priced(photo, tmp_path, monkeypatch):
    chosen = tuple(fault for fault in FAULTS if fault.name in ("none", "too late"))
    monkeypatch.setattr(feedback_trial, "FAULTS", chosen)
    pictures = [photo[64 * i : 64 * i + 32, 96 * i : 96 * i + 32] for i in range(4)]
    figures = list(feedback_figures(pictures, "successive-residual", 1 / 6, 13.0, bar_db=1.0))
    ideal, simulated, crossed = (f for f in figures if f.name == "psnr_db" and f.at.get("fault") in (None, "none"))
    assert ideal.value > simulated.value  # direct feedback is worth something
    assert crossed.holds and abs(crossed.value - ideal.value) < 1
    missed = {f.at["fault"]: f.value for f in figures if f.name == "feedback_missed"}
    assert missed["none"] == 0 and missed["too late"] >= 4
    (cost,) = (f for f in figures if f.name == "feedback_loss_db")
    assert cost.at["fault"] == "too late" and cost.value > 0
    curve = [Figure("psnr_db", 30.0, "dB", {"images": 4, "draws": 1, "weights": "x", "layers": 1, "snr_db": 13.0})]
    page = write_successive_report([*curve, *figures], tmp_path).read_text()
    assert "| modem, two hosts | direct | too late |" in page


def test_hjscc_of_four_latents_between_two_hosts_holds_equal_states_and_tells_when_feedback_failed(photo):
    faults = {fault.name: fault for fault in FAULTS if fault.name in ("none", "int8", "too late")}
    picture, quality = photo[64:192, 96:224], {}
    for name, fault in faults.items():
        ((report, _),) = feedback_trial._run([picture], "hjscc-feedback", 1 / 16, 10.0, fault, "hjscc-photo")
        quality[name] = report["psnr_db"]
        told = report["feedback"]
        assert told["drifted"] == 0
        if name == "too late":
            assert told["blind_from"] == 0 and told["missed"] >= 1 and len(report["rounds"]) == 2
        else:
            assert told["blind_from"] is None and told["missed"] == 0 and len(report["rounds"]) == 4
            assert [one["psnr_db"] for one in report["rounds"]] == sorted(one["psnr_db"] for one in report["rounds"])
    assert abs(quality["int8"] - quality["none"]) < 0.3 and quality["too late"] > 15


@pytest.mark.parametrize(("fault", "blind_from"), [("int8", None), ("too late", 1)])
def test_hjscc_over_hyperlatents_between_two_hosts_holds_equal_states_and_tells_when_feedback_failed(
    photo, fault, blind_from
):
    (chosen,) = (one for one in FAULTS if one.name == fault)
    ((report, _),) = feedback_trial._run([photo[64:192, 96:224]], "hjscc-feedback", 1 / 16, 10.0, chosen)
    told, quality = report["feedback"], [one["psnr_db"] for one in report["rounds"]]
    assert told["drifted"] == 0 and told["blind_from"] == blind_from and (told["missed"] > 0) == (fault == "too late")
    assert (
        len(quality) == (3 if blind_from is None else 2)
        and quality == sorted(quality)
        and quality[-1] > (33 if blind_from is None else 20)
    )
