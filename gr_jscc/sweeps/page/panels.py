"""Which pictures of a store a strip shows beside each other, and what stands over them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gr_jscc.files.names import safe_stem
from gr_jscc.sweeps.cells import strip_point
from gr_jscc.sweeps.experiment import Experiment, Strip
from gr_jscc.sweeps.page.points import Conditions
from gr_jscc.sweeps.page.strip import Panel, PictureStrip, cut, over_pixels
from gr_jscc.sweeps.page.words import describe, ratio_text
from gr_jscc.sweeps.runner import original_name
from gr_jscc.sweeps.store import Store


def strips(experiment: Experiment, cells: list[dict], rows: dict[str, dict], store: Store) -> Iterator[PictureStrip]:
    for number, strip in enumerate(experiment.strips, 1):
        snr_db, cbr = strip_point(experiment, strip)

        def is_here(cell: dict, strip=strip, snr_db=snr_db, cbr=cbr) -> bool:
            row = rows.get(cell["key"])
            here = row is not None and not row["error"] and cell["images"] == strip.images
            here = here and row["image.name"] == strip.image and row["seed"] == experiment.seeds[0]
            return here and abs(row["snr_db"] - snr_db) < 1e-9 and abs(cell["cbr"] / cbr - 1) < 1e-9

        groups: dict[Conditions, list[dict]] = {}
        for cell in filter(is_here, cells):
            row = rows[cell["key"]]
            groups.setdefault(Conditions(cell["images"], row["mode"], row["channel"]), []).append(cell)
        for conditions, group in groups.items():
            original = store.picture(original_name(rows[group[0]["key"]]["image_hash"]))
            if original is None:
                continue
            panels = [Panel(cut(original, strip.crop, strip.at), "original")]
            panels += _panels(group, rows, store, strip, original)
            stem = safe_stem(strip.image)
            (images,) = [images for images in experiment.images if images.name == strip.images]
            title = f"{stem} at {snr_db:g} dB and CBR {ratio_text(cbr)}, {describe(conditions, images)}"
            yield PictureStrip(f"strip-{number}-{conditions.mode}-{conditions.channel}", title, panels)


def _panels(
    cells: list[dict], rows: dict[str, dict], store: Store, strip: Strip, original: np.ndarray
) -> Iterator[Panel]:
    for cell in cells:
        row, picture, uses = rows[cell["key"]], store.picture(cell["key"]), store.use_map(cell["key"])
        if picture is not None:
            psnr = "no error" if row["psnr_db"] is None else f"PSNR {row['psnr_db']:.2f} dB"  # stores from before
            figures = f"{psnr}, CBR {row['cbr.total']:.4f}"
            yield Panel(cut(picture, strip.crop, strip.at), f"{cell['scheme']}\n{figures}")
        if uses is not None:
            shown = cut(over_pixels(uses, *original.shape[:2]), strip.crop, strip.at)
            patch = f"patches of {uses.stride}×{uses.stride}"
            figures = f"{patch}: {shown.min():g} to {shown.max():g}, mean {shown.mean():.1f}"
            yield Panel(cut(original, strip.crop, strip.at), f"{cell['scheme']}: channel uses\n{figures}", shown)
