"""What a run leaves in its folder: for every picture a folder with ``received.png`` and ``report.json``."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from gr_jscc.files.locks import lock, release
from gr_jscc.files.names import safe_stem
from gr_jscc.files.places import writable_folder
from gr_jscc.files.whole import PARTS, writing
from gr_jscc.imaging import save_image
from gr_jscc.link import told
from gr_jscc.reports.collector import Result
from gr_jscc.reports.report import write_json

REPORT, PICTURE, COMPARISON, ESTIMATES = "report.json", "received.png", "comparison.png", "estimate-*.png"
MOST_BEGUN = 128  # pictures of which some rounds are stored and the last is not; of older ones no more is expected


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

    What a killed program left half-written goes, too.

    Raises:
        UserError: they cannot be removed.
    """
    with writing(folder):
        named = [folder / name for name in (REPORT, PICTURE, COMPARISON)]
        for path in [*named, *folder.glob(ESTIMATES), *folder.glob(PARTS)]:
            path.unlink(missing_ok=True)


class Archive:
    """Stores results; nothing in it is ever half-written or replaced by another picture's.

    A picture's folder is called as the picture, see `safe_stem`. What an earlier run left in it goes before anything is
    written, so that all that lies in it is of one run. From its first file to its report a folder is locked: of two
    programs that store pictures of one name in one place, each takes a folder of its own. A folder without a report
    that nobody has locked is what a killed program left, and is used again.

    Args:
        folder: for the pictures' folders, made if missing.

    Attributes:
        replaced: names of folders that held results of an earlier run, in the order in which they were replaced.

    Raises:
        UserError: the folder cannot be made or written to.

    Example:
        >>> import tempfile
        >>> report = {"image": {"name": "photo.jpg"}, "arrived": False}
        >>> result = Result(transfer=1, round=0, original=None, received=None, report=report)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     archive = Archive(folder)
        ...     print(archive.save(result).name, archive.save(result).name)
        photo photo-2
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = writable_folder(folder)
        self.replaced: list[str] = []
        self._taken: set[str] = set()  # names of folders
        self._next: dict[str, int] = {}  # by stem, the number to try first
        # By transfer, its folder, the lock and the picture's key; oldest first.
        self._begun: dict[int, tuple[Path, int | None, str]] = {}

    def keys(self, run: str) -> set[str]:
        """The keys (16 hexadecimal digits) of a run's pictures that arrived, stored by this process or earlier ones."""
        found = set()
        for path in self.folder.glob(f"*/{REPORT}"):
            try:
                report = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError):
                continue
            if isinstance(report, dict) and report.get("run") == run and report.get("arrived", True):
                found |= {told.key(report)} - {""}
        return found

    def to_be_replaced(self, names: Iterable[str]) -> list[str]:
        """Folders with results of an earlier run that pictures of these names would replace."""
        taken, found = set(self._taken), []
        for name in names:
            places = _numbered(self.folder, safe_stem(name), 1)
            folder = next(folder for _, folder in places if folder.name not in taken and not _is_in_the_way(folder))
            taken.add(folder.name)
            found += [folder.name] * (folder / REPORT).exists()
        return found

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
        self._let_go(result.transfer)
        return folder

    def save_estimate(self, result: Result, fresh: bool = False) -> None:
        """Writes what a round before the last made of the picture, ``estimate-N.png``, into the picture's folder."""
        if result.received is not None:
            save_image(self._folder_of(result, fresh) / f"estimate-{result.round + 1}.png", result.received)

    def _folder_of(self, result: Result, fresh: bool) -> Path:
        key = told.key(result.report)
        begun = self._begun.get(result.transfer)
        if begun and key and begun[2] and begun[2] != key:  # never finished, and its number is used again
            self._let_go(result.transfer)
        if result.transfer not in self._begun:
            folder, held = self._claimed(safe_stem(result.report["image"]["name"]), fresh)
            if (folder / REPORT).exists():
                self.replaced.append(folder.name)
            self._begun[result.transfer] = folder, held, key
            clear_results(writable_folder(folder))
            while len(self._begun) > MOST_BEGUN:
                self._let_go(next(iter(self._begun)))
        return self._begun[result.transfer][0]

    def _claimed(self, stem: str, fresh: bool) -> tuple[Path, int | None]:
        """The first of ``NAME``, ``NAME-2`` … that no other picture or file has, and the lock on it."""
        claimed = False
        numbered = _numbered(self.folder, stem, self._next.get(stem, 1))
        while not claimed:
            number, folder = next(numbered)
            if folder.name not in self._taken:
                with writing(folder):
                    claimed, held = _claim(folder, fresh)
        self._taken.add(folder.name)
        if number > 1:  # most names come once, and hours of them must not fill memory
            self._next[stem] = number + 1
        return folder, held

    def _let_go(self, transfer: int) -> None:
        _, held, _ = self._begun.pop(transfer)
        if held is not None:
            release(held)


def _numbered(parent: Path, stem: str, first: int) -> Iterator[tuple[int, Path]]:
    """``NAME``, ``NAME-2``, ``NAME-3`` … with their numbers."""
    for number in itertools.count(first):
        yield number, parent / (stem if number == 1 else f"{stem}-{number}")


def _is_in_the_way(folder: Path) -> bool:
    """Whether it is there and no folder."""
    return (folder.exists() or folder.is_symlink()) and not folder.is_dir()


def _claim(folder: Path, fresh: bool) -> tuple[bool, int | None]:
    """Makes a folder, or takes one that is there; whether that is allowed, and the lock on it.

    Raises:
        OSError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True)
        is_new = True
    except FileExistsError:
        is_new = False
    if _is_in_the_way(folder):
        return False, None
    try:
        held = lock(folder)
    except BlockingIOError:  # another program's picture is on its way there
        return False, None
    except OSError:  # the file system knows no locks: a folder without a report may be another program's
        return is_new or not fresh, None
    if fresh and (folder / REPORT).exists():
        release(held)
        return False, None
    return True, held
