"""``gr-jscc reproduce``: measures a paper's figures again and writes them down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from gr_jscc.errors import UserError
from gr_jscc.figures import Figure
from gr_jscc.files.places import writable_folder
from gr_jscc.files.whole import writing
from gr_jscc.host import options
from gr_jscc.host.printing import print_figures


def reproduce(
    name: Annotated[str, typer.Argument(help="What to reproduce: successive, separation, banana or hjscc.")],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder with the data set; successive: CIFAR-10; separation, hjscc: Kodak's photos; banana: none.",
            show_default=False,
        ),
    ] = None,
    runs: Annotated[
        Path | None, typer.Option(help="Folder of training runs, for models that do not ship and for newer ones.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for a page, tables and plots, e.g. docs/results.")] = None,
    images: Annotated[int, typer.Option(min=0, help="Test pictures, spread evenly; 0: all.")] = 1000,
    draws: Annotated[int, typer.Option(min=1, help="Channel draws for each picture; successive only.")] = 10,
    on_air: Annotated[
        int,
        typer.Option(min=0, help="Pictures that also cross the modem, and the back-channel if any; needs GNU Radio."),
    ] = 200,
    device: options.Device = "cpu",
    seed: options.Seed = 1,
    json_lines: options.Json = False,
) -> None:
    """Repeat a paper's measurements with the shipped models and compare with the paper's own figures.

    successive: Kurka & Gündüz 2019, successive refinement on CIFAR-10: Table I and the curves of figures 3 and 4.

    separation: BPG + LDPC and BPG + capacity at 10 dB, and the cliff beside DeepJSCC through the flowgraph.

    hjscc: HJSCC with and without feedback over SNR, with a wrong SNR at the transmitter, after each latent, and
    between two hosts with faults of the feedback and 1 to 8 pictures in flight.

    banana: section IV-B of Dai et al. 2022 (NTSCC): a source of two numbers; trains the models, which takes minutes.
    """
    options.check_choice("NAME", name, ("successive", "separation", "banana", "hjscc"))
    if name != "banana" and not data:
        raise UserError(f"reproduce {name} needs --data")
    options.check_device(device)
    if runs is not None and not runs.is_dir():
        raise UserError(f"--runs: folder not found: {runs}")
    if out is not None:
        writable_folder(out / "images")  # told before it is measured
    if name == "successive":
        figures, write = _successive(data, runs, images, draws, on_air, device, seed)
    elif name == "banana":
        figures, write = _banana(runs, seed)
    elif name == "hjscc":
        figures, write = _hjscc(data, images, on_air, device, seed)
    else:
        figures, write = _separation(data, images, on_air, device, seed)
    measured = []

    def noted() -> Iterator[Figure]:
        for figure in figures:
            measured.append(figure)
            yield figure

    print_figures(noted(), name, json_lines)
    if out is not None:
        with writing(out):
            page = write(measured, out)
        if not json_lines:
            typer.echo(f"written: {page}")


Reproduction = tuple[Iterator[Figure], Callable[[list[Figure], Path], Path]]


def _successive(
    data: list[Path], runs: Path | None, images: int, draws: int, on_air: int, device: str, seed: int
) -> Reproduction:
    from gr_jscc.benchmarks.successive import DESIGN_SNR_DB, successive_figures
    from gr_jscc.benchmarks.successive_page import write_successive_report
    from gr_jscc.datasets.cifar import read_cifar10

    pictures = _spread(read_cifar10(data, "test"), images)

    def figures() -> Iterator[Figure]:
        yield from successive_figures(pictures, runs, draws, seed, device)
        if on_air:
            from gr_jscc.benchmarks.feedback import feedback_figures

            crossing = [picture.permute(1, 2, 0).numpy() for picture in _spread(pictures, on_air)]
            yield from feedback_figures(crossing, "successive-residual", 1 / 6, DESIGN_SNR_DB)

    return figures(), write_successive_report


def _banana(runs: Path | None, seed: int) -> Reproduction:
    from gr_jscc.banana.benchmark import SAMPLES, banana_figures, load_banana, measure_banana
    from gr_jscc.banana.page import write_banana_report
    from gr_jscc.banana.training import DEEPJSCC_STEPS, DEEPJSCC_VALUES, train_deepjscc

    trained = runs / "banana.safetensors" if runs else None
    network = load_banana(trained if trained and trained.is_file() else None)
    kept = []

    def figures() -> Iterator[Figure]:
        rivals = [train_deepjscc(values, DEEPJSCC_STEPS) for values in DEEPJSCC_VALUES]
        measured = measure_banana(network, rivals, SAMPLES, seed)
        kept.extend((measured, network, rivals[1]))
        yield from banana_figures(measured)

    return figures(), lambda taken, folder: write_banana_report(taken, *kept, folder)


def _hjscc(data: list[Path], images: int, on_air: int, device: str, seed: int) -> Reproduction:
    from gr_jscc.benchmarks.hjscc import CBR, DESIGN_SNR_DB, WEIGHTS, hjscc_figures
    from gr_jscc.benchmarks.hjscc_page import write_hjscc_report
    from gr_jscc.imaging import expand_inputs, load_image

    pictures = [load_image(path) for path in _spread(expand_inputs(data), images)]

    def figures() -> Iterator[Figure]:
        yield from hjscc_figures(pictures, device, seed)
        if on_air:
            from gr_jscc.benchmarks.feedback import feedback_figures, flight_figures

            crossing = list(_spread(pictures, on_air))
            yield from feedback_figures(crossing, "hjscc-feedback", CBR, DESIGN_SNR_DB, 0.4, WEIGHTS)
            yield from flight_figures(crossing, "hjscc-feedback", CBR, DESIGN_SNR_DB, WEIGHTS)

    return figures(), write_hjscc_report


def _separation(data: list[Path], images: int, on_air: int, device: str, seed: int) -> Reproduction:
    from gr_jscc.benchmarks.separation import cliff_figures, kodak_figures
    from gr_jscc.benchmarks.separation_page import write_separation_report
    from gr_jscc.imaging import expand_inputs, load_image

    files = _spread(expand_inputs(data), images)
    for path in files:
        load_image(path)  # a bad file is told before anything is measured
    crossing = _spread(files, on_air) if on_air else []

    def through_the_flowgraph(codec: str, weights: str, cbr: float, snr_db: float) -> list[dict]:
        from gr_jscc.flowgraphs.loopback import Air, flowgraph_results
        from gr_jscc.link.loading import Encoding

        air = Air(snr_db=snr_db, cfo=0.1, seed=seed)
        results = flowgraph_results(crossing, Encoding(codec, cbr, weights, device), air)
        return [result.report for result in results if result.final]

    def figures() -> Iterator[Figure]:
        yield from kodak_figures(files, seed)
        if crossing:
            yield from cliff_figures(through_the_flowgraph, len(crossing))

    return figures(), write_separation_report


def _spread(pictures, count: int):
    """So many of a sequence, evenly spread; all for 0."""
    return pictures[:: max(1, len(pictures) // count)][:count] if count else pictures
