"""What a check finds: a line of the table that ``gr-jscc doctor`` shows."""

from __future__ import annotations

from dataclasses import asdict, dataclass

APT = "sudo apt-get update && sudo apt-get install --no-install-recommends "


@dataclass(frozen=True)
class Check:
    """One line of the table.

    Example:
        >>> Check("PyQt5", ok=False, found="missing", needed_for="windows", remedy="pip install PyQt5").as_dict()["ok"]
        False
    """

    name: str
    ok: bool
    found: str
    """What is there, or what is wrong, in one line."""
    needed_for: str
    remedy: str = ""
    """The exact command that mends it; empty where nothing needs mending."""
    required: bool = True
    """Whether a simulated link already needs it; the rest serves radios, windows, tests or speed."""

    def as_dict(self) -> dict:
        return asdict(self)
