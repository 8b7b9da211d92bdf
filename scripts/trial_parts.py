"""What the trials share: programs of this checkout, the pictures that they send, and what a receiver's folder holds."""

from __future__ import annotations

import collections
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from gr_jscc.data import demo_image
from gr_jscc.imaging import ImageError, load_image, save_image

ROOT = Path(__file__).parents[1]
PICTURES, HEIGHT, WIDTH = 8, 128, 192


@dataclass
class Found:
    """What a run left.

    Attributes:
        lost, twice: pictures or cells.
        half: files that are not whole, or should not be there.
        wrong: pictures of another size, cells with other figures.
        left_running: processes.
        seconds: that it took.
        killed: whether there was something to kill at the moment.
    """

    lost: int = 0
    twice: int = 0
    half: int = 0
    wrong: int = 0
    left_running: int = 0
    seconds: float = 0.0
    killed: bool = False

    @property
    def faults(self) -> int:
        return self.lost + self.twice + self.half + self.wrong + self.left_running


def in_folder(out: Path, pictures: Path) -> Found:
    """What a receiver's folder lacks of the pictures in another, or has too much of."""
    found, names = Found(), collections.Counter()
    wanted = {path.name: load_image(path).shape for path in pictures.iterdir()}
    for folder in out.iterdir():
        files = {path.name for path in folder.iterdir()}
        found.half += len(files ^ {"received.png", "report.json"})
        try:
            name = json.loads((folder / "report.json").read_text())["image"]["name"]
            shape = load_image(folder / "received.png").shape
        except (OSError, ValueError, ImageError):
            found.half += 1
            continue
        names[name] += 1
        found.wrong += shape != wanted.get(name)
    found.lost = len(wanted.keys() - names.keys())
    found.twice = sum(count - 1 for count in names.values())
    return found


class Programs:
    """Programs of this checkout, in a process group of their own each.

    Args:
        folder: where they run, and log.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.groups = folder, set()

    def start(self, *arguments: object) -> subprocess.Popen:
        command = [sys.executable, "-m", "gr_jscc.host", *map(str, arguments)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        with open(self.folder / f"{arguments[0]}.log", "a") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=ROOT, env=environment, start_new_session=True
            )
        self.groups.add(process.pid)
        return process

    def left_running(self, seconds: float) -> int:
        """Processes of any group that have not ended after so long; they are ended then."""
        end = time.monotonic() + seconds
        while (left := [one for group in self.groups for one in members(group)]) and time.monotonic() < end:
            time.sleep(0.2)
        for pid in left:
            kill(pid)
        return len(left)


def members(group: int) -> list[int]:
    """The processes of a group that still run."""
    told = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True).stdout
    lines = [line.split() for line in told.splitlines()]
    return [int(pid) for pid, of, state in lines if int(of) == group and "Z" not in state]


def kill(pid: int) -> None:
    """SIGKILL; one that has just ended is no fault."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def make_pictures(folder: Path) -> Path:
    """Crops of the photo that ships, as files."""
    photo = load_image(demo_image())
    for number, (row, column) in enumerate(itertools.product(range(2), range(PICTURES // 2))):
        top, left = row * HEIGHT, column * WIDTH
        save_image(folder / f"p{number}.png", photo[top : top + HEIGHT, left : left + WIDTH])
    return folder
