"""``gr-jscc reproduce``: measures a paper's figures again and writes them down."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gr_jscc.errors import UserError

from . import options
from .printing import print_figures


def reproduce(
    name: Annotated[str, typer.Argument(help="What to reproduce: successive.")],
    data: Annotated[list[Path], typer.Option(help="Folder with the data set; successive: CIFAR-10.")],
    runs: Annotated[
        Path | None, typer.Option(help="Folder of training runs, for models that do not ship and for newer ones.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for a page with tables and plots, e.g. docs.")] = None,
    images: Annotated[int, typer.Option(min=0, help="Test pictures, spread evenly; 0: all.")] = 1000,
    draws: Annotated[int, typer.Option(min=1, help="Channel draws for each picture.")] = 10,
    on_air: Annotated[
        int,
        typer.Option(
            min=0, help="Pictures that also cross the modem and the back-channel, between processes; needs GNU Radio."
        ),
    ] = 200,
    device: options.Device = "cpu",
    seed: options.Seed = 1,
    json_lines: options.Json = False,
) -> None:
    """Measure what a paper reports with the models that ship, beside the paper's own figures.

    successive: Kurka & Gündüz 2019, successive refinement on CIFAR-10: Table I and the curves of figures 3 and 4.
    """
    from gr_jscc.evaluation.successive_benchmark import DESIGN_SNR_DB, successive_figures
    from gr_jscc.evaluation.successive_report import write_successive_report
    from gr_jscc.training.cifar import read_cifar10

    options.check_choice("NAME", name, ("successive",))
    if runs is not None and not runs.is_dir():
        raise UserError(f"--runs: folder not found: {runs}")
    pictures = read_cifar10(data, "test")
    options.check_device(device)
    if images:
        pictures = _spread(pictures, images)
    measured = []

    def noted():
        for figure in successive_figures(pictures, runs, draws, seed, device):
            measured.append(figure)
            yield figure
        if on_air:
            from .feedback_trial import feedback_figures

            crossing = [picture.permute(1, 2, 0).numpy() for picture in _spread(pictures, on_air)]
            for figure in feedback_figures(crossing, "successive-residual", 1 / 6, DESIGN_SNR_DB):
                measured.append(figure)
                yield figure

    print_figures(noted(), name, json_lines)
    if out is not None:
        page = write_successive_report(measured, out)
        if not json_lines:
            typer.echo(f"written: {page}")


def _spread(pictures, count: int):
    """So many of uint8[N, 3, H, W], evenly spread."""
    return pictures[:: max(1, len(pictures) // count)][:count]
