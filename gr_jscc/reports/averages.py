"""Figures of many reports."""

from __future__ import annotations

import numpy as np

CBRS = ("payload", "paper", "total", "air")
UNITS = {"images_lost": "images", "psnr_db": "dB"} | {f"cbr_{key}": "1" for key in CBRS}


def average(reports: list[dict]) -> dict[str, float]:
    """Mean PSNR and CBRs over the images that arrived, and how many did not; their units are in `UNITS`."""
    arrived = [report for report in reports if report["arrived"]]
    figures = {"images_lost": len(reports) - len(arrived)}
    if arrived:
        figures["psnr_db"] = round(float(np.mean([r["psnr_db"] for r in arrived])), 3)
        for key in CBRS:
            known = [r["cbr"][key] for r in arrived if r["cbr"][key] is not None]
            if known:
                figures[f"cbr_{key}"] = round(float(np.mean(known)), 6)
    return figures
