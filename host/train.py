"""``gr-jscc train``: makes weights from a recipe and folders of images."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import typer

from gr_jscc.errors import UserError
from gr_jscc.host.loading import loading


def train(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe's name or a TOML file.")],
    data: Annotated[list[Path], typer.Option(help="Folder of training images; may be given several times.")],
    validation: Annotated[list[Path] | None, typer.Option(help="Folder of validation images.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder; an unfinished run in it is continued.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: cuda when there is one.")] = "auto",
    steps: Annotated[int | None, typer.Option(min=1, help="Total number of steps, instead of the recipe's.")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare crops.")] = 0,
    max_minutes: Annotated[
        float, typer.Option(min=0, help="Stop with a checkpoint after this many minutes; 0: no limit.")
    ] = 0,
    channel: Annotated[
        Path | None,
        typer.Option(help="SigMF recording to train on: what its bursts met on the air."),
    ] = None,
) -> None:
    """Train a codec's networks from a recipe; the same command continues an interrupted run.

    Writes checkpoints, log.jsonl, TensorBoard events and MODEL.safetensors to --out (runs/MODEL).
    On several GPUs: torchrun --nproc-per-node 4 -m gr_jscc.host train RECIPE …
    """
    with loading("PyTorch"):
        import torch

        from gr_jscc.training.loop import train as run
    from gr_jscc.training.recipe import load_recipe
    from gr_jscc.training.schedule import TimeAllowed
    from gr_jscc.training.tasks import task_of

    if device not in ("auto", "cpu", "cuda"):
        raise UserError(f"--device must be auto, cpu or cuda, not {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: PyTorch finds no usable GPU; see gr-jscc doctor")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    chosen = load_recipe(recipe)
    if steps is not None:
        chosen = dataclasses.replace(chosen, steps=steps)
    allowed = TimeAllowed(max_minutes * 60) if max_minutes else None
    folder = out or Path("runs") / chosen.model
    if channel is not None:
        if "channel" not in vars(task_of(chosen)):
            raise UserError(f"--channel: codec {chosen.codec} cannot be trained on a recording, deepjscc can")
        chosen = dataclasses.replace(chosen, task=chosen.task | {"channel": str(heard(channel, folder))})
    path = run(chosen, data, validation or [], folder, device, workers, allowed, to_stderr)
    typer.echo(f"weights: {path}")


def heard(recording: Path, folder: Path) -> Path:
    """Writes what the bursts of a recording met into a run's folder; returns the file."""
    from gr_jscc.files.places import writable_folder
    from gr_jscc.files.whole import writing
    from gr_jscc.radio.sigmf_file import read_recording
    from gr_jscc.recordings.heard import heard_in

    air = heard_in(read_recording(recording))
    path = writable_folder(folder) / "channel.npz"
    with writing(path):
        air.save(path)
    low, high = float(air.snr_db.min()), float(air.snr_db.max())
    to_stderr(f"channel: {len(air)} bursts, {air.lost} of them lost, at {low:.1f} to {high:.1f} dB")
    return path


def to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":  # `python -m host.train` needs nothing but torch, safetensors, Pillow, typer and rich
    try:
        typer.run(train)
    except UserError as error:
        sys.exit(f"train: {error}")
