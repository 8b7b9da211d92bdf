"""A report as a row of a table: one level, a column for every figure."""

from __future__ import annotations

import json

Row = dict[str, str | int | float | bool | None]
OWN_NAMES = {"image.name": "image", "image.height": "height", "image.width": "width"}
SECONDS = "seconds."


def flattened(report: dict) -> dict[str, object]:
    """``{"cbr": {"total": 1}}`` as ``{"cbr.total": 1}``; lists stay."""
    flat = {}
    for key, value in report.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": leaf for inner, leaf in flattened(value).items()}
        else:
            flat[key] = json.loads(json.dumps(value))
    return flat


def row_of(report: dict, **asked: str | float | None) -> Row:
    """A report as a flat row, as `pandas.DataFrame` and `pandas.read_json` take it.

    Args:
        report: see `gr_jscc.reports.report.build_report`.
        asked: what it does not say itself, such as the ``cbr`` and the ``seed`` that were asked for.

    Returns:
        ``report["cbr"]["total"]`` as ``cbr_total``, ``report["seconds"]["encode"]`` as ``encode_seconds``, the
        picture's name as ``image``; of ``rounds`` their number.

    Example:
        >>> row_of({"image": {"name": "a.png"}, "cbr": {"total": 0.1}, "seconds": {"encode": 2.0}}, cbr=0.09)
        {'image': 'a.png', 'cbr_total': 0.1, 'encode_seconds': 2.0, 'cbr': 0.09}
    """
    row: Row = {}
    for key, value in flattened(report).items():
        if key.startswith(SECONDS):
            key = f"{key.removeprefix(SECONDS)}_seconds"
        row[OWN_NAMES.get(key, key).replace(".", "_")] = len(value) if isinstance(value, list) else value
    return row | asked
