"""A picture to try things with."""

from __future__ import annotations

from pathlib import Path


def demo_image() -> str:
    """Path of a photo that ships with the project, 768×512."""
    return str(Path(__file__).parent / "demo.png")
