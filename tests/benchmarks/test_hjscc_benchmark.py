"""HJSCC's figures and the page that shows them."""

import pytest

from gr_jscc.benchmarks import hjscc as hjscc_benchmark
from gr_jscc.benchmarks import hjscc_page as hjscc_report
from gr_jscc.figures import Figure

pytestmark = pytest.mark.timeout(120)


def test_the_page_shows_what_was_measured(small_photo, tmp_path, monkeypatch):
    for module in (hjscc_benchmark, hjscc_report):
        monkeypatch.setattr(module, "SNRS_DB", (0.0, 10.0))
        monkeypatch.setattr(module, "BELIEF_ERRORS_DB", (-5.0, 0.0))
    picture = small_photo[:128, :128]
    figures = list(hjscc_benchmark.hjscc_figures([picture], "cpu", seed=1))
    psnr = {}
    for figure in figures:
        if figure.name == "psnr_db":
            place = figure.at["snr_db"], figure.at.get("belief_error_db"), figure.at.get("latents")
            psnr.setdefault(figure.at["codec"], {})[place] = figure.value
    for row in psnr.values():
        assert row[10.0, None, None] > row[0.0, None, None] + 2
    # Who believes the truth does what who was told it did.
    assert psnr["hjscc"][10.0, 0.0, None] == pytest.approx(psnr["hjscc"][10.0, None, None], abs=1e-6)
    after = [psnr["hjscc-feedback"][10.0, None, latents] for latents in (1, 2, 3, 4)]
    assert after == sorted(after) and after[-1] == psnr["hjscc-feedback"][10.0, None, None]
    uses = sum(figure.value for figure in figures if figure.name == "cbr_payload")
    assert 0.9 / 16 < uses <= 1 / 16

    crossed = {"images": 1, "codec": "hjscc-feedback", "cbr": 1 / 16, "snr_db": 10.0}
    fault = {**crossed, "feedback": "direct", "fault": "int8", "channel": "modem, two hosts"}
    figures += [Figure("psnr_db", 28.76, "dB", fault), Figure("feedback_bytes", 61234.0, "B", fault)]
    figures += [Figure("image_seconds", 4.25, "s", {**crossed, "in_flight": 2})]
    page = hjscc_report.write_hjscc_report(figures, tmp_path).read_text()
    assert f"| hjscc | {psnr['hjscc'][0.0, None, None]:.2f} | {psnr['hjscc'][10.0, None, None]:.2f} |" in page
    assert f"| PSNR, dB | {' | '.join(f'{x:.2f}' for x in after)} |" in page
    assert "| modem, two hosts | direct | int8 | 28.76 |  |  | 61,234 |" in page
    assert "| pictures in flight | 2 |" in page and "| 4.25 |" in page
    assert {path.name for path in (tmp_path / "images").iterdir()} == {"hjscc-snr.webp", "hjscc-belief.webp"}
