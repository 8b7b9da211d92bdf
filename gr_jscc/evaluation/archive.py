"""What a run leaves in its folder: for every picture a folder with ``received.png`` and ``report.json``."""

from __future__ import annotations

import json
from pathlib import Path

from gr_jscc.errors import UserError
from gr_jscc.evaluation.collector import Result
from gr_jscc.evaluation.report import write_json
from gr_jscc.imaging import save_image

REPORT, PICTURE = "report.json", "received.png"


def write_result(folder: Path, result: Result) -> None:
    """Writes a result into a folder, the report last."""
    if result.received is not None:
        save_image(folder / PICTURE, result.received)
    write_json(folder / REPORT, result.report)


class Archive:
    """Stores results; nothing in it is ever half-written or replaced by another picture's.

    Args:
        folder: for the pictures' folders, made if missing.

    Raises:
        UserError: the folder cannot be made.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot make the folder {self.folder}: {error.strerror}") from error
        self._taken: set[Path] = set()
        self._folders: dict[int, Path] = {}  # of transfers that have begun

    def keys(self, run: str) -> set[str]:
        """The keys (hexadecimal) of all pictures of a run that are stored here, by this process or earlier ones."""
        found = set()
        for path in self.folder.glob(f"*/{REPORT}"):
            try:
                report = json.loads(path.read_text())
            except (OSError, ValueError):
                continue
            if isinstance(report, dict) and report.get("run") == run and report.get("key"):
                found.add(report["key"])
        return found

    def save(self, result: Result, fresh: bool = False) -> Path:
        """Writes a picture, if there is one, and its report, which comes last: where it is, all is.

        Args:
            result: the final one of its transfer.
            fresh: whether folders of earlier runs are kept.

        Returns:
            The picture's folder. Pictures of the same name get ``NAME``, ``NAME-2``, ``NAME-3`` …
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
            stem = Path(result.report["image"]["name"]).stem or "picture"
            self._folders[result.transfer] = self._new_folder(stem, fresh)
        folder = self._folders[result.transfer]
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _new_folder(self, stem: str, fresh: bool) -> Path:
        number = 1
        while True:
            folder = self.folder / (stem if number == 1 else f"{stem}-{number}")
            if folder not in self._taken and not (fresh and (folder / REPORT).exists()):
                self._taken.add(folder)
                return folder
            number += 1
