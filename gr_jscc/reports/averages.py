"""Figures of many reports."""

from __future__ import annotations

import numpy as np

CBRS = ("payload", "paper", "total", "air")
PER_PAYLOAD = ("total", "air")
UNITS = {
    "images_lost": "images", "psnr_db": "dB", **{f"cbr_{key}": "1" for key in CBRS},
    **{f"per_payload_{key}": "1" for key in PER_PAYLOAD},
}  # fmt: skip


def average(reports: list[dict]) -> dict[str, float]:
    """Means over the images that arrived, and how many did not; their units are in `UNITS`."""
    arrived = [report for report in reports if report["arrived"]]
    figures = {"images_lost": len(reports) - len(arrived)}
    if arrived:
        figures["psnr_db"] = round(float(np.mean([r["psnr_db"] for r in arrived])), 3)
        for group, keys, digits in (("cbr", CBRS, 6), ("per_payload", PER_PAYLOAD, 4)):
            for key in keys:
                known = [r[group][key] for r in arrived if r[group][key] is not None]
                if known:
                    figures[f"{group}_{key}"] = round(float(np.mean(known)), digits)
    return figures
