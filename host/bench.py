"""``gr-jscc bench …``: measures ratios side by side in one run."""

from __future__ import annotations

import typer

from gr_jscc.host.lazy import lazy_group

app = typer.Typer(
    cls=lazy_group(
        "gr_jscc.host.bench_",
        ("all", "modem", "back-channel", "air", "calibration", "codec", "compressor", "ldpc", "sweep"),
    ),
    help="Measure the modem, the back-channel, the virtual air, radios, codecs and sweeps.",
    no_args_is_help=True,
)


@app.callback()
def _bench() -> None:
    """Benchmarks; every figure is a ratio of two things measured in the same run."""
