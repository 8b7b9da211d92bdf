"""Where frames come from, and how they are wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gr_jscc.errors import UserError
from gr_jscc.host.options import panels
from gr_jscc.video.frames import FASTEST, FrameForm, parse_crop, parse_size
from gr_jscc.video.sources import Source

Video = Annotated[
    str, typer.Option("--video", rich_help_panel=panels.INPUT, help="A video file or address.", show_default=False)
]
Camera = Annotated[
    str,
    typer.Option("--camera", rich_help_panel=panels.INPUT, help="A camera: its number or device.", show_default=False),
]
Screen = Annotated[bool, typer.Option("--screen", rich_help_panel=panels.INPUT, help="What the screen shows (X11).")]
Watch = Annotated[
    str,
    typer.Option(
        "--watch",
        rich_help_panel=panels.INPUT,
        help="A folder: each picture that is written to it.",
        show_default=False,
    ),
]
TestPattern = Annotated[
    bool,
    typer.Option(
        "--test-pattern", rich_help_panel=panels.INPUT, help="A camera that wanders over a photo; needs no device."
    ),
]
Fps = Annotated[float, typer.Option("--fps", rich_help_panel=panels.INPUT, help="Frames per second.")]
Size = Annotated[str, typer.Option("--size", rich_help_panel=panels.INPUT, help="Of a frame, WIDTHxHEIGHT.")]
Crop = Annotated[
    str,
    typer.Option(
        "--crop",
        rich_help_panel=panels.INPUT,
        help="What is taken of the source's pictures, WIDTHxHEIGHT+LEFT+TOP. Default: as much of the middle as fits.",
        show_default=False,
    ),
]

Seconds = Annotated[
    float | None,
    typer.Option(
        "--seconds",
        rich_help_panel=panels.INPUT,
        min=0.1,
        help="How long frames are sent. Default: as long as there are any (loopback: at most 10 s).",
        show_default=False,
    ),
]
Film = Annotated[
    Path | None,
    typer.Option(
        "--film", rich_help_panel=panels.OUTPUT, help="Film of the frames received, .mp4 or .webp.", show_default=False
    ),
]
Page = Annotated[
    str,
    typer.Option(
        "--page",
        rich_help_panel=panels.OUTPUT,
        help="Show the frames received on a page for browsers: a port of this machine's own address, or HOST:PORT, "
        "where all who reach it can watch.",
        show_default=False,
    ),
]
FilmFps = Annotated[
    float, typer.Option("--fps", rich_help_panel=panels.OUTPUT, min=0.1, max=FASTEST, help="Of the film.")
]


def source_of(video: str, camera: str, screen: bool, watch: str, test_pattern: bool, seed: int) -> Source | None:
    """The source that was asked for; None where none was.

    Raises:
        UserError: several were.
    """
    asked = {
        "--video": video and Source("video", video),
        "--camera": camera and Source("camera", camera),
        "--screen": screen and Source("screen"),
        "--watch": watch and Source("folder", watch),
        "--test-pattern": test_pattern and Source("pattern", seed=seed),
    }
    given = {name: source for name, source in asked.items() if source}
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)} are two sources: give one")
    return next(iter(given.values()), None)


def form_of(fps: float, size: str, crop: str) -> FrameForm:
    """How frames are wanted.

    Raises:
        VideoError: not like that.
    """
    return FrameForm(fps, *parse_size(size), parse_crop(crop) if crop else None)
