"""The table of what crossed the modem and the back-channel between two hosts, with one fault after another."""

from __future__ import annotations

from gr_jscc.figures import Figure


def feedback_lines(figures: list[Figure]) -> list[str]:
    """Markdown lines from the figures of a trial of feedback; none without such figures."""
    crossed = [f for f in figures if "feedback" in f.at]
    if not crossed:
        return []
    at = crossed[0].at
    lines = [
        "## Direct feedback between two hosts, and the cost of its faults",
        "",
        f"{at['images']} of the pictures, {at['codec']} at CBR 1/{1 / at['cbr']:.0f}, {at['snr_db']:g} dB: `tx`,"
        " `channel` and `rx` in three processes; the first rows are the codec's two halves over the ideal channel."
        " A round is missed if its feedback did not arrive in time; the transmitter then continues without it.",
        "",
        "| channel | feedback | fault | PSNR, dB | loss due to the fault, dB | missed | bytes fed back per picture |",
        "|---|---|---|---|---|---|---|",
    ]
    by_fault = {
        name: {f.at["fault"]: f.value for f in crossed if f.name == name}
        for name in ("feedback_loss_db", "feedback_missed", "feedback_bytes")
    }
    for figure in crossed:
        if figure.name == "psnr_db":
            fault = figure.at.get("fault", "")
            cells = [
                f"{values[fault]:{form}}" if fault in values else ""
                for values, form in zip(by_fault.values(), (".2f", ".0f", ",.0f"))
            ]
            row = (figure.at["channel"], figure.at["feedback"], fault, f"{figure.value:.2f}", *cells)
            lines.append(f"| {' | '.join(row)} |")
    return [*lines, ""]
