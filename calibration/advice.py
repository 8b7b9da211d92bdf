"""One plain sentence on what limits a link, from its error budget."""

from __future__ import annotations

from gr_jscc.calibration.error_budget import ErrorBudget

CLIPPED = 1e-4  # share of the samples that begins to show
LOST = 0.02  # share of the bursts
STRONG_DC_DBC = -6.0  # half of the converter's range
LOW_PEAK_DBFS = -24.0
STILL = 1e-7  # noise over the signal, below which the silence is one value of the converter

_LARGEST = {
    "noise": "Noise of the receiver limits the link: more transmit gain or a shorter path helps, or more receive gain "
    "as long as it does not clip.",
    "image": "IQ imbalance limits the link: gr-jscc calibrate --steps iq measures what removes it.",
    "compression": "Compression limits the link: lower the transmit gain or the amplitude; if the transmitter is far "
    "from its limit, lower the first gain of the receiver.",
    "phase_noise": "Phase noise limits the link: a better reference, a lower frequency or a wider subcarrier spacing "
    "helps, more power does not.",
    "rest": "Something unknown limits the link: look for interference on another frequency.",
}


def advice(budget: ErrorBudget, overflows: int = 0) -> str:
    """What to do about the link.

    Args:
        budget: measured.
        overflows: that the receiver counted meanwhile.
    """
    if overflows or budget.missed > LOST:
        if overflows:
            return f"Samples are lost ({overflows} overflows): lower the sample rate, or close what else runs here."
        return f"{100 * budget.missed:.0f} % of the bursts are not received: more signal, or less interference, helps."
    if budget.clipped > CLIPPED:
        return f"The receiver clips {100 * budget.clipped:.2g} % of the samples: lower its gain or add an attenuator."
    if budget.dc_dbc > STRONG_DC_DBC:
        return (
            f"The DC offset is {budget.dc_dbc:.0f} dB over the signal and takes the converter's range: set an LO "
            "offset, or calibrate with --steps dc."
        )
    if budget.largest == "rest" and (budget.peak_dbfs < LOW_PEAK_DBFS or budget.noise < STILL):
        return (
            f"The converter's steps limit the link, as peaks reach {budget.peak_dbfs:.0f} dBFS"
            f"{' and noise moves it not at all' if budget.noise < STILL else ''}: raise the receive gain."
        )
    return _LARGEST[budget.largest]
