"""What was measured, when and by which versions and weights, and what is missing."""

from __future__ import annotations

from gr_jscc.metrics.picture import SMALLEST_MS_SSIM_SIDE
from gr_jscc.sweeps.experiment import Experiment
from gr_jscc.sweeps.page.points import Points
from gr_jscc.sweeps.page.tables import Table
from gr_jscc.sweeps.page.words import METRICS


def measured(cells: list[dict], rows: dict[str, dict]) -> str:
    """When the cells were measured, and by which versions; "" before there are any."""
    done = [rows[cell["key"]] for cell in cells if cell["key"] in rows]
    times = sorted(row["measured"] for row in done if row.get("measured"))
    if not times:
        return ""
    versions = sorted({row.get("version") or "" for row in done})
    told = ", ".join(version or "an unknown version" for version in versions)
    begun, ended = (time.replace("T", " ").removesuffix("+00:00") for time in (times[0], times[-1]))
    return f"Measured {begun} to {ended} UTC with gr-jscc {told}."


def weights_tables(cells: list[dict], rows: dict[str, dict]) -> list[Table]:
    """What was measured, by its weights' hashes."""
    lines: dict[tuple[str, ...], int] = {}
    for cell in cells:
        row = rows.get(cell["key"])
        if row is not None and not row["error"]:
            key = cell["scheme"], row["codec"], row["weights"], row["weights_hash"]
            lines[key] = lines.get(key, 0) + 1
    columns = ["scheme", "codec", "weights", "hash", "cells"]
    table = Table("weights", "What was measured", columns, [[*key, str(count)] for key, count in lines.items()])
    return [table] if lines else []


def without_figures(experiment: Experiment, points: Points) -> list[str]:
    """Metrics that were asked for, and that no picture has."""
    why = {
        "psnr_db": "no picture arrived",
        "ms_ssim_db": f"it needs pictures with both sides over {SMALLEST_MS_SSIM_SIDE - 1} pixels",
        "lpips": "it was not installed on the machines that measured, or the pictures are too small",
    }
    found = [point for group in points.values() for point in group]
    without = [m for m in experiment.metrics if found and not any(point.values[m] for point in found)]
    return [f"{METRICS[metric]} was requested, but there is none: {why[metric]}." for metric in without]


def progress(cells: list[dict], rows: dict[str, dict]) -> list[str]:
    keys = {cell["key"] for cell in cells}
    failed = [rows[key]["error"] for key in keys if key in rows and rows[key]["error"]]
    missing = sum(key not in rows for key in keys)
    remarks = [f"{missing} of {len(keys)} cells are not measured yet."] if missing else []
    return remarks + ([f"{len(failed)} of {len(keys)} cells failed, such as: {failed[0]}"] if failed else [])
