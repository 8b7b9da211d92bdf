"""SigMF's files by their names: pairs beside each other, archives of them, collections.

Names that differ in capital letters only are taken for the same, as where the files come from they are.
"""

from __future__ import annotations

import codecs
import io
import os
import tarfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TextIO

from gr_jscc.radio.address import RadioError
from gr_jscc.radio.json_reader import JsonReader
from gr_jscc.radio.stored_samples import Part

META, DATA, ARCHIVE, COLLECTION = ".sigmf-meta", ".sigmf-data", ".sigmf", ".sigmf-collection"
PACKED = (".sigmf.gz", ".sigmf.xz", ".sigmf.zip")  # archives that cannot be read where they are


def is_sigmf(path: Path) -> bool:
    """Whether a path is that of a SigMF file of any kind, or of a recording in an archive."""
    return (
        path.suffix.lower() in (META, DATA, ARCHIVE, COLLECTION)
        or path.name.lower().endswith(PACKED)
        or _archive_above(path) is not None
    )


def recording_paths(path: Path) -> tuple[Path, Path]:
    """A recording's two files, metadata and samples, from the path of either or from the name that they share.

    Raises:
        RadioError: a folder's path without a name, such as ``.``.
    """
    if path.name in ("", ".."):
        raise RadioError(f"{path} is a folder: a recording's name is needed")
    base = path.with_suffix("") if path.suffix.lower() in (META, DATA) else path
    return base.with_name(base.name + META), base.with_name(base.name + DATA)


@dataclass(frozen=True)
class Folder:
    """Where a recording's files lie beside each other: a folder, or one in an archive.

    Attributes:
        path: of the folder; of one in an archive, for messages only.
        members: of one in an archive, by name.

    Example:
        >>> archive = Path("walk.sigmf")
        >>> folder = Folder(archive / "first", {"first.sigmf-meta": Part(archive, start=512, size=700)})
        >>> folder.part("First.sigmf-meta").start
        512
    """

    path: Path
    members: dict[str, Part] | None = field(default=None, repr=False)

    def part(self, name: str) -> Part:
        """A file in it; where there is none of exactly this name, one whose capital letters differ.

        Raises:
            RadioError: there is none, or it cannot be read.
        """
        if self.members is None:
            path = self.path / name
            return Part.whole(path if os.path.exists(path) else self.path / _alike(name, _names_in(self.path)))
        found = self.members.get(name) or self.members.get(_alike(name, self.members))
        if found is None:
            raise RadioError(f"cannot read {self.path / name}: no such file in the archive")
        return found


def find_recording(path: Path) -> tuple[Folder, str, str]:
    """Where a recording is.

    Args:
        path: of either of its files, or the name that they share; of an archive or a collection that holds no other;
            or of an archive, followed by a recording's name as if the archive were a folder.

    Returns:
        the folder; in it the name of the metadata; and that of the samples, where the metadata do not say another.

    Raises:
        RadioError: there is none, or several; or the archive or the collection cannot be read.
    """
    if path.name.lower().endswith(PACKED) and path.is_file():
        raise RadioError(f"cannot read {path}: it is a compressed archive; unpack it first, to NAME{ARCHIVE}")
    archive = path if path.suffix.lower() == ARCHIVE and path.is_file() else _archive_above(path)
    if archive is not None:
        return _in_archive(archive, _bare("/".join(path.relative_to(archive).parts)))
    if path.suffix.lower() == COLLECTION:
        path = path.with_name(_in_collection(path))
    meta, data = recording_paths(path)
    return Folder(meta.parent), meta.name, data.name


def open_text(part: Part) -> TextIO:
    """Metadata as text: UTF-8, or what the byte-order mark says that some programs put before it.

    Raises:
        OSError: they cannot be read.
    """
    file = io.BufferedReader(_Window(part))
    utf_16 = file.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return io.TextIOWrapper(file, encoding="utf-16" if utf_16 else "utf-8-sig")


class _Window(io.RawIOBase):
    """A part of a file as a file."""

    def __init__(self, part: Part) -> None:
        self._file = open(part.path, "rb", buffering=0)
        self._file.seek(part.start)
        self._left = part.size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        count = self._file.readinto(memoryview(buffer)[: self._left])
        self._left -= count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def _archive_above(path: Path) -> Path | None:
    return next((one for one in path.parents if one.suffix.lower() == ARCHIVE and one.is_file()), None)


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError:
        return []  # the file's own error says more


def _alike(name: str, names: list[str] | dict[str, Part]) -> str:
    """The first of some names that differs in capital letters only; else the name itself."""
    return next((other for other in names if other.casefold() == name.casefold()), name)


# --- archives ----------------------------------------------------------------------------------------------------


def _in_archive(archive: Path, wanted: str) -> tuple[Folder, str, str]:
    """A recording in a tar file, which is not unpacked; ``wanted`` is its name, or "" for the only one."""
    try:
        with tarfile.open(archive, "r:") as tar:
            members = {
                PurePosixPath(member.name.lstrip("/")): Part(archive, member.offset_data, member.size)
                for member in tar
                if member.isreg() and not member.issparse()
            }
    except tarfile.TarError as error:
        raise RadioError(f"cannot read {archive}: not a SigMF archive, or a compressed one ({error})") from error
    except OSError as error:
        raise RadioError(f"cannot read {archive}: {error.strerror or error}") from error
    metas = sorted(path for path in members if path.suffix.lower() == META)
    chosen = [path for path in metas if not wanted or wanted.casefold() in _named(path)]
    if len(chosen) != 1:
        raise _choose_one(archive, [_bare(str(path)) for path in metas], f"{archive}/NAME")
    (meta,) = chosen
    beside = {path.name: part for path, part in members.items() if path.parent == meta.parent}
    return Folder(archive / meta.parent, beside), meta.name, _bare(meta.name) + DATA


def _bare(name: str) -> str:
    """A file's name without SigMF's ending."""
    return name[: -len(META)] if name.lower().endswith((META, DATA)) else name


def _named(meta: PurePosixPath) -> set[str]:
    """What a recording in an archive may be called, in small letters."""
    return {_bare(str(meta)).casefold(), _bare(meta.name).casefold()}


def _choose_one(path: Path, names: list[str], form: str) -> RadioError:
    if not names:
        return RadioError(f"cannot read {path}: there is no recording in it")
    return RadioError(
        f"cannot read {path}: it holds several recordings: name one as {form}, with NAME one of {', '.join(names)}"
    )


# --- collections -------------------------------------------------------------------------------------------------


def _in_collection(path: Path) -> str:
    """The name of the only recording of a collection."""
    try:
        with open_text(Part.whole(path)) as file:
            reader = JsonReader(file)
            content = {key: reader.value() for key in reader.members()}
        names = [str(stream["name"]) for stream in content["collection"]["core:streams"]]
    except OSError as error:
        raise RadioError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise RadioError(f"cannot read {path}: not a SigMF collection ({error!r})") from error
    if len(names) != 1:
        raise _choose_one(path, names, str(path.with_name("NAME")))
    return only_name(names[0], path)


def only_name(name: str, origin: Path) -> str:
    """A file's name as another file gives it.

    Raises:
        RadioError: it leads to another folder, or is none.
    """
    if name in ("", ".", "..") or set(name) & set("/\\\0"):
        raise RadioError(f"cannot read {origin}: it names {name!r}; only files in the same folder are allowed")
    return name
