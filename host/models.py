"""``gr-jscc models``: the codecs, the trained models that ship, and what the separation codecs are made of."""

from __future__ import annotations

import json

from rich.table import Table

from gr_jscc.codecs.registry import CODECS, PLUGINS
from gr_jscc.codecs.separation.channel_code import CHANNEL_CODES
from gr_jscc.codecs.separation.picture_codecs import PICTURE_CODECS
from gr_jscc.codecs.separation.table import thresholds_db
from gr_jscc.host import options
from gr_jscc.host.console import shown, terminal
from gr_jscc.plugins import origin
from gr_jscc.weights import FOLDER, describe_model, shipped_models


def models(json_lines: options.Json = False) -> None:
    """List the codecs, the trained models that ship, and the choices for codecs without models."""
    rows = [describe_model(name) for name in shipped_models()]
    if json_lines:
        for row in rows:
            print(json.dumps(row))
        for name, snr_db in thresholds_db().items():
            bits = round(float(CHANNEL_CODES[name].bits_per_use), 3)
            choice = {"model": f"hevc:{name}", "codec": "separation", "bits_per_use": bits, "needs_snr_db": snr_db}
            print(json.dumps(choice))
        return
    console = terminal()
    console.print(f"codecs: {', '.join(CODECS)}")
    for name, entries in PLUGINS.others().items():
        console.print(shown(f"of other packages: {name}, {' and '.join(map(origin, entries))}"), soft_wrap=True)
    table = Table()
    for name in ("model", "codec", "MB", "steps"):
        table.add_column(name, no_wrap=name in ("model", "codec"))  # so that they can be copied
    for row in rows:
        table.add_row(row["model"], row["codec"], f"{row['bytes'] / 1e6:.1f}", row["steps"])
    console.print(table)
    console.print(f"cards, with data and figures: {FOLDER}/MODEL.md", soft_wrap=True)
    console.print(
        "\nseparation has no models: --weights PICTURES:CODE, such as hevc:ldpc-2/3:16qam, or PICTURES:SNRdB, such "
        f"as hevc:5dB, for the code that suits an SNR. PICTURES: {', '.join(PICTURE_CODECS)}. separation-video takes "
        "the same with hevc alone, separation-capacity, which cannot be sent over the air, PICTURES:SNRdB."
    )
    codes = Table()
    for name in ("code", "bits a channel use", "needs dB"):
        codes.add_column(name, justify="left" if name == "code" else "right")
    for name, snr_db in thresholds_db().items():
        codes.add_row(name, f"{float(CHANNEL_CODES[name].bits_per_use):.2f}", f"{snr_db:.1f}")
    console.print(codes)
