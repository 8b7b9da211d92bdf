"""What a run leaves in its folder: for every picture a folder with ``received.png`` and ``report.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from gr_jscc.evaluation.collector import Result
from gr_jscc.evaluation.report import write_json
from gr_jscc.file_names import safe_stem
from gr_jscc.imaging import save_image
from gr_jscc.places import writable_folder
from gr_jscc.whole_file import writing

REPORT, PICTURE, COMPARISON, ESTIMATES = "report.json", "received.png", "comparison.png", "estimate-*.png"


def write_result(folder: Path, result: Result) -> None:
    """Writes a result into a folder, the report last.

    Raises:
        UserError: it cannot be written.
    """
    if result.received is not None:
        save_image(folder / PICTURE, result.received)
    with writing(folder / REPORT):
        write_json(folder / REPORT, result.report)


def clear_results(folder: Path) -> None:
    """Takes an earlier run's results out of a picture's folder, the report first; other files stay.

    Raises:
        UserError: they cannot be removed.
    """
    with writing(folder):
        for path in [folder / REPORT, folder / PICTURE, folder / COMPARISON, *folder.glob(ESTIMATES)]:
            path.unlink(missing_ok=True)


class Archive:
    """Stores results; nothing in it is ever half-written or replaced by another picture's.

    A picture's folder is called as the picture, see `safe_stem`. What an earlier run left in it goes before anything is
    written, so that all that lies in it is of one run.

    Args:
        folder: for the pictures' folders, made if missing.

    Attributes:
        replaced: names of folders that held results of an earlier run, in the order in which they were replaced.

    Raises:
        UserError: the folder cannot be made or written to.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = writable_folder(folder)
        self.replaced: list[str] = []
        self._taken: set[Path] = set()
        self._folders: dict[int, Path] = {}  # of transfers that have begun

    def keys(self, run: str) -> set[str]:
        """The keys (hexadecimal) of all pictures of a run that arrived, stored by this process or earlier ones."""
        found = set()
        for path in self.folder.glob(f"*/{REPORT}"):
            try:
                report = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if isinstance(report, dict) and report.get("run") == run and report.get("arrived", True):
                found |= {report.get("key") or ""} - {""}
        return found

    def to_be_replaced(self, names: Iterable[str]) -> list[str]:
        """Folders with results of an earlier run that pictures of these names would replace."""
        taken = set(self._taken)
        folders = [_free_folder(self.folder, safe_stem(name), taken, fresh=False) for name in names]
        return [folder.name for folder in folders if (folder / REPORT).exists()]

    def save(self, result: Result, fresh: bool = False) -> Path:
        """Writes a picture, if there is one, and its report, which comes last: where it is, all is.

        Args:
            result: the final one of its transfer.
            fresh: whether folders of earlier runs are kept.

        Returns:
            The picture's folder. Pictures of the same name get ``NAME``, ``NAME-2``, ``NAME-3`` …

        Raises:
            UserError: it cannot be written.
        """
        folder = self._folder_of(result, fresh)
        write_result(folder, result)
        del self._folders[result.transfer]
        return folder

    def save_estimate(self, result: Result, fresh: bool = False) -> None:
        """Writes what a round before the last made of the picture, ``estimate-N.png``, into the picture's folder."""
        if result.received is not None:
            save_image(self._folder_of(result, fresh) / f"estimate-{result.round + 1}.png", result.received)

    def _folder_of(self, result: Result, fresh: bool) -> Path:
        if result.transfer not in self._folders:
            folder = _free_folder(self.folder, safe_stem(result.report["image"]["name"]), self._taken, fresh)
            if (folder / REPORT).exists():
                self.replaced.append(folder.name)
            self._folders[result.transfer] = folder
            clear_results(writable_folder(folder))
        return self._folders[result.transfer]


def _free_folder(parent: Path, stem: str, taken: set[Path], fresh: bool) -> Path:
    """The first of ``NAME``, ``NAME-2`` … that is not taken and that no file is in the way of; it is taken then."""
    number = 1
    while True:
        folder = parent / (stem if number == 1 else f"{stem}-{number}")
        kept = fresh and (folder / REPORT).exists()
        in_the_way = (folder.exists() or folder.is_symlink()) and not folder.is_dir()
        if folder not in taken and not kept and not in_the_way:
            taken.add(folder)
            return folder
        number += 1
