"""One plain sentence on what limits a link, from its error budget."""

from __future__ import annotations

from gr_jscc.calibration.error_budget import ErrorBudget

CLIPPED = 1e-4  # share of the samples that begins to show
LOST = 0.02  # share of the bursts
STRONG_DC_DBC = -6.0  # half of the converter's range
LOW_PEAK_DBFS = -24.0
STILL = 1e-7  # noise over the signal, below which the silence is one value of the converter

_LARGEST = {
    "noise": "Receiver noise limits the link: raise the transmit gain, shorten the path, or raise the receive gain "
    "as long as it does not clip.",
    "image": "IQ imbalance limits the link: correct it with gr-jscc calibrate --steps iq.",
    "compression": "Compression limits the link: lower the transmit gain or the amplitude; if the transmitter is far "
    "from its limit, lower the receiver's first gain stage.",
    "phase_noise": "Phase noise limits the link: use a better reference, a lower frequency or a wider subcarrier "
    "spacing; more power does not help.",
    "rest": "An unknown effect limits the link, perhaps interference: try another frequency.",
}


def advice(budget: ErrorBudget, overflows: int = 0) -> str:
    """What to do about the link.

    Args:
        budget: measured.
        overflows: that the receiver counted meanwhile.
    """
    if overflows or budget.missed > LOST:
        if overflows:
            return f"Samples are lost ({overflows} overflows): lower the sample rate or close other programs."
        return f"{100 * budget.missed:.0f} % of the bursts are missed: increase the signal or reduce interference."
    if budget.clipped > CLIPPED:
        return f"The receiver clips {100 * budget.clipped:.2g} % of the samples: lower its gain or add an attenuator."
    if budget.dc_dbc > STRONG_DC_DBC:
        return (
            f"The DC offset is {budget.dc_dbc:.0f} dB above the signal and uses up the converter's range: set an LO "
            "offset or calibrate with --steps dc."
        )
    if budget.largest == "rest" and (budget.peak_dbfs < LOW_PEAK_DBFS or budget.noise < STILL):
        return (
            f"Converter resolution limits the link: peaks reach only {budget.peak_dbfs:.0f} dBFS"
            f"{' and noise does not change its output' if budget.noise < STILL else ''}: raise the receive gain."
        )
    return _LARGEST[budget.largest]
