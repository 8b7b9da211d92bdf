"""The transmit gain for a wanted SNR, from a calibration's table."""

from __future__ import annotations

import math

import numpy as np

from gr_jscc.radio.address import RadioError
from gr_jscc.radio.profile import Profile

TABLE_MARGIN_DB = 0.5  # by which a wanted SNR may lie beyond what was measured


def gain_for_snr(profile: Profile, snr_db: float) -> tuple[str, float]:
    """The gain stage and its gain in whole dB at which the receiver has an SNR, interpolated in dB.

    Of a table that bends down again, as compression makes it, only the part up to its highest SNR counts.

    Args:
        profile: with a calibration whose table is `TxCalibration.snr_db_by_gain`.
        snr_db: Es/N0 per data subcarrier, wanted at the receiver.

    Raises:
        RadioError: there is no such table, or no gain in it gives this SNR.
    """
    table = profile.calibration.tx if profile.calibration else None
    if table is None or not table.stage or not table.snr_db_by_gain:
        raise RadioError(
            f"the profile {profile.device.name!r} has no table of transmit gain and SNR: gr-jscc calibrate makes one"
        )
    gains, snrs = np.array(sorted(table.snr_db_by_gain)).T
    rising = slice(0, int(np.argmax(snrs)) + 1)
    gains, snrs = gains[rising], np.maximum.accumulate(snrs[rising])
    if not snrs[0] - TABLE_MARGIN_DB <= snr_db <= snrs[-1] + TABLE_MARGIN_DB:
        raise RadioError(
            f"an SNR of {snr_db:g} dB is outside the calibration's table, {snrs[0]:.1f} to {snrs[-1]:.1f} dB"
        )
    return table.stage, float(math.floor(np.interp(snr_db, snrs, gains) + 0.5))
