"""``gr-jscc bench …``: measures ratios side by side in one run."""

from __future__ import annotations

import typer

from gr_jscc.host.bench_air import air
from gr_jscc.host.bench_back_channel import back_channel
from gr_jscc.host.bench_calibration import calibration
from gr_jscc.host.bench_codec import codec
from gr_jscc.host.bench_compressor import compressor
from gr_jscc.host.bench_ldpc import ldpc
from gr_jscc.host.bench_modem import modem

app = typer.Typer(help="Measure the modem, the back-channel, the virtual air, radios and codecs.", no_args_is_help=True)
app.command()(modem)
app.command()(back_channel)
app.command()(air)
app.command()(calibration)
app.command()(codec)
app.command()(compressor)
app.command()(ldpc)


@app.callback()
def _bench() -> None:
    """Benchmarks; every figure is a ratio of two things measured in the same run."""
